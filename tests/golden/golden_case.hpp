// One golden file: outputs of the public PyTorch reference (facebookresearch/AdaTT mtl_lib.py,
// PyTorch 1.13, float64), or of torch.nn.EmbeddingBag before it, and what they were computed from.
//
// module.*:   a module. x, y, upstream dy, dx; param.<name>, grad.<name>.
// training.*: a model trained for some steps. x [steps, B, D], labels and mask [steps, B, T], the
//             first step's logits [B, T] and grad.<name>, losses [steps]; param.<name> before and
//             final.<name> after.
// embeddings.*: a model trained from ids; see embeddings_case.hpp.
// Metadata: JSON texts that name the architecture, its sizes and the optimizer.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/core/param_buffer.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/state_dict.hpp"
#include "support/catch.hpp"

namespace golden {

using plait::Index;
using Json = nlohmann::json;

template <class Scalar>
class Case {
 public:
  explicit Case(plait::SafetensorsReader& file) : file_(file) {}

  bool has(const std::string& key) const { return file_.header().meta(key) != nullptr; }
  std::string string(const std::string& key) const {
    const std::string* value = file_.header().meta(key);
    if (value == nullptr) throw std::runtime_error(file_.name() + ": no metadata " + key);
    return *value;
  }
  Json json(const std::string& key) const { return Json::parse(string(key)); }

  // A tensor of rank 1 [n] as [n, 1, 1], of rank 2 [B, D] as [B, 1, D], or of rank 3.
  plait::Tensor<Scalar> tensor(const std::string& name) const {
    const plait::TensorInfo* info = file_.header().find(name);
    if (info == nullptr) throw std::runtime_error(file_.name() + ": no tensor " + name);
    const auto size = [&](std::size_t axis) { return static_cast<Index>(info->shape.at(axis)); };
    const std::size_t rank = info->shape.size();
    plait::Tensor<Scalar> result(size(0), rank == 3 ? size(1) : 1, rank == 1 ? 1 : size(rank - 1));
    file_.read(*info, numbers(result.view()));
    return result;
  }

  // Every parameter's numbers under a prefix: param., grad. or final.
  plait::ParamBuffer<Scalar> parameters(const plait::ParamBuffer<Scalar>& like,
                                        const std::string& prefix) const {
    plait::ParamBuffer<Scalar> result(like.shared_table());
    plait::load_state_dict(file_, result, {.prefix = prefix});
    return result;
  }

  static std::span<Scalar> numbers(plait::View3<Scalar> view) {
    return {view.data(), static_cast<std::size_t>(view.batch() * view.slots() * view.dim())};
  }

 private:
  plait::SafetensorsReader& file_;
};

// Allowed differences: of outputs and losses absolute, of gradients relative to the tensor's
// largest number.
template <class Scalar>
struct Tolerance {
  static constexpr bool exact = sizeof(Scalar) == sizeof(double);
  static constexpr double output = exact ? 1e-12 : 1e-5;
  static constexpr double gradient = exact ? 1e-10 : 1e-5;
  static constexpr double training = exact ? 1e-9 : 1e-5;
};

template <class Scalar>
double largest(std::span<const Scalar> numbers) {
  double result = 0;
  for (const Scalar n : numbers) result = std::max(result, std::abs(static_cast<double>(n)));
  return result;
}

// Fails for NaN too.
template <class Scalar>
void check_close(const std::string& what, std::span<const Scalar> got,
                 std::span<const Scalar> expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::abs(static_cast<double>(got[i]) - double{expected[i]});
    worst = difference <= worst ? worst : difference;
  }
  INFO(what << ": largest difference " << worst);
  CHECK(worst <= tolerance);
}

template <class Scalar>
void check_output(const std::string& what, plait::Tensor<Scalar>& got,
                  plait::Tensor<Scalar>& expected) {
  check_close<Scalar>(what, Case<Scalar>::numbers(got), Case<Scalar>::numbers(expected),
                      Tolerance<Scalar>::output);
}

template <class Scalar>
void check_gradient(const std::string& what, std::span<const Scalar> got,
                    std::span<const Scalar> expected) {
  check_close<Scalar>(what, got, expected, Tolerance<Scalar>::gradient * largest(expected));
}

template <class Scalar>
void check_gradients(const plait::ParamBuffer<Scalar>& got,
                     const plait::ParamBuffer<Scalar>& expected) {
  for (const auto& entry : got.table().entries())
    check_gradient<Scalar>("gradient of " + entry.name, got.of(entry.id), expected.of(entry.id));
}

}  // namespace golden
