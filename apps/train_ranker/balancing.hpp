// Which method keeps the tasks from hurting each other, as it is chosen.
#pragma once
#include <string>
#include <vector>

#include "plait/train/representation.hpp"

namespace ranker {

// A method by its name in loss_weights() or balancers(); at most one of them.
struct Balancing {
  std::string loss_weights{};
  std::string balancer{};
  plait::BalanceAt at = plait::BalanceAt::parameters;  // of a balancer

  bool is_plain() const { return loss_weights.empty() && balancer.empty(); }
  // With -ub (as of MGDA-UB) at the representation.
  std::string name() const {
    if (balancer.empty()) return loss_weights;
    return balancer + (at == plait::BalanceAt::representation ? "-ub" : "");
  }
};

// Weights that a person chooses; one number per task, or none for 1 each.
struct TaskWeights {
  std::vector<double> initial{};  // static and scheduled
  std::vector<double> factor{};   // scheduled: of every epoch
};

}  // namespace ranker
