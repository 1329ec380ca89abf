// Optimizer steps over one tensor: a small model's number of parameters, and one that no cache
// holds. Bytes: values, gradient and moments are read, all but the gradient written.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contests.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/torch_kernels.hpp"
#include "support/torch_models.hpp"

namespace bench {

namespace {

using Matrix = plait::Matrix<float>;

std::shared_ptr<const plait::ParamTable> table_of(Index parameters) {
  plait::ParamTable table;
  table.add_vector("parameter", parameters, plait::Init::constant(0));
  return std::make_shared<const plait::ParamTable>(std::move(table));
}

template <class Rule>
struct Numbers {
  Numbers(Rule rule, Index parameters)
      : values(table_of(parameters)),
        grad(values.shared_table()),
        optimizer(values.shared_table(), rule),
        start(random_matrix(1, parameters, 1)),
        gradient(random_matrix(1, parameters, 2)) {
    std::copy_n(start.data(), parameters, values.flat().begin());
    std::copy_n(gradient.data(), parameters, grad.flat().begin());
  }
  void step() { optimizer.step(values, grad); }

  plait::ParamBuffer<float> values, grad;
  plait::Optimizer<float> optimizer;
  const Matrix start, gradient;
};

template <class Rule>
Cell update(const std::string& name, Rule rule, Index parameters) {
  const auto ours = std::make_shared<Numbers<Rule>>(rule, parameters);
  const auto moments = static_cast<double>(rule.moment_names().size());
  const double buffer = sizeof(float) * static_cast<double>(parameters);
  Cell cell;
  cell.demand = {.bytes = (3 + 2 * moments) * buffer, .working_set = (2 + moments) * buffer};
  cell.calls.push_back([ours] { ours->step(); });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_optimizer(name, ours->start, ours->gradient);
    for (int step = 0; step < 3; ++step) {
      ours->step();
      theirs.call();
    }
    const Matrix got = Eigen::Map<const Matrix>(ours->values.flat().data(), 1, ours->start.cols());
    require_agreement(name, got, theirs.result(0), 1e-5);
    cell.calls.push_back([theirs] { theirs.call(); });
  }
  return cell;
}

}  // namespace

void add_optimizer_contests() {
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) contestants.push_back("torch");
  const auto add = [&](const std::string& name, auto rule) {
    rule.learning_rate = 1e-3;
    for (const Index parameters : {Index{1} << 20, Index{1} << 24})
      add_contest("optimizer/" + name + "/" + std::to_string(parameters), contestants,
                  [=] { return update(name, rule, parameters); });
  };
  add("SGD", plait::SGD{});
  add("Adam", plait::Adam{});
  add("AdamW", plait::AdamW{});
  add("Adagrad", plait::Adagrad{});
  add("RMSprop", plait::RMSprop{});
}

}  // namespace bench
