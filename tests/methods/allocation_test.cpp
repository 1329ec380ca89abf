// No step of any method allocates, from the first on, whatever the gradients and losses.
#include <memory>
#include <span>
#include <vector>

#include "methods/all_methods.hpp"
#include "methods/support.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/gradient_cosines.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using methods_test::for_each_balancing_method;
using methods_test::for_each_weighting_method;
using plait::Index;
using plait::ParamBuffer;

namespace {

// Allocations during a call.
template <class Function>
std::size_t count(const Function& function) {
  const std::size_t before = allocations::count();
  function();
  return allocations::count() - before;
}

// Gradients of every kind in two shared ranges, and numbers that no two tasks share beside them.
template <class Scalar>
struct Steps {
  std::shared_ptr<plait::ParamTable> table = std::make_shared<plait::ParamTable>();
  plait::ParamId first, own, second;
  std::vector<plait::ParamRange> shared;
  std::vector<std::vector<ParamBuffer<Scalar>>> gradients;
  std::vector<double> losses;

  explicit Steps(Index tasks) {
    first = table->add_vector("first", tasks + 3, plait::Init::constant(0));
    own = table->add_vector("own", 5, plait::Init::constant(0));
    second = table->add_vector("second", 700, plait::Init::constant(0));
    shared = {{first.offset, first.size()}, {second.offset, second.size()}};
    plait::Random random(8);
    for (const auto kind : methods_test::all_kinds) {
      auto& step =
          gradients.emplace_back(static_cast<std::size_t>(tasks), ParamBuffer<Scalar>(table));
      const Eigen::MatrixXd g =
          tasks == 1 ? Eigen::MatrixXd::Ones(1, 1)
                     : Eigen::MatrixXd(methods_test::random_gradients(kind, tasks, random));
      for (Index t = 0; t < tasks; ++t)
        for (Index i = 0; i < g.cols(); ++i)
          step[std::size_t(t)].of(first)[std::size_t(i)] = static_cast<Scalar>(g(t, i));
    }
    gradients.emplace_back(static_cast<std::size_t>(tasks), ParamBuffer<Scalar>(table));  // zeros
    for (Index t = 0; t < tasks; ++t) losses.push_back(0.1 + random.uniform());
  }
};

template <class Scalar>
void check_combining(Index tasks) {
  for_each_balancing_method([&](const char* name, const auto& method) {
    INFO(name << ", " << tasks << " tasks");
    Steps<Scalar> steps(tasks);
    plait::GradientBalancer<Scalar> balancer(method, tasks, steps.table, steps.shared);
    ParamBuffer<Scalar> out(steps.table);
    for (auto& gradients : steps.gradients)
      CHECK(count([&] { balancer.combine(gradients, steps.losses, out); }) == 0);
    CHECK(balancer.state().steps == std::ssize(steps.gradients));
  });
}

}  // namespace

TEST_CASE("combining the tasks' gradients allocates nothing") {
  for (const Index tasks : {1, 2, 3, 9, 40}) check_combining<double>(tasks);
  for (const Index tasks : {3, 40}) check_combining<float>(tasks);
}

TEST_CASE("weighing a Gramian allocates nothing") {
  plait::Random random(5);
  for (const Index tasks : {2, 7, 33})
    for_each_balancing_method([&](const char* name, const auto& method) {
      INFO(name << ", " << tasks << " tasks");
      const Steps<float> steps(tasks);
      plait::GradientBalancer<float> balancer(method, tasks, steps.table, steps.shared);
      if (balancer.transforms()) return;
      for (const auto kind : methods_test::all_kinds) {
        const Eigen::MatrixXd g = methods_test::random_gradients(kind, tasks, random);
        const Eigen::MatrixXd gramian = g * g.transpose();
        CHECK(count([&] { balancer.weigh(gramian, steps.losses); }) == 0);
      }
    });
}

TEST_CASE("weighting losses allocates nothing") {
  for_each_weighting_method([](const char* name, const auto& method) {
    INFO(name);
    plait::LossWeighting weighting(method, 3);
    for (const std::vector<double>& losses :
         {std::vector<double>{1, 2, 3}, {0, 0, 0}, {0.5, 0, 4}, {2, 1, 1}}) {
      const std::vector<double> norms{1, 0.5, 2};
      CHECK(count([&] {
              weighting.weigh(losses);
              weighting.update(losses, norms, losses);
              weighting.end_epoch();
            }) == 0);
    }
  });
}

TEST_CASE("a copy allocates in its first step and then no more") {
  Steps<double> steps(3);
  const plait::GradientBalancer<double> original(plait::CAGrad{}, 3, steps.table, steps.shared);
  auto copy = original;
  ParamBuffer<double> out(steps.table);
  CHECK(count([&] { copy.combine(steps.gradients[0], steps.losses, out); }) > 0);  // it counts
  CHECK(count([&] { copy.combine(steps.gradients[1], steps.losses, out); }) == 0);
}

TEST_CASE("watching the gradients' cosines allocates in the first step alone") {
  const Steps<float> steps(3);
  plait::GradientCosines cosines(3);
  const std::span<const ParamBuffer<float>> gradients = steps.gradients[0];
  cosines.add(gradients, std::span<const plait::ParamRange>(steps.shared));
  CHECK(count([&] { cosines.add(gradients, std::span<const plait::ParamRange>(steps.shared)); }) ==
        0);
}
