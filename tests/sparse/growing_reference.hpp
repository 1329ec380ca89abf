// A growing table as it is defined, slowly: ids in a std::map, and whoever goes is found by
// sorting.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/core/random.hpp"
#include "plait/core/tensor.hpp"
#include "plait/sparse/table_optimizer.hpp"

namespace sparse_test {

using plait::Index;

// Counts its touches and sums its gradients: exact numbers where gradients are small integers, so
// that no order of sums matters.
struct Exact {
  double learning_rate = 0.25;
  double weight_decay = 0;

  void validate() const {}
  Index row_state_size(Index dim) const { return dim + 1; }
  double initial_row_state(Index i) const { return i == 0 ? 7 : 0; }
  template <class S>
  void update_row(const plait::UpdateStep& step, std::span<S> values, std::span<const S> gradient,
                  std::span<S> state) const {
    state[0] += 1;
    for (std::size_t d = 0; d < values.size(); ++d) {
      state[d + 1] += gradient[d];
      values[d] -= static_cast<S>(step.learning_rate) * gradient[d];
    }
  }
};

template <class S>
class SlowGrowingTable {
 public:
  struct Id {
    Index row = 0;
    Index count = 0;
    Index step = 0;
  };
  struct Row {
    std::vector<S> values;
    std::vector<S> state;

    bool operator==(const Row&) const = default;
  };

  SlowGrowingTable(const plait::TableConfig& config, std::uint64_t seed)
      : config_(config), seed_(seed), rows(static_cast<std::size_t>(config.rows), unused()) {
    for (Index row = 1; row < config.rows; ++row) free_.insert(row);
  }

  Index row_of(std::uint64_t id) const {
    const auto found = ids.find(id);
    return found == ids.end() ? 0 : found->second.row;
  }
  Index now() const { return now_; }
  Index taken() const { return taken_; }  // rows that ids had
  Row& at(Index row) { return rows[static_cast<std::size_t>(row)]; }

  // What an id starts with.
  Row started(std::uint64_t id) const {
    plait::CounterRandom random(seed_);
    for (const char c : config_.name) random = random.at(static_cast<unsigned char>(c));
    random = random.at(id);
    const double bound = 1 / std::sqrt(static_cast<double>(config_.rows));
    Row row = unused();
    for (std::size_t d = 0; d < row.values.size(); ++d)
      row.values[d] = static_cast<S>(bound * (2 * random.at(d).uniform() - 1));
    return row;
  }

  // The gradients of one step's rows, then its ids in their order.
  void step(const std::map<Index, std::vector<S>>& gradients,
            const std::vector<std::uint64_t>& seen) {
    for (const auto& [row, gradient] : gradients)
      Exact{}.update_row<S>({.number = 1, .learning_rate = 0.25, .weight_decay = 0}, at(row).values,
                            gradient, at(row).state);
    see(seen);
  }

 private:
  Row unused() const {
    Row row{std::vector<S>(static_cast<std::size_t>(config_.dim)),
            std::vector<S>(static_cast<std::size_t>(config_.dim) + 1)};
    row.state[0] = 7;
    return row;
  }

  void see(const std::vector<std::uint64_t>& seen) {
    ++now_;
    bool lacks_row = false, lacks_room = false;
    for (const std::uint64_t id : seen) {
      if (!ids.contains(id)) {
        if (config_.admission == 1 && free_.empty()) {
          lacks_row = true;
          continue;
        }
        if (config_.admission > 1 && waiting() == config_.rows - 1) {
          lacks_room = true;
          continue;
        }
      }
      Id& entry = ids[id];
      entry.step = now_;
      if (++entry.count < config_.admission || entry.row != 0) continue;
      if (free_.empty()) {
        lacks_row = true;
        continue;
      }
      entry.row = *free_.begin();
      free_.erase(free_.begin());
      at(entry.row) = started(id);
    }
    if (lacks_row) forget(true);
    if (lacks_room) forget(false);
  }

  Index waiting() const {
    return std::ranges::count_if(ids, [](const auto& id) { return id.second.row == 0; });
  }

  void forget(bool with_rows) {
    std::vector<std::tuple<Index, Index, std::uint64_t>> by_age;
    for (const auto& [id, entry] : ids)
      if ((entry.row != 0) == with_rows) by_age.emplace_back(entry.step, entry.count, id);
    std::ranges::sort(by_age);
    by_age.resize(by_age.size() - by_age.size() * 9 / 10);
    for (const auto& [step, count, id] : by_age) {
      const Index row = ids[id].row;
      ids.erase(id);
      if (row == 0) continue;
      ++taken_;
      at(row) = unused();
      free_.insert(row);
    }
  }

  plait::TableConfig config_;
  std::uint64_t seed_;

 public:
  std::map<std::uint64_t, Id> ids;
  std::vector<Row> rows;

