// Trains a model in the background and publishes copies of it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "labels.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/serve/live.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"

namespace online {

using Published = plait::Live<plait::Scorer<float>>;

struct LearnerOptions {
  double learning_rate = 2e-3;
  Index batch = 128;        // rows of a step
  Index publish_every = 8;  // steps
};

// One thread uses it. `live` must outlive it.
class Learner {
 public:
  Learner(plait::Model<float> model, const LearnerOptions& options, Published& live);
  // Ends what is under way.
  ~Learner();
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  // Trains on the rows in the background, in whole batches; the rest stays for the next call. Waits
  // for the call before.
  void train(const Impressions& rows);
  // Until what was handed over has been trained on, and published where it is time to.
  void wait();
  // A step is under way, or about to be.
  bool busy() const { return busy_; }

  Index steps() const { return steps_; }  // after wait()

 private:
  void work();
  void train_now();

  plait::Model<float> model_;
  LearnerOptions options_;
  plait::Trainer<float> trainer_;
  Published& live_;
  Impressions rows_;
  Index steps_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> busy_{false};  // written under mutex_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace online
