// A model whose requests have raw rows, with the encoder and the tables of its file.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "plait/features/column_layout.hpp"
#include "plait/features/encoded_rows.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/io/encoded_model_file.hpp"
#include "plait/serve/embedding_scorer.hpp"
#include "ranker.hpp"

namespace service {

class RawRanker final : public Ranker {
 public:
  // Throws as plait::EmbeddingScorer does.
  RawRanker(plait::LoadedWithEncoder<float> loaded, const RankerOptions& options);

  const plait::Model<float>& model() const override { return scorer_.model(); }
  std::span<const plait::Feature> features() const override { return encoder_.config().features; }

 private:
  // What one request needs. Where there are features of both sides, the user's are encoded and
  // looked up once; else whole rows are.
  struct Context {
    Context(const plait::FeatureEncoder& encoder, const plait::EmbeddingScorer<float>& scorer);

    plait::EmbeddingContext<float> scoring;
    plait::EncodedRows user, candidates;
    std::vector<plait::RawValue> values;  // of a row
  };

  void compute_logits(std::size_t context, Request& request,
                      plait::View3<float> logits) const override;
  void encode(Request& request, Context& context) const;

  plait::FeatureEncoder encoder_;
  plait::ColumnLayout layout_;  // of the interface's columns
  plait::EmbeddingScorer<float> scorer_;
  // Behind pointers, since scoring changes a context and not the ranker.
  std::vector<std::unique_ptr<Context>> contexts_;
};

}  // namespace service