 private:
  std::set<Index> free_;
  Index now_ = 0;
  Index taken_ = 0;
};

// A table that grows and the same one slowly, driven by a stream of ids that drifts: few are
// frequent, and which ones changes.
template <class S>
class Growth {
 public:
  static constexpr std::uint64_t seed = 11;

  Growth(Index rows, Index admission, Index batch)
      : tables_({.tables = {{.name = "item",
                             .rows = rows,
                             .dim = 3,
                             .reserved = 1,
                             .growing = true,
                             .admission = admission}},
                 .features = {{.name = "history", .table = "item"}, {.name = "item"}}},
                seed),
        optimizer_(tables_, Exact{}),
        slow_(tables_.config().tables[0], seed),
        batch_(batch) {}

  const plait::EmbeddingTables<S>& tables() const { return tables_; }
  const SlowGrowingTable<S>& slow() const { return slow_; }

  void step() {
    draw();
    const std::vector<plait::SparseFeature> features{{history_, offsets_}, {items_}};
    const plait::FeatureBatch<S> batch{plait::SparseBatch(batch_, features)};
    const plait::View3<S> dx = optimizer_.gradient(batch_);
    std::map<Index, std::vector<S>> gradients;
    const auto add = [&](std::uint64_t id, const S* of) {
      std::vector<S>& sum = gradients[slow_.row_of(id)];
      sum.resize(3);
      for (std::size_t d = 0; d < 3; ++d) sum[d] += of[d];
    };
    for (Index b = 0; b < batch_; ++b) {
      const auto row = static_cast<std::size_t>(b);
      for (Index d = 0; d < 6; ++d) dx.row(b)[d] = static_cast<S>(random_.below(5)) - S(2);
      for (auto i = static_cast<std::size_t>(offsets_[row]);
           i < static_cast<std::size_t>(offsets_[row + 1]); ++i)
        add(history_[i], dx.row(b));
      add(items_[row], dx.row(b) + 3);
    }
    const Index lane_ends[] = {batch_ / 2, batch_};
    optimizer_.collect(batch, lane_ends, nullptr);
    optimizer_.move({.number = ++steps_}, nullptr);
    std::vector<std::uint64_t> seen = history_;
    seen.insert(seen.end(), items_.begin(), items_.end());
    slow_.step(gradients, seen);
  }

  // What differs, or nothing.
  std::string compare() {
    std::size_t known = 0;
    std::string wrong;
    tables_.ids(0)->for_each([&](const plait::IdMap::Record& record) {
      ++known;
      const auto found = slow_.ids.find(record.id);
      if (found == slow_.ids.end() || found->second.row != static_cast<Index>(record.row) ||
          found->second.count != static_cast<Index>(record.count) ||
          slow_.now() - found->second.step != static_cast<Index>(record.age))
        wrong = plait::text("id ", record.id, ": row ", record.row, ", seen ", record.count);
    });
    if (!wrong.empty()) return wrong;
    if (known != slow_.ids.size() || known != tables_.ids(0)->size()) return "other ids";
    for (std::size_t r = 0; r < slow_.rows.size(); ++r) {
      if (!std::ranges::equal(tables_.row(0, static_cast<Index>(r)), slow_.rows[r].values))
        return plait::text("values of row ", r);
      if (!std::ranges::equal(optimizer_.state(0).subspan(4 * r, 4), slow_.rows[r].state))
        return plait::text("state of row ", r);
    }
    // What is looked up, of ids that have rows and of others.
    for (std::uint64_t& id : items_) id += static_cast<std::uint64_t>(random_.below(2));
    const std::vector<plait::SparseFeature> features{{items_}, {items_}};
    plait::Tensor<S> x(batch_, 1, 6);
    tables_.lookup({plait::SparseBatch(batch_, features)}, x);
    for (Index b = 0; b < batch_; ++b) {
      const auto& row = slow_.at(slow_.row_of(items_[static_cast<std::size_t>(b)])).values;
      if (!std::equal(row.begin(), row.end(), x.view().row(b))) return "what is looked up";
    }
    return "";
  }

 private:
  void draw() {
    history_.clear();
    items_.clear();
    offsets_.assign(1, 0);
    const auto id = [&] {
      const double rank = std::pow(1 - random_.uniform(), -1.1);
      const double drift = static_cast<double>(steps_ / 40);
      return plait::mix64(static_cast<std::uint64_t>((std::min)(rank, 1e6) + drift));
    };
    for (Index b = 0; b < batch_; ++b) {
      items_.push_back(id());
      for (Index i = random_.below(4); i > 0; --i) history_.push_back(id());
      offsets_.push_back(std::ssize(history_));
    }
  }

  plait::EmbeddingTables<S> tables_;
  plait::TableOptimizer<S> optimizer_;
  SlowGrowingTable<S> slow_;
  Index batch_;
  Index steps_ = 0;
  plait::Random random_{5};
  std::vector<std::uint64_t> history_, items_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace sparse_test
