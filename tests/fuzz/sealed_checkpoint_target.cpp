// Resuming from checkpoints whose parts were changed and sealed again. The bytes are no file but a
// list of changes to the checkpoint of one run, so that every one of them reaches what lies behind
// the seal: counts, generators, notes, settings, the order of rows, states of parts, tensors. What
// is accepted can be written and read again, and training goes on with it or is refused.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "changes.hpp"
#include "methods/all_methods.hpp"
#include "plait/architectures/shared_bottom.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/train/trainer.hpp"
#include "support/files.hpp"

namespace {

using fuzz::Input;
using plait::Index;

constexpr Index num_rows = 12;
constexpr Index batch = 3;
constexpr Index tasks = 3;

using Balancer = plait::GradientBalancer<float>;
const std::vector<std::function<Balancer(const plait::Trainer<float>&)>>& balancers() {
  static const auto all = [] {
    std::vector<std::function<Balancer(const plait::Trainer<float>&)>> result;
    methods_test::for_each_balancing_method([&](const char*, const auto& method) {
      result.push_back([method](const plait::Trainer<float>& trainer) {
        return Balancer(method, tasks, trainer.model().shared_table(), trainer.shared(), 5);
      });
    });
    return result;
  }();
  return all;
}
const std::vector<plait::LossWeighting>& weightings() {
  static const auto all = [] {
    std::vector<plait::LossWeighting> result;
    methods_test::for_each_weighting_method(
        [&](const char*, const auto& method) { result.emplace_back(method, tasks); });
    return result;
  }();
  return all;
}
plait::Rule<float> rule(std::size_t kind) {
  switch (kind % 4) {
    case 0:
      return plait::Adam{.learning_rate = 0.05};
    case 1:
      return plait::SGD{.learning_rate = 0.05, .momentum = 0.9};
    case 2:
      return plait::RMSprop{.momentum = 0.9, .centered = true};
    default:
      return plait::Adagrad{};
  }
}

// A run with parts of every kind, on few parameters: reading the header takes most of the time.
struct Run {
  std::size_t kind;
  plait::Model<float> model{
      plait::SharedBottom{.input_dim = 2, .num_tasks = tasks, .expert = {2}}, {}, 1};
  plait::Trainer<float> trainer;
  plait::Progress<float> progress{.random = plait::Random(3), .notes = {{"seed", "3"}}};
  Balancer balancer;
  plait::LossWeighting weighting;
  plait::EarlyStopping stopping{{{}, {.better = plait::Better::lower}}};
  plait::WeightAverage<float> average{model.shared_table(), 0.9};
  plait::GradientMean<float> mean{model.shared_table()};
  plait::Random random{9};
  std::array<double, 2> sums{1, 2};
  std::vector<double> history;

  explicit Run(std::size_t which)
      : kind(which),
        trainer(model, std::vector<plait::Head>(tasks), rule(kind),
                {.optimizer = {.schedule = plait::Schedule::cosine(12), .clip_norm = 1.0}}),
        balancer(balancers()[kind % balancers().size()](trainer)),
        weighting(weightings()[kind % weightings().size()]) {
    for (Index row = 0; row < num_rows; ++row) progress.order.push_back(row);
  }

  plait::CheckpointParts<float> parts() {
    plait::CheckpointParts<float> result{{"balancer", balancer}, {"weighting", weighting}};
    if (kind % 3 == 0) result.insert(result.end(), {{"average", average}, {"random", random}});
    if (kind % 3 == 1) result.insert(result.end(), {{"mean", mean}, {"history", history}});
    if (kind % 3 == 2) result.insert(result.end(), {{"stopping", stopping}, {"sums", sums}});
    return result;
  }

