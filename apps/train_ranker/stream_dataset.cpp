#include "stream_dataset.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format.hpp"
#include "plait/core/csv.hpp"
#include "raw_rows.hpp"

namespace ranker {
namespace {

// The stream's rows as a file's; it borrows them.
class StreamReader final : public plait::RowReader {
 public:
  StreamReader(const StreamConfig& config, const std::vector<StreamRow>& rows)
      : config_(config), rows_(rows) {}

  std::span<const std::string> columns() const override { return columns_; }
  bool next() override {
    if (next_ == std::ssize(rows_)) return false;
    const StreamRow& row = rows_[static_cast<std::size_t>(next_++)];
    texts_ = {'u' + std::to_string(row.user),
              item_text(row.item),
              'c' + std::to_string(row.category),
              std::to_string(row.hour),
              plait::fixed_number(row.price, 2),
              row.click ? "1" : "0",
              plait::fixed_number(row.dwell, 4),
              row.buy ? "1" : "0",
              part()};
    history_.clear();
    for (const Index item : row.history) history_.push_back(item_text(item));
    history_views_.assign(history_.begin(), history_.end());
    for (std::size_t c = 0; c < texts_.size(); ++c) values_[c] = texts_[c];
    values_.back() = std::span<const std::string_view>(history_views_);
    return true;
  }
  plait::RawRow row() const override { return values_; }
  const std::string& name() const override { return name_; }
  Index line() const override { return next_; }

 private:
  static std::string item_text(Index item) { return 'i' + std::to_string(item); }
  std::string part() const {
    if (next_ <= config_.train_rows) return "train";
    return next_ <= config_.train_rows + config_.validation_rows ? "validation" : "test";
  }

  const StreamConfig& config_;
  const std::vector<StreamRow>& rows_;
  const std::string name_ = "stream";
  const std::array<std::string, 10> columns_{"user_id", "item_id", "category", "hour", "price",
                                             "click",   "dwell",   "buy",      "part", "history"};
  Index next_ = 0;
  std::array<std::string, 9> texts_;  // of all columns but the history
  std::vector<std::string> history_;
  std::vector<std::string_view> history_views_;
  std::array<plait::RawValue, 10> values_;
};

class StreamSource final : public RowSource {
 public:
  StreamSource(const StreamConfig& config, const std::vector<StreamRow>& rows)
      : reader_(config, rows) {}
  plait::RowReader& reader() override { return reader_; }

 private:
  StreamReader reader_;
};

}  // namespace

plait::EncoderConfig stream_features() {
  return {.features = {{.name = "user_id", .side = plait::Side::user, .dim = 16},
                       {.name = "item_id", .dim = 16},
                       {.name = "category", .dim = 8},
                       {.name = "hour", .dim = 8},
                       {.name = "history",
                        .side = plait::Side::user,
                        .table = "item_id",
                        .dim = 16,
                        .pooling = plait::Pooling::mean,
                        .bag = plait::Bag{},
                        .counts = false},
                       {.name = "price", .kind = plait::FeatureKind::number, .log1p = true}}};
}

Dataset stream_dataset(const StreamConfig& config) {
  const std::vector<StreamRow> rows = click_stream(config);
  const RawRows described{.path = "stream of clicks, " + grouped(config.users) + " users and " +
                                  grouped(config.items) + " items by Zipf's law",
                          .tasks = {{.name = "click"},
                                    {.kind = plait::HeadKind::regression, .name = "dwell"},
                                    {.name = "buy"}},
                          .split_column = "part"};
  return raw_dataset(described, stream_features(), [&](std::vector<std::string>) {
    return std::make_unique<StreamSource>(config, rows);
  });
}

}  // namespace ranker
