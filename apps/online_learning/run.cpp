#include "run.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "labels.hpp"
#include "plait/architectures/adatt.hpp"
#include "plait/metrics/auc.hpp"
#include "plait/metrics/log_loss.hpp"

namespace online {
namespace {

using Clock = std::chrono::steady_clock;

// Metrics of every task.
class Meter {
 public:
  void add(const plait::Matrix<float>& logits, plait::View3<const float> labels) {
    tasks_.resize(static_cast<std::size_t>(logits.cols()));
    for (Index b = 0; b < logits.rows(); ++b)
      for (Index t = 0; t < logits.cols(); ++t) {
        Task& task = tasks_[static_cast<std::size_t>(t)];
        task.auc.add(logits(b, t), labels.row(b)[t]);
        task.loss.add_logit(logits(b, t), labels.row(b)[t]);
      }
  }
  std::vector<Quality> values() const {
    std::vector<Quality> result;
    for (const Task& task : tasks_)
      result.push_back({task.auc.value(), task.loss.normalized_entropy()});
    return result;
  }

 private:
  struct Task {
    plait::AUC auc;
    plait::LogLoss loss;
  };
  std::vector<Task> tasks_;
};

Latency latency(std::vector<double> seconds) {
  if (seconds.empty()) return {};
  std::ranges::sort(seconds);
  const auto last = static_cast<double>(seconds.size() - 1);
  const auto at = [&](double share) { return seconds[static_cast<std::size_t>(share * last)]; };
  return {std::ssize(seconds), at(0.5), at(0.99)};
}

plait::Model<float> first_model(const Options& options, Stream& stream) {
  plait::Model<float> model(plait::AdaTT{.input_dim = Stream::inputs,
                                         .num_tasks = std::ssize(Stream::heads()),
                                         .levels = {{32}, {16}},
                                         .task_experts = {2}},
                            {.hidden = {{8}}}, options.seed);
  plait::Trainer trainer(model, Stream::heads(),
                         plait::Adam{.learning_rate = options.learner.learning_rate});
  for (Index rows = 0; rows < options.first; rows += options.learner.batch) {
    const Impressions batch = stream.next(options.learner.batch, 0);
    trainer.step(batch.x, batch.labels);
  }
  return model;
}

}  // namespace

Outcome run(const Options& options) {
  Stream stream(options.seed);
  const plait::Model<float> first = first_model(options, stream);
  const plait::Scorer frozen(first);
  auto frozen_context = frozen.context();
  Published live(std::make_unique<plait::Scorer<float>>(first));
  auto reader = live.reader();
  Learner learner(first, options.learner, live);
  DelayedLabels labels(options.delay, options.seed + 1);

  const Index tasks = std::ssize(Stream::heads());
  plait::Matrix<float> by_frozen(options.request, tasks);
  plait::Matrix<float> by_learning(options.request, tasks);
  std::vector<double> idle;
  std::vector<double> training;
  Outcome outcome;
  Meter whole[2];
  Meter part[2];
  const Index rounds = options.impressions / options.round;
  const Index requests = options.round / options.request;
  const double turn = options.turn / static_cast<double>(rounds * options.round);
  const auto summary = [&](Index round, const Meter(&meters)[2]) {
    return Part{(round + 1) * options.round, static_cast<Index>(live.version()), meters[0].values(),
                meters[1].values()};
  };

  for (Index round = 0; round < rounds; ++round) {
    const Impressions impressions = stream.next(options.round, turn);
    const plait::View3<const float> x = impressions.x;
    const plait::View3<const float> y = impressions.labels;
    {
      const auto model = reader.read();  // stays, whatever the learner publishes meanwhile
      auto context = model->context();
      learner.train(labels.arrived(round));
      for (Index i = 0; i < requests; ++i) {
        const auto request = x.rows(i * options.request, options.request);
        const bool busy_before = learner.busy();
        const auto start = Clock::now();
        context.score(request, by_learning);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (learner.busy() == busy_before) (busy_before ? training : idle).push_back(seconds);

        frozen_context.score(request, by_frozen);
        const auto known_later = y.rows(i * options.request, options.request);
        for (Meter(*meters)[2] : {&whole, &part}) {
          (*meters)[0].add(by_frozen, known_later);
          (*meters)[1].add(by_learning, known_later);
        }
      }
    }
    labels.add(round, impressions);
    learner.wait();
    if ((round + 1) * options.parts / rounds != round * options.parts / rounds) {
      outcome.parts.push_back(summary(round, part));
      for (Meter& meter : part) meter = {};
    }
  }
  outcome.whole = summary(rounds - 1, whole);
  outcome.steps = learner.steps();
  outcome.idle = latency(std::move(idle));
  outcome.training = latency(std::move(training));
  return outcome;
}

void print(const Outcome& outcome, std::ostream& out) {
  const auto heads = Stream::heads();
  char text[128];
  const auto write = [&](const char* format, auto... values) {
    std::snprintf(text, sizeof text, format, values...);
    out << text;
  };
  out << "Normalized entropy (lower is better) and AUC, of a frozen model and of one that "
         "learns\n\n"
         "impressions  version";
  for (const auto& head : heads) write("  %-28s", (head.name + ": frozen, learning").c_str());
  out << '\n';
  const auto line = [&](const char* name, const Part& part) {
    write("%11s  %7td", name, part.versions);
    for (std::size_t t = 0; t < heads.size(); ++t)
      write("  %.3f %.3f  %.4f %.4f", part.frozen[t].normalized_entropy,
            part.learning[t].normalized_entropy, part.frozen[t].auc, part.learning[t].auc);
    out << '\n';
  };
  for (const Part& part : outcome.parts) line(std::to_string(part.impressions).c_str(), part);
  line("all", outcome.whole);
  write("\n%td steps of training\n", outcome.steps);
  const auto latency = [&](const char* name, const Latency& l) {
    write("scoring a request %-18s  p50 %7.1f us  p99 %7.1f us  (%td requests)\n", name,
          1e6 * l.median, 1e6 * l.p99, l.requests);
  };
  latency("beside training:", outcome.training);
  latency("without:", outcome.idle);
}

}  // namespace online
