// Rotations: every task's own rotation of one shared representation (RotoGrad, Javaloy and Valera,
// ICLR 2022):
//
//   y_t = R_t x                                       x [batch, 1, dim], y [batch, T, dim]
//
// Parameters: {name}.{t} [dim, dim], the identity at first.
#pragma once
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/core/reach.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/linear.hpp"

namespace plait {

// The rotations are constants of the tasks' losses: backward leaves their gradients as they are,
// and methods/rotograd.hpp trains them, on an objective of their own. Freeze them in the optimizer
// (ParamGroup), whose weight decay would make them shrink.
template <class Scalar_>
class Rotations {
 public:
  using Scalar = Scalar_;
  struct Workspace {};

  // Throws ConfigError for fewer than one task or number.
  Rotations(ParamTable& table, const std::string& name, Index num_tasks, Index dim) : dim_(dim) {
    require_config(num_tasks >= 1, "Rotations", "num_tasks", text(num_tasks), "at least 1");
    require_config(dim >= 1, "Rotations", "dim", text(dim), "at least 1");
    for (Index t = 0; t < num_tasks; ++t)
      rotations_.push_back(
          table.add_matrix(join_name(name, text(t)), dim, dim, Init::diagonal(1, 0)));
  }

  Shape in_shape() const { return {1, dim_}; }
  Shape out_shape() const { return {std::ssize(rotations_), dim_}; }
  // Of R_t, in any buffer over the table.
  ParamId rotation(Index t) const { return rotations_[static_cast<std::size_t>(t)]; }

  // As core/reach.hpp has it: the rotations get no gradient.
  bool reach(Flags live, std::span<bool> live_in, MarkRange, Scratch&) const {
    live_in[0] = std::ranges::any_of(live, std::identity());
    return true;
  }

  void forward(ParamView<Scalar> theta, View3<const Scalar> x, View3<Scalar> y, Workspace*,
               Scratch&) const {
    for (Index t = 0; t < y.slots(); ++t)
      kernels::linear(x, theta.matrix(rotation(t)), nullptr, y.slot(t));
  }
  // Reverses y_t = R_t x: dx = Σ_t R_tᵀ dy_t. To have the tasks' cotangents of x apart, give it one
  // dy at a time, the others zero.
  void backward(ParamView<Scalar> theta, View3<const Scalar>, View3<const Scalar>,
                View3<const Scalar> dy, View3<Scalar> dx, const Workspace&, GradView<Scalar>,
                Scratch&, Flags live = {}) const {
    if (!dx) return;
    kernels::set_zero(dx);
    for (Index t = 0; t < dy.slots(); ++t) {
      if (!live.empty() && !live[static_cast<std::size_t>(t)]) continue;
      kernels::linear_backward_input(dy.slot(t), theta.matrix(rotation(t)), dx, /*adds=*/true);
    }
  }

 private:
  Index dim_;
  std::vector<ParamId> rotations_;
};

static_assert(TellsReach<Rotations<float>>);

}  // namespace plait
