// Gradient check: a backward pass against finite differences of the forward pass, in double.
//
// The output is projected to a scalar, L = Σ_i r_i y_i with random r. Every number v of the input
// and of each parameter tensor is moved by multiples of h = step · max(1, |v|):
//
//   numeric = [8 (L(v+h) - L(v-h)) - (L(v+2h) - L(v-2h))] / 12h        truncation h⁴ L⁽⁵⁾ / 30
//
// Errors are relative to the tensor's largest numeric entry, or to a hundredth of the largest of
// all tensors where that is larger (a tensor may have no gradient at all).
//
// A kink (ReLU) near v spoils the difference. It shows in the values of L alone: with
// S_k = L(v+kh) + L(v-kh) - 2 L(v) and A_k = L(v+kh) - L(v-kh), the combinations S_2 - 4 S_1 and
// A_3 - 4 A_2 + 5 A_1 are O(h⁴) and O(h⁵) where L is smooth, while a jump J of the slope inside
// [v-2h, v+2h] leaves at least J h / 4 in one of them wherever it matters. Such entries are
// excluded and counted. Agreement with the analytic gradient plays no part in that.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/layer.hpp"
#include "plait/testing/data.hpp"

namespace plait::testing {

struct GradientOptions {
  double tolerance = 1e-7;
  double step = 1e-4;
  double max_kink_share = 0.1;  // of all entries; beyond it the check fails
  std::uint64_t seed = 1;       // of the projection
};

// One entry of a gradient; index counts row-major within its tensor ("x" is the input).
struct GradientEntry {
  std::string tensor;
  Index index = 0;
  double analytic = 0;
  double numeric = 0;
  double error = 0;  // relative; infinite when not a number
};

struct GradientReport {
  GradientOptions options;
  GradientEntry worst;
  Index compared = 0;
  Index kinks = 0;                  // excluded
  std::vector<std::string> unseen;  // tensors of which every entry was excluded

  bool passed() const {
    return compared > 0 && unseen.empty() && worst.error <= options.tolerance &&
           static_cast<double>(kinks) <=
               options.max_kink_share * static_cast<double>(compared + kinks);
  }
  std::string text() const {
    std::string result =
        plait::text(passed() ? "passed" : "failed", ": worst ", worst.tensor, "[", worst.index,
                    "] analytic ", worst.analytic, ", numeric ", worst.numeric, ", relative error ",
                    worst.error, ", tolerance ", options.tolerance, "; ", compared,
                    " entries compared, ", kinks, " at kinks excluded");
    for (const auto& tensor : unseen) result += "; nothing left of " + tensor;
    return result;
  }
};

// The check of any scalar function, tensor by tensor. check_gradients applies it to layers; losses
// and functions that differentiate in part (a stop-gradient) use it directly.
class GradientCheck {
 public:
  explicit GradientCheck(const GradientOptions& options = {}) : options_(options) {}

  // loss() is evaluated while `values`, on which it depends, are moved in place one at a time.
  template <class Loss>
  void compare(const std::string& tensor, std::span<double> values,
               std::span<const double> analytic, const Loss& loss) {
    PLAIT_ASSERT(values.size() == analytic.size());
    const double here = loss();
    Differences result{tensor, {}, 0};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = values[i];
      const double h = options_.step * (std::max)(1.0, std::abs(value));
      double sum[4] = {};         // S_k
      double difference[4] = {};  // A_k
      for (int k = 1; k <= 3; ++k) {
        values[i] = value + k * h;
        const double above = loss();
        values[i] = value - k * h;
        const double below = loss();
        sum[k] = above + below - 2 * here;
        difference[k] = above - below;
      }
      values[i] = value;
      const double numeric = (8 * difference[1] - difference[2]) / (12 * h);
      const double roughness =
          (std::max)(std::abs(sum[2] - 4 * sum[1]),
                     std::abs(difference[3] - 4 * difference[2] + 5 * difference[1])) /
          h;
      result.entries.push_back({analytic[i], numeric, roughness});
      result.scale = (std::max)(result.scale, std::abs(numeric));
    }
    tensors_.push_back(std::move(result));
  }

