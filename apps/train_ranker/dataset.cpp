#include "dataset.hpp"

#include <algorithm>
#include <utility>

#include "plait/sparse/embedding_layout.hpp"

namespace ranker {

EncodedFeatures::EncodedFeatures(plait::FeatureEncoder encoder, plait::EncodedRows rows,
                                 plait::RawRows replayed)
    : encoder_(std::move(encoder)),
      rows_(std::move(rows)),
      views_(rows_.batch()),
      replayed_(std::move(replayed)),
      input_dim_(plait::EmbeddingLayout(embeddings()).width()) {}

void gather(const Features& features, std::span<const Index> rows, plait::View3<float> x) {
  const Index dense = features.dense.cols();
  for (Index i = 0; i < x.batch(); ++i) {
    const Index row = rows[static_cast<std::size_t>(i)];
    float* out = x.row(i);
    out = std::copy_n(features.dense.data() + row * dense, dense, out);
    std::fill_n(out, features.one_hot_width, 0.0f);
    for (Index c = 0; c < features.hot.cols(); ++c) {
      const int position = features.hot(row, c);
      if (position != Features::unseen) out[position] = 1.0f;
    }
  }
}

void gather(const plait::Matrix<float>& labels, std::span<const Index> rows,
            plait::View3<float> y) {
  for (Index i = 0; i < y.batch(); ++i)
    std::copy_n(labels.data() + rows[static_cast<std::size_t>(i)] * labels.cols(), labels.cols(),
                y.row(i));
}

}  // namespace ranker
