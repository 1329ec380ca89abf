// The products of a linear layer at the sizes of the reference model's levels: one expert of the
// first level, all nine as one product, and one of the second.
//
//   forward           y  [B, O] = x Wᵀ
//   input_gradient    dx [B, I] = dy W
//   weight_gradient   dW [O, I] = dyᵀ x
//
// `plait` is what layers call; `eigen` the same as one Eigen expression.
#include <memory>
#include <string>
#include <vector>

#include "kernels/contests.hpp"
#include "plait/kernels/linear.hpp"
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

// out [m, n] = a b for all contestants; a and b are transposes or not of what is stored.
struct Product {
  std::string name;
  bool transpose_a, transpose_b;
  void (*plait)(const Matrix& a, const Matrix& b, Matrix& out);
  void (*eigen)(const Matrix& a, const Matrix& b, Matrix& out);
};

plait::MatrixMap<const float> map(const Matrix& matrix) {
  return {matrix.data(), matrix.rows(), matrix.cols(), Eigen::OuterStride<>(matrix.cols())};
}

const Product forward = {
    "forward", false, true,
    [](const Matrix& x, const Matrix& weight, Matrix& y) {
      plait::linear<float>(x, map(weight), nullptr, y);
    },
    [](const Matrix& x, const Matrix& weight, Matrix& y) { y.noalias() = x * weight.transpose(); }};

const Product input_gradient = {
    "input_gradient", false, false,
    [](const Matrix& dy, const Matrix& weight, Matrix& dx) {
      plait::linear_backward_input<float>(dy, map(weight), dx);
    },
    [](const Matrix& dy, const Matrix& weight, Matrix& dx) { dx.noalias() = dy * weight; }};

const Product weight_gradient = {
    "weight_gradient", true, false,
    [](const Matrix& dy, const Matrix& x, Matrix& dweight) {
      dweight.setZero();
      plait::linear_backward_params<float>(
          x, dy,
          {dweight.data(), dweight.rows(), dweight.cols(), Eigen::OuterStride<>(dweight.cols())},
          nullptr);
    },
    [](const Matrix& dy, const Matrix& x, Matrix& dweight) {
      dweight.noalias() = dy.transpose() * x;
    }};

struct Numbers {
  Matrix a, b, out;
};

// The stored operands of each product, and its result.
Numbers numbers_of(const Product& product, Shape s) {
  const Matrix x = random_matrix(s.rows, s.inputs, 1);
  const Matrix weight = random_matrix(s.outputs, s.inputs, 2);
  const Matrix dy = random_matrix(s.rows, s.outputs, 3);
  if (&product == &forward) return {x, weight, Matrix(s.rows, s.outputs)};
  if (&product == &input_gradient) return {dy, weight, Matrix(s.rows, s.inputs)};
  return {dy, x, Matrix(s.outputs, s.inputs)};
}

Cell multiply(const Product& product, Shape shape) {
  const auto n = std::make_shared<Numbers>(numbers_of(product, shape));
  const Index depth = product.transpose_a ? n->a.rows() : n->a.cols();
  const auto size = static_cast<double>(n->a.size() + n->b.size() + n->out.size());
  Cell cell;
  cell.demand = {.flops = 2.0 * static_cast<double>(shape.rows * shape.inputs * shape.outputs),
                 .bytes = sizeof(float) * size,
                 .working_set = sizeof(float) * size};
  cell.calls.push_back([n, f = product.plait] { f(n->a, n->b, n->out); });
  cell.calls.push_back([n, f = product.eigen] { f(n->a, n->b, n->out); });
  for (const Blas& blas : blas_peers())
    cell.calls.push_back(
        [n, depth, f = blas.product, ta = product.transpose_a, tb = product.transpose_b] {
          f(n->out.rows(), n->out.cols(), depth, {n->a.data(), n->a.cols(), ta},
            {n->b.data(), n->b.cols(), tb}, n->out.data());
        });

  Matrix expected;
  for (const auto& call : cell.calls) {
    n->out.setConstant(-1);
    call();
    if (expected.size() == 0) expected = n->out;
    require_agreement("gemm " + product.name, n->out, expected, 1e-5);
  }
  return cell;
}

}  // namespace

void add_gemm_contests() {
  std::vector<std::string> contestants = {"plait", "eigen"};
  for (const Blas& blas : blas_peers()) contestants.push_back(blas.name);
  for (const Product* product : {&forward, &input_gradient, &weight_gradient})
    for (const Index rows : {1, 4, 16, 64, 256, 1024})
      for (const Index outputs : {sizes::second, sizes::first, sizes::experts * sizes::first}) {
        const Shape shape = {rows, sizes::input, outputs};
        add_contest("gemm/" + product->name + "/" + std::to_string(rows) + "x" +
                        std::to_string(sizes::input) + "x" + std::to_string(outputs),
                    contestants, [product, shape] { return multiply(*product, shape); });
      }
}

}  // namespace bench