  GradientReport report() const {
    double largest = 0;
    for (const auto& tensor : tensors_) largest = (std::max)(largest, tensor.scale);
    GradientReport result{options_, {}, 0, 0, {}};
    for (const auto& tensor : tensors_) {
      const double scale = (std::max)(tensor.scale, largest / 100);
      bool seen = tensor.entries.empty();
      for (std::size_t i = 0; i < tensor.entries.size(); ++i) {
        const Entry& entry = tensor.entries[i];
        if (entry.roughness > options_.tolerance / 2 * scale) {
          ++result.kinks;
          continue;
        }
        seen = true;
        ++result.compared;
        const double error = relative(std::abs(entry.analytic - entry.numeric), scale);
        if (result.compared == 1 || error > result.worst.error)
          result.worst = {tensor.name, static_cast<Index>(i), entry.analytic, entry.numeric, error};
      }
      if (!seen) result.unseen.push_back(tensor.name);
    }
    return result;
  }

 private:
  struct Entry {
    double analytic;
    double numeric;
    double roughness;
  };
  struct Differences {
    std::string name;
    std::vector<Entry> entries;
    double scale;  // largest |numeric|
  };

  static double relative(double difference, double scale) {
    if (difference == 0) return 0;
    const double error = difference / scale;
    return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }

  GradientOptions options_;
  std::vector<Differences> tensors_;
};

// Random weights of the projection, away from zero so that no output goes unchecked.
inline Tensor<double> random_projection(Index batch, Shape shape, Random& random) {
  Tensor<double> result(batch, shape.slots, shape.dim);
  for (double& r : flat(result)) r = (random.below(2) == 0 ? 1 : -1) * (0.5 + random.uniform());
  return result;
}

// Σ_i r_i (y_i - y0_i). Subtracting the unmoved output y0 first keeps the digits that a sum over a
// whole batch would lose.
inline double project(ConstView3<double> r, ConstView3<double> y, ConstView3<double> y0) {
  double total = 0;
  for (Index b = 0; b < y.batch(); ++b)
    for (Index s = 0; s < y.slots(); ++s)
      for (Index d = 0; d < y.dim(); ++d) total += r(b, s, d) * (y(b, s, d) - y0(b, s, d));
  return total;
}

// Checks the gradients of x and of every parameter of theta's table. x is [batch, in_shape()] with
// at least one sample.
template <Layer L>
requires std::same_as<typename L::Scalar, double> GradientReport
check_gradients(const L& layer, const ParamBuffer<double>& theta, View3<const double> x,
                const GradientOptions& options = {}) {
  const Index batch = x.batch();
  const Shape in = layer.in_shape();
  const Shape out = layer.out_shape();
  ParamBuffer<double> values = theta;
  ParamBuffer<double> grad(theta.shared_table());
  Tensor<double> input(batch, in.slots, in.dim);
  Tensor<double> dx(batch, in.slots, in.dim);
  Tensor<double> y0(batch, out.slots, out.dim);
  Tensor<double> y(batch, out.slots, out.dim);
  Random random(options.seed);
  Tensor<double> r = random_projection(batch, out, random);
  typename L::Workspace workspace;
  Scratch scratch;

  for (Index s = 0; s < in.slots; ++s) input.view().of_slot(s) = x.of_slot(s);
  layer.forward(values, input, y0, &workspace, scratch);
  layer.backward(values, input, y0, r, dx, workspace, grad, scratch);

  const auto loss = [&] {
    layer.forward(values, input, y, nullptr, scratch);
    return project(r, y, y0);
  };
  GradientCheck check(options);
  check.compare("x", flat(input), flat(dx), loss);
  for (const auto& entry : theta.table().entries())
    check.compare(entry.name, values.of(entry.id), grad.of(entry.id), loss);
  return check.report();
}

}  // namespace plait::testing
