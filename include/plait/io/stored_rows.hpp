// The rows of a self-test as model files with tables hold them: for every feature
// plait.self_test.ids.{feature} (I64), .offsets.{feature} (I64) and .weights.{feature} (F32), the
// latter two where it has some, and plait.self_test.x for the numbers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/error.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_layout.hpp"

namespace plait {

namespace detail {

// Either written, once, or read.
template <class Scalar>
class StoredRows {
 public:
  // Adds rows that fit the layout; the writer borrows them, and from here.
  PLAIT_COLD void add(SafetensorsWriter& writer, const EmbeddingLayout& layout,
                      const FeatureBatch<Scalar>& rows) {
    bags_.resize(layout.config().features.size());
    for (std::size_t f = 0; f < bags_.size(); ++f) {
      const std::string& name = layout.config().features[f].name;
      SparseFeature bags = rows.sparse.feature(static_cast<Index>(f));
      if (!bags.offsets.empty()) {
        const std::int64_t first = bags.offsets.front();
        const auto begin = static_cast<std::size_t>(first);
        const auto count = static_cast<std::size_t>(bags.offsets.back() - first);
        bags.ids = bags.ids.subspan(begin, count);
        if (!bags.weights.empty()) bags.weights = bags.weights.subspan(begin, count);
        for (const std::int64_t offset : bags.offsets) bags_[f].offsets.push_back(offset - first);
        writer.add(name_of("offsets", name), {bags.offsets.size()},
                   std::span<const std::int64_t>(bags_[f].offsets));
      }
      writer.add_bytes(name_of("ids", name), DType::i64, {bags.ids.size()},
                       std::as_bytes(bags.ids));
      if (!bags.weights.empty())
        writer.add(name_of("weights", name), {bags.weights.size()}, bags.weights);
    }
    if (layout.num_dense() > 0) {
      x_.resize(rows.batch(), 1, layout.num_dense());
      kernels::copy<Scalar>(rows.dense, x_.view());
      add_self_test(writer, self_test_x, x_);
    }
  }

  // Makes room for `batch` rows and has read(tensor, room) called for every tensor of theirs.
  // Throws FormatError for tensors that are missing, or of another type or shape.
  template <class Read>
  PLAIT_COLD void open(const SealedReader& file, const EmbeddingLayout& layout, Index batch,
                       const Read& read) {
    std::map<std::string_view, const TensorInfo*> by_name;
    for (const TensorInfo& tensor : file.header().tensors) by_name.emplace(tensor.name, &tensor);
    const auto find = [&](const std::string& name) {
      const auto found = by_name.find(name);
      return found == by_name.end() ? nullptr : found->second;
    };
    const auto refuse = [&](const std::string& name, const std::string& got,
                            const std::string& expected) {
      throw FormatError(file.name(), in_quotes(name), got, expected);
    };
    batch_ = batch;
    bags_.resize(layout.config().features.size());
    for (std::size_t f = 0; f < bags_.size(); ++f) {
      const std::string& feature = layout.config().features[f].name;
      const auto open = [&](const char* what, auto& numbers) {
        const std::string name = name_of(what, feature);
        const TensorInfo* tensor = find(name);
        if (tensor == nullptr) return false;
        using Number = typename std::remove_cvref_t<decltype(numbers)>::value_type;
        if (tensor->dtype != dtype_of<Number>() || tensor->shape.size() != 1)
          refuse(name, std::string(info(tensor->dtype).name) + " " + shape_text(tensor->shape),
                 text("a list of ", info(dtype_of<Number>()).name));
        numbers.resize(static_cast<std::size_t>(tensor->count()));
        read(*tensor, std::span(numbers));
        return true;
      };
      if (!open("ids", bags_[f].ids)) refuse(name_of("ids", feature), "none", "one");
      const bool jagged = open("offsets", bags_[f].offsets);
      open("weights", bags_[f].weights);
      const std::size_t rows = jagged ? bags_[f].offsets.size() : bags_[f].ids.size() + 1;
      if (rows != static_cast<std::size_t>(batch) + 1)
        refuse(name_of(jagged ? "offsets" : "ids", feature), text(rows - (jagged ? 0 : 1)),
               text(static_cast<std::size_t>(batch) + (jagged ? 1 : 0)));
    }
    if (layout.num_dense() == 0) return;
    const TensorInfo* x = find(std::string(self_test_x));
    if (x == nullptr) refuse(std::string(self_test_x), "none", "one");
    require_self_test(file, *x, static_cast<std::uint64_t>(batch), {1, layout.num_dense()});
    x_.resize(batch, 1, layout.num_dense());
    read(*x, numbers(x_.view()));
  }
  // Once all is read; views of it.
  FeatureBatch<Scalar> rows() {
    for (const Bags& bags : bags_)
      features_.push_back(
          {{reinterpret_cast<const std::uint64_t*>(bags.ids.data()), bags.ids.size()},
           bags.offsets,
           bags.weights});
    FeatureBatch<Scalar> rows{.sparse = {batch_, features_}};
    if (x_.dim() > 0) rows.dense = std::as_const(x_).view();
    return rows;
  }

 private:
  struct Bags {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> offsets;  // from 0 on
    std::vector<float> weights;
  };

  static std::string name_of(const char* what, const std::string& feature) {
    return text("plait.self_test.", what, ".", feature);
  }

  Index batch_ = 0;
  std::vector<Bags> bags_;  // [features]
  Tensor<Scalar> x_;
  std::vector<SparseFeature> features_;
};

}  // namespace detail

}  // namespace plait
