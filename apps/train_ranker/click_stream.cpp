#include "click_stream.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include "plait/core/random.hpp"
#include "plait/core/view.hpp"
#include "zipf.hpp"

namespace ranker {
namespace {

constexpr Index categories = 20;
constexpr Index hours = 24;
constexpr Index affinities = 2;      // shared and disputed
constexpr Index factors = 2;         // of an affinity
constexpr double mean_factor = 0.4;  // m
constexpr double of_category = 0.9;  // what an item's factors have of its category's
constexpr std::size_t most_history = 8;
constexpr double click_rate = 0.30;
constexpr double buy_rate = 0.03;
constexpr std::array<double, 3> noise{0.5, 0.5, 3};  // of click, dwell and buy

using Factors = plait::Matrix<double>;
using Scores = std::array<double, 3>;  // of click, dwell and buy

Factors normals(Index rows, Index columns, plait::Random& random) {
  Factors result(rows, columns);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < columns; ++c) result(r, c) = random.normal();
  return result;
}

// What is planted.
class Tastes {
 public:
  Tastes(const StreamConfig& config, plait::Random& random)
      : users_(normals(config.users, affinities * factors, random)),
        items_(normals(config.items, affinities * factors, random)),
        likings_(normals(config.items, 1, random)),
        log_prices_(0.7 * normals(config.items, 1, random)) {
    const Factors of_categories = normals(categories, affinities * factors, random);
    const double own = std::sqrt(1 - of_category * of_category);
    for (Index item = 0; item < config.items; ++item) {
      category_.push_back(random.below(categories));
      items_.row(item) = of_category * of_categories.row(category_.back()) + own * items_.row(item);
    }
    for (Index c = 0; c < categories; ++c)
      phase_.push_back(2 * std::numbers::pi * random.uniform());
  }

  Index category(Index item) const { return category_[static_cast<std::size_t>(item)]; }
  double price(Index item) const { return std::exp(log_prices_(item, 0)); }

  Scores scores(Index user, Index item, Index hour) const {
    const double shared = affinity(0, user, item);
    const double disputed = affinity(1, user, item);
    const double angle = 2 * std::numbers::pi * static_cast<double>(hour) / hours;
    const double timely = std::cos(angle + phase_[static_cast<std::size_t>(category(item))]);
    return {shared + disputed + 0.3 * likings_(item, 0), shared - disputed + 0.5 * timely,
            shared - 0.5 * disputed + 0.5 * timely};
  }

 private:
  double affinity(Index group, Index user, Index item) const {
    double sum = 0;
    for (Index j = group * factors; j < (group + 1) * factors; ++j)
      sum += (users_(user, j) + mean_factor) * (items_(item, j) + mean_factor) -
             mean_factor * mean_factor;
    return sum / std::sqrt(factors * (1 + 2 * mean_factor * mean_factor));
  }

  Factors users_, items_;         // [ids, groups x factors]
  Factors likings_, log_prices_;  // [items, 1]
  std::vector<Index> category_;   // [items]
  std::vector<double> phase_;     // [categories]
};

// The score from which on the given fraction of the rows that train have a label.
double threshold(const std::vector<Scores>& scores, std::size_t task, Index train_rows,
                 double rate) {
  std::vector<double> train;
  for (Index row = 0; row < train_rows; ++row)
    train.push_back(scores[static_cast<std::size_t>(row)][task]);
  const auto position = static_cast<Index>((1 - rate) * static_cast<double>(train_rows));
  const auto at = train.begin() + std::min(position, train_rows - 1);
  std::ranges::nth_element(train, at);
  return *at;
}

}  // namespace

std::vector<StreamRow> click_stream(const StreamConfig& config) {
  plait::Random random(config.seed);
  const Tastes tastes(config, random);
  const Zipf users(config.users), items(config.items);
  std::vector<StreamRow> rows;
  std::vector<Scores> scores;
  for (Index r = 0; r < config.rows(); ++r) {
    StreamRow row{.user = users.draw(random), .item = items.draw(random)};
    row.hour = random.below(hours);
    row.category = tastes.category(row.item);
    row.price = tastes.price(row.item);
    scores.push_back(tastes.scores(row.user, row.item, row.hour));
    for (std::size_t t = 0; t < noise.size(); ++t) scores.back()[t] += noise[t] * random.normal();
    rows.push_back(std::move(row));
  }
  const double clicked = threshold(scores, 0, config.train_rows, click_rate);
  const double bought = threshold(scores, 2, config.train_rows, buy_rate);
  std::vector<std::vector<Index>> histories(static_cast<std::size_t>(config.users));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    StreamRow& row = rows[r];
    row.click = scores[r][0] >= clicked;
    row.dwell = scores[r][1];
    row.buy = scores[r][2] >= bought;
    auto& history = histories[static_cast<std::size_t>(row.user)];
    row.history = history;
    if (!row.click) continue;
    if (history.size() == most_history) history.erase(history.begin());
    history.push_back(row.item);
  }
  return rows;
}

}  // namespace ranker