  // The next batch: a step with the balancer and one with the weighting.
  void step() {
    plait::Matrix<float> x(batch, 2);
    plait::Matrix<float> labels(batch, tasks);
    if (progress.order.empty() || progress.step + batch > std::ssize(progress.order)) {
      if (kind % 4 == 0) progress.best = plait::Best<float>{0.5, progress.epoch, model.values()};
      progress.step = 0;
      ++progress.epoch;
      progress.random.shuffle(progress.order);
      weighting.end_epoch();
    }
    for (Index b = 0; b < batch; ++b) {
      const auto place = static_cast<std::size_t>(progress.step + b);
      const Index row = place < progress.order.size() ? progress.order[place] : 0;
      x.row(b) << static_cast<float>(row % 5) / 4, static_cast<float>(row % 3);
      for (Index t = 0; t < tasks; ++t) labels(b, t) = static_cast<float>((row + t) % 2);
    }
    if (!progress.order.empty()) progress.step += batch;
    trainer.step(x, {.labels = labels}, balancer);
    trainer.step(x, {.labels = labels}, weighting);
    stopping.update(std::array{random.uniform(), random.normal()});
    average.update(model.values());
    mean.add(trainer.gradient(), 1);
    history.push_back(sums[0]);
  }
};

// The bytes of every kind of run's checkpoint.
std::vector<std::string> all_files() {
  std::vector<std::string> result;
  for (std::size_t kind = 0; kind < balancers().size(); ++kind) {
    const files::Directory directory;
    plait::Checkpoints checkpoints(directory.path());
    Run run(kind);
    for (int i = 0; i < 6; ++i) run.step();
    result.push_back(files::contents(checkpoints.save(run.trainer, run.progress, run.parts())));
  }
  return result;
}

constexpr const char* fragments[] = {
    "",         " ",       "\n",  "\t",   "-",    "+",    ".",
    "0",        "nan",     "inf", "none", "true", "*",    "?",
    "plait.",   "values.", "\\",  "\x1b", "'",    "Adam", "plait.checkpoint.2",
    "step\t1\n"};

std::string& a_text(files::Parts& parts, Input& input) {
  return parts.header.metadata[input.below(parts.header.metadata.size())].second;
}

// A word of a generator, or a double, as it is written: 16 hexadecimal digits.
void put_word(std::string& text, Input& input) {
  const char* const words[] = {"0000000000000000", "ffffffffffffffff", "7ff8000000000000",
                               "7ff0000000000000", "0000000000000001", "8000000000000000"};
  const std::size_t at = input.below(text.size() / 17 + 1) * 17;
  text.replace(at, 16, words[input.byte() % std::size(words)]);
}

void change_metadata(files::Parts& parts, Input& input) {
  auto& metadata = parts.header.metadata;
  const std::size_t which = input.below(metadata.size());
  switch (input.byte() % 5) {
    case 0:
      if (metadata.size() > 1)
        metadata.erase(metadata.begin() + static_cast<std::ptrdiff_t>(which));
      return;
    case 1:
      std::swap(metadata[which].second, metadata[input.below(metadata.size())].second);
      return;
    case 2:
      parts.meta(input.text(8)) = input.text(8);
      return;
    case 3:  // another part, by its number
      return fuzz::put_number(metadata[which].first, input);
    default:
      return put_word(metadata[which].second, input);
  }
}

// A number of 8 bytes, as the order, the numbers of parts and pairs of floats have.
void put_eight_bytes(std::string& data, Input& input) {
  const double doubles[] = {0,
                            -1,
                            0.5,
                            1,
                            2,
                            1e18,
                            -1e300,
                            std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::denorm_min(),
                            static_cast<double>(Index{1} << 53)};
  const std::int64_t integers[] = {0,
                                   1,
                                   -1,
                                   num_rows - 1,
                                   num_rows,
                                   std::int64_t{1} << 32,
                                   std::numeric_limits<std::int64_t>::max(),
                                   std::numeric_limits<std::int64_t>::min()};
  if (data.size() < 8) return;
  char* const at = data.data() + input.below(data.size() / 8) * 8;
  const std::size_t which = input.byte() % (std::size(doubles) + std::size(integers));
  if (which < std::size(doubles)) {
    std::memcpy(at, &doubles[which], 8);
  } else {
    std::memcpy(at, &integers[which - std::size(doubles)], 8);
  }
}

void change_data(files::Parts& parts, Input& input) {
  if (parts.data.empty()) return;
  // Half of the time the order or a part's numbers, which are few among many parameters.
  std::vector<std::size_t> own;
  if (input.byte() % 2 == 0)
    for (std::size_t i = 0; i < parts.data.size(); ++i)
      if (const std::string& name = parts.header.tensors[i].name;
          name == "order" || name.starts_with("numbers."))
        own.push_back(i);
  const std::size_t which =
      own.empty() ? input.below(parts.data.size()) : own[input.below(own.size())];
  std::string& data = parts.data[which];
  std::vector<std::uint64_t>& shape = parts.header.tensors[which].shape;
  if (input.byte() % 4 != 0 || shape.size() != 1 || data.empty())
    return put_eight_bytes(data, input);
  const std::size_t size = data.size() / shape[0];  // another length
  shape[0] = input.number() >> input.byte() % 24;
  if (shape[0] * size <= fuzz::most_data) data.resize(shape[0] * size);
}

void change(files::Parts& parts, Input& input) {
  switch (input.byte() % 8) {
    case 0:
      if (!parts.header.metadata.empty()) fuzz::put_number(a_text(parts, input), input);
      return;
    case 1:
      if (!parts.header.metadata.empty())
        fuzz::put_fragment(a_text(parts, input), input, fragments);
      return;
    case 2:
      if (!parts.header.metadata.empty()) fuzz::repeat(a_text(parts, input), input);
      return;
    case 3:
    case 4:
      if (!parts.header.metadata.empty()) change_metadata(parts, input);
      return;
    case 5:
      return fuzz::change_tensor(parts, input);
    default:
      return change_data(parts, input);
  }
}

// Resumes; what was accepted is in its range, can be stored and accepted again, and trains on.
void exercise(const std::string& bytes, std::size_t kind, const plait::ResumeOptions& options,
              bool stores) {
  static const files::Directory first;
  static const files::Directory second;
  files::write(first / "checkpoint-000000001.safetensors", bytes);
  Run run(kind);
  {
    plait::Checkpoints checkpoints(first.path());
    if (!checkpoints.resume(run.trainer, run.progress, run.parts(), options)) std::abort();
  }
  for (const Index row : run.progress.order)
    if (row < 0 || row >= num_rows) std::abort();
  if (!run.progress.order.empty() && run.progress.step > std::ssize(run.progress.order))
    std::abort();
  const auto again = [&] {
    plait::Checkpoints checkpoints(second.path(), 1);
    checkpoints.save(run.trainer, run.progress, run.parts());
    Run other(kind);
    plait::Checkpoints reader(checkpoints);
    if (!reader.resume(other.trainer, other.progress, other.parts(), options)) std::abort();
    for (const std::string& path : checkpoints.paths()) std::filesystem::remove(path);
    return other.progress.notes == run.progress.notes && other.progress.order == run.progress.order;
  };
  bool same = !stores;
  try {
    if (stores) same = again();
  } catch (const plait::Error&) {
  }
  if (!same) std::abort();
  for (int i = 0; i < 4; ++i) run.step();
  run.stopping.stop();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::string> all = all_files();
  Input input(data, size);
  const std::size_t kind = input.byte() % all.size();
  const std::size_t options = input.byte();
  plait::ResumeOptions resume;
  if (options % 2 == 1) resume.rows = num_rows;
  if (options / 2 % 2 == 1) resume.may_differ = {"*"};
  try {
    exercise(files::resealed(all[kind],
                             [&](files::Parts& parts) {
                               for (int changes = 0; changes < 32 && !input.empty(); ++changes)
                                 change(parts, input);
                             }),
             kind, resume, options / 4 % 4 == 3);
  } catch (const plait::Error&) {
  }
  return 0;
}
