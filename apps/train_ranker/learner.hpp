// A model and its trainer with the architecture's type erased, so that one training loop serves
// all architectures and each is compiled in a file of its own.
#pragma once
#include <span>
#include <string>

#include "dataset.hpp"
#include "plait/core/view.hpp"
#include "plait/inspect/expert_report.hpp"
#include "plait/io/checkpoint.hpp"

namespace ranker {

class Learner {
 public:
  virtual ~Learner() = default;

  virtual Index num_parameters() const = 0;
  // One optimizer step on x [batch, 1, input], labels [batch, 1, task]; returns the batch's loss,
  // before any method weighs it.
  virtual double step(plait::View3<const float> x, plait::View3<const float> labels) = 0;
  // After the last step of an epoch.
  virtual void end_epoch() = 0;
  // Writes logits [batch, 1, task].
  virtual void score(plait::View3<const float> x, plait::View3<float> logits) = 0;
  // What the present weights' gates and experts do on these rows.
  virtual plait::ExpertReport watch_experts(const Features& features,
                                            std::span<const Index> rows) const = 0;
  // Remembers the present weights, and returns to the remembered ones.
  virtual void keep() = 0;
  virtual void restore() = 0;

  // Weights, optimizer state and remembered weights to a checkpoint, with `progress`, and back.
  // progress.best counts when it is set; its values are the remembered weights.
  virtual void save_checkpoint(plait::Checkpoints& checkpoints,
                               plait::Progress<float>& progress) const = 0;
  virtual plait::Resumed resume(const plait::Checkpoints& checkpoints,
                                plait::Progress<float>& progress) = 0;
  // The state of the balancing method, from a checkpoint of a run with the same one.
  virtual void resume_method(const plait::Progress<float>& progress) = 0;
  // Writes a model file (plait/io/model_file.hpp) with some rows x to test it when it is loaded.
  virtual void save(const std::string& path, plait::View3<const float> x) const = 0;
};

}  // namespace ranker
