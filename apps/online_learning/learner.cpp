#include "learner.hpp"

#include <memory>
#include <utility>

namespace online {

Learner::Learner(plait::Model<float> model, const LearnerOptions& options, Published& live)
    : model_(std::move(model)),
      options_(options),
      trainer_(model_, Stream::heads(), plait::Adam{.learning_rate = options.learning_rate}),
      live_(live),
      thread_([this] { work(); }) {}

Learner::~Learner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Learner::train(const Impressions& rows) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !busy_; });
  append(rows_, rows);
  busy_ = true;
  changed_.notify_all();
}

void Learner::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !busy_; });
}

void Learner::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return busy_ || stopping_; });
    if (!busy_) return;
    lock.unlock();
    train_now();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Learner::train_now() {
  Index first = 0;
  for (; first + options_.batch <= rows_.x.rows(); first += options_.batch) {
    const plait::View3<const float> x = rows_.x;
    const plait::View3<const float> labels = rows_.labels;
    trainer_.step(x.rows(first, options_.batch), labels.rows(first, options_.batch));
    if (++steps_ % options_.publish_every == 0)
      live_.publish(std::make_unique<plait::Scorer<float>>(model_));
  }
  const Index rest = rows_.x.rows() - first;
  rows_ = {plait::Matrix<float>(rows_.x.bottomRows(rest)),
           plait::Matrix<float>(rows_.labels.bottomRows(rest))};
}

}  // namespace online
