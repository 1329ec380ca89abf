// A stream scored by two models that start equal: one that goes on learning, and one that stays.
#pragma once
#include <cstdint>
#include <ostream>
#include <vector>

#include "learner.hpp"

namespace online {

struct Options {
  Index impressions = 200000;  // after the first ones
  Index first = 50000;         // on which both models are trained, before anything turns
  Index request = 100;         // rows that are scored together
  Index round = 2000;          // rows between two exchanges with the learner
  Index delay = 5;             // rounds at most until an impression's labels come
  double turn = 1.0;           // radians in all
  Index parts = 10;            // of the stream, a line of the table each
  std::uint64_t seed = 1;
  LearnerOptions learner = {};
};

// Of one model on one task.
struct Quality {
  double auc = 0;
  double normalized_entropy = 0;
};

struct Part {
  Index impressions = 0;                  // so far
  Index versions = 0;                     // published so far
  std::vector<Quality> frozen, learning;  // by task, of the impressions of this part
};

struct Latency {
  Index requests = 0;
  double median = 0;  // seconds
  double p99 = 0;
};

struct Outcome {
  std::vector<Part> parts;
  Part whole;
  Index steps = 0;
  Latency idle, training;  // of scoring a request while the learner rests, and while it trains
};

// Scores every impression once, by both models, before its labels are known; what comes later does
// not change a score (progressive validation, Blum et al., COLT 1999, with delayed labels). Rounds:
// while one is scored with the model as it was published when it began, the learner trains on the
// labels that came before it. A service would not wait for the learner at the end of a round; this
// does, so that all but the latencies depends on the options alone.
Outcome run(const Options& options);

// The outcome as text.
void print(const Outcome& outcome, std::ostream& out);

}  // namespace online
