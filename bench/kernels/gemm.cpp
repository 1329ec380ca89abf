// The products of a linear layer at the sizes of the reference model's levels: one expert of the
// first level, all nine as one product, and one of the second.
//
//   forward           y  [B, O] = x Wᵀ
//   input_gradient    dx [B, I] = dy W
//   weight_gradient   dW [O, I] = dyᵀ x
//
// `plait` reads a weight that is packed already for y, as layers do, and as it is for dx;
// `unpacked` packs it on the way, and `eigen` is the product as one expression.
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/contests.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "support/agree.hpp"
#include "support/blas.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"

namespace bench {

namespace {

using Matrix = plait::Matrix<float>;

struct Shape {
  Index rows, inputs, outputs;
};

template <class M>
auto map(M& matrix) {
  using Scalar = std::remove_reference_t<decltype(*matrix.data())>;
  return plait::MatrixMap<Scalar>(matrix.data(), matrix.rows(), matrix.cols(),
                                  Eigen::OuterStride<>(matrix.cols()));
}

// The layer's numbers, and its weight packed.
struct Layer {
  explicit Layer(Shape s)
      : x(random_matrix(s.rows, s.inputs, 1)),
        weight(random_matrix(s.outputs, s.inputs, 2)),
        dy(random_matrix(s.rows, s.outputs, 3)),
        packed(table(s)) {
    packed.pack(plait::ParamView<float>(weight.data()));
  }
  static plait::ParamTable table(Shape s) {
    plait::ParamTable result;
    result.add_weight("weight", s.outputs, s.inputs, plait::Init::constant(0));
    return result;
  }
  const plait::PackedWeight<float>& packed_weight() const { return packed.weights().front(); }

  const Matrix x, weight, dy;
  plait::PackedWeights<float> packed;
  Matrix out;
};

// Calls that compute out = a b, a and b being transposes or not of what is stored, by every peer.
void add_peers(Cell& cell, const std::shared_ptr<Layer>& n, const Matrix& a, bool transpose_a,
               const Matrix& b, bool transpose_b) {
  const Index depth = transpose_a ? a.rows() : a.cols();
  for (const Blas& blas : blas_peers())
    cell.calls.push_back([=, &a, &b, product = blas.product] {
      product(n->out.rows(), n->out.cols(), depth, {a.data(), a.cols(), transpose_a},
              {b.data(), b.cols(), transpose_b}, n->out.data());
    });
}

Cell forward(const std::shared_ptr<Layer>& n) {
  n->out.resize(n->x.rows(), n->weight.rows());
  Cell cell;
  cell.calls = {[n] { plait::kernels::linear<float>(n->x, n->packed_weight(), nullptr, n->out); },
                [n] { plait::kernels::linear<float>(n->x, map(n->weight), nullptr, n->out); },
                [n] { n->out.noalias() = n->x * n->weight.transpose(); }};
  add_peers(cell, n, n->x, false, n->weight, true);
  return cell;
}

Cell input_gradient(const std::shared_ptr<Layer>& n) {
  n->out.resize(n->x.rows(), n->x.cols());
  Cell cell;
  cell.calls = {
      [n] { plait::kernels::linear_backward_input<float>(n->dy, map(n->weight), n->out); },
      [n] { n->out.noalias() = n->dy * n->weight; }};
  add_peers(cell, n, n->dy, false, n->weight, false);
  return cell;
}

Cell weight_gradient(const std::shared_ptr<Layer>& n) {
  n->out.resize(n->weight.rows(), n->weight.cols());
  Cell cell;
  cell.calls = {[n] {
                  n->out.setZero();
                  const plait::GradSlot<float> slot{n->out.data(), n->out.rows(), n->out.cols()};
                  plait::kernels::linear_backward_params<float>(n->x, n->dy, slot, nullptr);
                },
                [n] { n->out.noalias() = n->dy.transpose() * n->x; }};
  add_peers(cell, n, n->dy, true, n->x, false);
  return cell;
}

Cell multiply(const std::string& name, Cell (*product)(const std::shared_ptr<Layer>&), Shape s) {
  const auto n = std::make_shared<Layer>(s);
  Cell cell = product(n);
  const double bytes = sizeof(float) * static_cast<double>(s.rows * s.inputs + s.rows * s.outputs +
                                                           s.inputs * s.outputs);
  cell.demand = {.flops = 2.0 * static_cast<double>(s.rows * s.inputs * s.outputs),
                 .bytes = bytes,
                 .working_set = bytes};
  Matrix expected;
  for (const auto& call : cell.calls) {
    n->out.setConstant(-1);
    call();
    if (expected.size() == 0) expected = n->out;
    require_agreement("gemm/" + name, n->out, expected, 1e-5);
  }
  return cell;
}

}  // namespace

void add_gemm_contests() {
  const auto add = [](const std::string& name, std::vector<std::string> contestants,
                      Cell (*product)(const std::shared_ptr<Layer>&)) {
    for (const Blas& blas : blas_peers()) contestants.push_back(blas.name);
    for (const Index rows : {1, 4, 16, 64, 256, 1024})
      for (const Index outputs : {sizes::second, sizes::first, sizes::experts * sizes::first}) {
        const Shape shape = {rows, sizes::input, outputs};
        add_contest("gemm/" + name + "/" + std::to_string(sizes::input) + "x" +
                        std::to_string(outputs) + "/" + std::to_string(rows),
                    contestants, [=] { return multiply(name, product, shape); });
      }
  };
  add("forward", {"plait", "unpacked", "eigen"}, forward);
  add("input_gradient", {"plait", "eigen"}, input_gradient);
  add("weight_gradient", {"plait", "eigen"}, weight_gradient);
}

}  // namespace bench
