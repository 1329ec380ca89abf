// What the tests of layers that draw share: a worked example in both scalars, and reach over many
// draws.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/network.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"

namespace worked {

using namespace plait;
using fixtures::Json;

template <class Scalar>
struct Example {
  template <class D>
  Example(const std::string& name, const D& description)
      : fixture(fixtures::load(name)),
        built(testing::build<Scalar>(1, Trunk<Scalar>(description))),
        x(fixtures::tensor<Scalar>(fixture.at("inputs").at("x"))),
        y(x.batch(), 2, 2),
        dx(x.batch(), 1, 2),
        grad(built.theta.shared_table()) {}

  std::span<Scalar> values(const std::string& parameter) { return built.theta.of(parameter); }
  std::span<Scalar> gradient(const std::string& parameter) { return grad.of(parameter); }
  void set(const std::string& parameter, const Json& numbers) {
    const Json flat = numbers.flatten();
    const auto to = values(parameter);
    REQUIRE(flat.size() == to.size());
    std::size_t k = 0;
    each(numbers, [&](double number) { to[k++] = static_cast<Scalar>(number); });
  }
  template <class F>
  static void each(const Json& numbers, const F& take) {
    if (numbers.is_array())
      for (const Json& below : numbers) each(below, take);
    else
      take(numbers.get<double>());
  }
  void set_network(const std::string& name, const Json& layer) {
    set(name + ".mlp_net.0.weight", layer.at(0).at("W"));
    set(name + ".mlp_net.0.bias", layer.at(0).at("b"));
  }
  void check_network(const std::string& name, const Json& layer) {
    check(gradient(name + ".mlp_net.0.weight"), layer.at(0).at("W"));
    check(gradient(name + ".mlp_net.0.bias"), layer.at(0).at("b"));
  }
  void check(std::span<const Scalar> got, const Json& wanted) {
    const double most = std::is_same_v<Scalar, double> ? 1e-10 : 1e-5;
    std::size_t k = 0;
    each(wanted, [&](double number) {
      CHECK(std::abs(got[k++] - number) <= most * (std::max)(1.0, std::abs(number)));
    });
    CHECK(k == got.size());
  }

  void forward(const ForwardOptions& options) {
    built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch, options);
  }
  void backward() {
    const auto dy = fixtures::tensor<Scalar>(fixture.at("inputs").at("d_out"));
    built.layer.backward(built.theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace,
                         grad.grad(), scratch);
  }
  void check_y(const std::string& output) { check(flat(y), fixture.at("outputs").at(output)); }
  static std::vector<Scalar> flat(const Tensor<Scalar>& tensor) {
    std::vector<Scalar> result;
    const auto view = tensor.view();
    for (Index b = 0; b < view.batch(); ++b)
      for (Index s = 0; s < view.slots(); ++s)
        result.insert(result.end(), view.row(b, s), view.row(b, s) + view.dim());
    return result;
  }

  Json fixture;
  testing::Built<Network<Scalar>> built;
  Tensor<Scalar> x, y, dx;
  ParamBuffer<Scalar> grad;
  typename Network<Scalar>::Workspace workspace;
  Scratch scratch;
};

// y of 4 rows.
inline std::vector<double> output(const testing::Built<Network<double>>& built,
                                  const ForwardOptions& options = {}) {
  Tensor<double> y(4, built.layer.out_shape().slots, built.layer.out_shape().dim);
  Scratch scratch;
  const auto x = built.input(4);
  built.layer.forward(built.theta.view(), x.view(), y.view(), nullptr, scratch, options);
  return Example<double>::flat(y);
}

// Over many draws a task moves what reach says, and nothing else. `rowwise` begins the names of
// parameters of which a task has rows. Two tasks of width 3, inputs of 5.
inline void check_reach_over_draws(testing::Built<Network<double>> built,
                                   const std::string& rowwise) {
  for (const auto& entry : built.theta.table().entries())  // no unit is off
    if (entry.name.ends_with(".bias"))
      for (double& b : built.theta.of(entry.id)) b += 5;
  const auto x = built.input(6), dy = built.output(6);
  Scratch scratch;
  for (std::size_t task = 0; task < 2; ++task) {
    bool live[2] = {task == 0, task == 1}, live_in[1] = {false};
    std::vector<bool> reached(built.theta.flat().size()), moved(reached.size());
    built.layer.reach(
        live, live_in,
        [&](const ParamRange& range) {
          for (Index i = 0; i < range.size; ++i)
            reached[static_cast<std::size_t>(range.offset + i)] = true;
        },
        scratch);
    CHECK(live_in[0]);
    for (Index step = 0; step < 200; ++step) {
      Tensor<double> y(6, 2, 3), dx(6, 1, 5);
      Network<double>::Workspace workspace;
      ParamBuffer<double> grad(built.theta.shared_table());
      built.layer.forward(built.theta.view(), x.view(), y.view(), &workspace, scratch,
                          {.draws = {.seed = 2, .step = step}});
      built.layer.backward(built.theta.view(), x.view(), y.view(), dy.view(), dx.view(), workspace,
                           grad.grad(), scratch, live);
      for (std::size_t i = 0; i < moved.size(); ++i)
        if (grad.flat()[i] != 0) moved[i] = true;
    }
    // Those row by row, what else there is as a whole: a unit may be off.
    for (const auto& entry : built.theta.table().entries()) {
      const bool in_rows = entry.name.starts_with(rowwise);
      const Index step = in_rows ? entry.id.cols : entry.id.size();
      for (Index first = 0; first < entry.id.size(); first += step) {
        const auto begin = static_cast<std::ptrdiff_t>(entry.id.offset + first);
        const auto any = [&](const std::vector<bool>& flags) {
          return std::count(flags.begin() + begin, flags.begin() + begin + step, true);
        };
        INFO(entry.name << " from " << first << " on");
        CHECK((any(moved) > 0) == (any(reached) > 0));
        CHECK((any(reached) == 0 || any(reached) == step));
      }
    }
  }
}

}  // namespace worked
