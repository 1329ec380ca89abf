// Labels that come later than their impressions.
#pragma once
#include <cstdint>
#include <map>

#include "plait/core/random.hpp"
#include "stream.hpp"

namespace online {

class DelayedLabels {
 public:
  // An impression's labels come 1 to `longest` rounds after it, each as likely.
  DelayedLabels(Index longest, std::uint64_t seed) : longest_(longest), random_(seed) {}

  void add(Index round, const Impressions& impressions);
  // The impressions whose labels have come by the end of a round, and were not asked for before.
  Impressions arrived(Index round);

 private:
  Index longest_;
  plait::Random random_;
  std::map<Index, Impressions> waiting_;  // by the round at whose end they come
};

// The rows of both, one after the other.
void append(Impressions& to, const Impressions& from);

}  // namespace online
