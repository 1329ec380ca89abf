// EncodedRows: rows of ids and numbers as an encoder appends them, and the batch that they are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/view.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"

namespace plait {

// Owns its memory and keeps it: cleared and filled again, it allocates only beyond what it held.
// Made by FeatureEncoder::rows(), one per thread.
class EncodedRows {
 public:
  Index size() const { return size_; }
  // Ids of all rows and features.
  std::size_t num_ids() const {
    std::size_t count = 0;
    for (const Ids& of_feature : ids_) count += of_feature.ids.size();
    return count;
  }

  void clear() { truncate(0); }

  // All rows, as views: valid until rows are added or cleared. A feature with one id in every row
  // has no offsets, unless it is a bag.
  FeatureBatch<float> batch() {
    const auto rows = static_cast<std::size_t>(size_);
    for (std::size_t f = 0; f < ids_.size(); ++f) {
      const Ids& from = ids_[f];
      const bool plain = from.offsets.empty() || (!from.is_bag && from.ids.size() == rows);
      views_[f] = {.ids = from.ids};
      if (!plain) views_[f].offsets = from.offsets;
    }
    FeatureBatch<float> result{.sparse = {size_, views_}};
    if (width_ > 0) result.dense = View3<const float>(dense_.data(), size_, 1, width_);
    return result;
  }

 private:
  friend class FeatureEncoder;

  struct Ids {
    bool is_bag = false;
    std::vector<std::uint64_t> ids = {};
    std::vector<std::int64_t> offsets = {};  // empty: always one id per row
  };

  // A text on its way through a vocabulary.
  struct Sought {
    std::string_view text = {};
    std::uint32_t hash = 0;
  };

  bool holds(Side side) const { return !side_ || *side_ == side; }

  void truncate(Index rows) {
    const auto count = static_cast<std::size_t>(rows);
    for (Ids& from : ids_) {
      if (!from.offsets.empty()) {
        from.offsets.resize(count + 1);
        from.ids.resize(static_cast<std::size_t>(from.offsets.back()));
      } else {
        from.ids.resize(count);
      }
    }
    dense_.resize(count * static_cast<std::size_t>(width_));
    size_ = rows;
  }

  std::uint64_t encoder_ = 0;  // its fingerprint
  std::optional<Side> side_;   // whose features alone
  Index size_ = 0;
  Index width_ = 0;  // numbers of a row
  std::vector<Ids> ids_;
  std::vector<float> dense_;
  std::vector<SparseFeature> views_;
  std::vector<Sought> sought_;
  std::string joined_;
};

}  // namespace plait
