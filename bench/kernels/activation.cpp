// Activations over the outputs of nine experts at batch 256. plait's work in place, so the forward
// pass copies first; LibTorch's write elsewhere.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/contests.hpp"
#include "plait/kernels/activation.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/torch_kernels.hpp"
#include "support/torch_models.hpp"

namespace bench {

namespace {

using Matrix = plait::Matrix<float>;
using plait::Activation;

constexpr Index rows = 256;
constexpr Index columns = sizes::experts * sizes::first;

struct Numbers {
  const Matrix x = random_matrix(rows, columns, 1);
  const Matrix dy = random_matrix(rows, columns, 2);
  Matrix y = x;
  double bytes() const { return sizeof(float) * static_cast<double>(x.size()); }
};

Cell forward(Activation kind, const std::string& name) {
  const auto n = std::make_shared<Numbers>();
  Cell cell;
  cell.demand = {.bytes = 2 * n->bytes(), .working_set = 2 * n->bytes()};
  cell.calls.push_back([n, kind] {
    n->y = n->x;
    plait::kernels::activate<float>(kind, n->y);
  });
  if constexpr (has_torch) {
    const TorchCall theirs = torch_activation(name, n->x);
    cell.calls.front()();
    theirs.call();
    require_agreement(name, n->y, theirs.result(0), 1e-5);
    cell.calls.push_back([n, theirs] { theirs.call(); });
  }
  return cell;
}

Cell backward(Activation kind) {
  const auto n = std::make_shared<Numbers>();
  Cell cell;
  cell.demand = {.bytes = 3 * n->bytes(), .working_set = 3 * n->bytes()};
  cell.calls.push_back(
      [n, kind] { plait::kernels::activate_backward<float>(kind, n->x, n->dy, n->y); });
  return cell;
}

}  // namespace

void add_activation_contests() {
  std::vector<std::string> contestants = {"plait"};
  if constexpr (has_torch) contestants.push_back("torch");
  const std::pair<Activation, const char*> activations[] = {{Activation::relu, "relu"},
                                                            {Activation::gelu, "gelu"},
                                                            {Activation::silu, "silu"},
                                                            {Activation::tanh, "tanh"},
                                                            {Activation::sigmoid, "sigmoid"}};
  for (const auto& [kind, name] : activations) {
    const std::string cell = std::string(name) + "/" + std::to_string(rows * columns);
    add_contest("activation/forward/" + cell, contestants,
                [kind = kind, name = name] { return forward(kind, name); });
    add_contest("activation/backward/" + cell, {"plait"}, [kind = kind] { return backward(kind); });
  }
}

}  // namespace bench
