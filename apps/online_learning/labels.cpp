#include "labels.hpp"

#include <cstddef>
#include <vector>

namespace online {

void DelayedLabels::add(Index round, const Impressions& impressions) {
  std::map<Index, std::vector<Index>> rows;  // by round
  for (Index b = 0; b < impressions.x.rows(); ++b)
    rows[round + 1 + random_.below(longest_)].push_back(b);
  for (const auto& [at, which] : rows) {
    const auto count = std::ssize(which);
    Impressions chosen{plait::Matrix<float>(count, impressions.x.cols()),
                       plait::Matrix<float>(count, impressions.labels.cols())};
    for (Index i = 0; i < count; ++i) {
      const Index b = which[static_cast<std::size_t>(i)];
      chosen.x.row(i) = impressions.x.row(b);
      chosen.labels.row(i) = impressions.labels.row(b);
    }
    append(waiting_[at], chosen);
  }
}

Impressions DelayedLabels::arrived(Index round) {
  Impressions result;
  while (!waiting_.empty() && waiting_.begin()->first <= round) {
    append(result, waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
  return result;
}

void append(Impressions& to, const Impressions& from) {
  if (from.x.rows() == 0) return;  // and perhaps no columns
  const Index rows = to.x.rows();
  to.x.conservativeResize(rows + from.x.rows(), from.x.cols());
  to.labels.conservativeResize(rows + from.x.rows(), from.labels.cols());
  to.x.bottomRows(from.x.rows()) = from.x;
  to.labels.bottomRows(from.x.rows()) = from.labels;
}

}  // namespace online
