// The peer: the reference models in LibTorch as its users write them, with plait's numbers.
//
// No header of LibTorch is included here: they take most of a minute to compile, once.
#pragma once
#include <memory>
#include <string>

#include "plait/core/param_buffer.hpp"
#include "plait/core/view.hpp"
#include "support/reference.hpp"

namespace bench {

#ifdef PLAIT_BENCH_TORCH
inline constexpr bool has_torch = true;
#else
inline constexpr bool has_torch = false;
#endif

// LibTorch runs on the calling thread alone from here on. Returns its version. Throws unless its
// matrix product reaches a good part of this peak (floating-point operations per second): over the
// reference BLAS it is twenty times slower than over OpenBLAS, and no peer.
std::string prepare_torch(double peak);

// Scores x, which is read where it lies and must outlive the scorer.
class TorchScorer {
 public:
  enum class Mode {
    eager,   // the module itself, in inference mode
    frozen,  // traced to TorchScript, frozen and optimised for inference
  };

  TorchScorer(Architecture architecture, const plait::ParamBuffer<float>& values, Mode mode,
              const plait::Matrix<float>& x);
  void score();
  // Of the last call, [batch, task].
  plait::Matrix<float> logits() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Trains on one batch with autograd and torch::optim::Adam at plait's defaults. x and labels are
// read where they lie and must outlive the trainer.
class TorchTrainer {
 public:
  TorchTrainer(Architecture architecture, const plait::ParamBuffer<float>& values,
               const plait::Matrix<float>& x, const plait::Matrix<float>& labels);
  // Forward, loss, backward, update; returns the loss before it, summed over tasks.
  double step();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bench
