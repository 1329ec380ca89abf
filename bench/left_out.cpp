// What scoring gains where architectures have learned to do without a part of themselves: SNR's
// closed connections, AdaShare's skipped blocks, experts that DSelect-k does not choose.
//
// Every row of the table is one trunk with decisions set by hand, against the same trunk that
// leaves nothing out: the share of its multiply-adds that is left, and of its time, medians of 41
// rounds in which the variants take turns, one core, 256 rows. Each variant's scores are first held
// against its own forward pass for training, without draws, which computes all that it keeps.
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/ada_share.hpp"
#include "plait/architectures/ada_share_layer.hpp"
#include "plait/architectures/mmoe.hpp"
#include "plait/architectures/snr.hpp"
#include "plait/core/random.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/model/trunk.hpp"
#include "plait/testing/build.hpp"

namespace {

using namespace plait;

constexpr Index rows = 256, input = 256, width = 128, tasks = 4, experts = 8;

// A trunk with the numbers that make its decisions, and the multiply-adds of a row in its products.
struct Variant {
  std::string name;
  Trunk<float> trunk;
  std::function<void(const std::string&, std::span<float>)> decide;
  double multiply_adds = 0;  // 0: counted from the weights of its gates
};
using Family = std::vector<Variant>;  // the first leaves nothing out

class Contestant {
 public:
  explicit Contestant(const Variant& variant)
      : built_(testing::build<float>(1, variant.trunk)),
        packed_(built_.theta.table()),
        x_(built_.input(rows)),
        y_(rows, built_.layer.out_shape().slots, built_.layer.out_shape().dim),
        multiply_adds_(variant.multiply_adds) {
    for (const ParamEntry& entry : built_.theta.table().entries())
      variant.decide(entry.name, built_.theta.of(entry.id));
    packed_.pack(built_.theta);
    Network<float>::Workspace workspace;
    Tensor<float> kept(rows, y_.slots(), y_.dim());
    built_.layer.forward(packed_.view(built_.theta), x_, kept, &workspace, scratch_);
    score();
    double largest = 0;
    for (std::size_t i = 0; i < testing::flat(kept).size(); ++i)
      largest = std::max(
          largest, static_cast<double>(std::abs(testing::flat(kept)[i] - testing::flat(y_)[i])));
    if (!(largest < 1e-4)) throw std::runtime_error(variant.name + ": scores are others");
    if (multiply_adds_ == 0) multiply_adds_ = of_gates(workspace);
  }

  void score() { built_.layer.forward(packed_.view(built_.theta), x_, y_, nullptr, scratch_); }
  // Microseconds of a call, the mean of a few.
  double time() {
    using Clock = std::chrono::steady_clock;
    score();
    const auto start = Clock::now();
    for (int i = 0; i < 4; ++i) score();
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / 4;
  }
  double multiply_adds() const { return multiply_adds_; }

 private:
  // Of the experts that some task weighs, by row.
  double of_gates(const Network<float>::Workspace& workspace) {
    double used = 0;
    built_.layer.watch(
        packed_.view(built_.theta), workspace, scratch_,
        [&](Index, View3<const float> of, View3<const float> weights, View3<const float>) {
          for (Index b = 0; b < rows; ++b)
            for (Index e = 0; e < of.slots(); ++e) {
              bool any = false;
              for (Index t = 0; t < tasks; ++t) any = any || weights(b, 0, t * of.slots() + e) != 0;
              used += any ? 1 : 0;
            }
        });
    return used / rows * (input * width + width * width);
  }

  testing::Built<Network<float>> built_;
  PackedWeights<float> packed_;
  Tensor<float> x_, y_;
  Scratch scratch_;
  double multiply_adds_;
};

bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

// The first `open` experts of every level are connected, to each other and to all tasks.
Family snr(SNRConnection connection) {
  Family result;
  const bool trans = connection == SNRConnection::trans;
  for (const Index open : {experts, Index{4}, Index{2}, Index{1}}) {
    const auto n = static_cast<double>(open);
    const double first = n * input * width, square = width * width;
    result.push_back(
        {text(trans ? "SNR-Trans" : "SNR-Aver", ", ", open, " of ", experts, " experts a level"),
         SNR{.input_dim = input,
             .num_tasks = tasks,
             .num_experts = experts,
             .levels = {width, width},
             .connection = connection},
         [open](const std::string& name, std::span<float> numbers) {
           if (!has(name, "log_alphas")) return;
           for (std::size_t i = 0; i < numbers.size(); ++i) {
             const auto source = static_cast<Index>(i) % experts,
                        target = static_cast<Index>(i) / experts;
             const bool of_task = std::ssize(numbers) == tasks * experts;
             numbers[i] = source < open && (of_task || target < open) ? 10.0f : -10.0f;
           }
         },
         trans ? first + n * n * square + tasks * n * square : first + n * square});
  }
  return result;
}

// All tasks execute the first of eight blocks, or each two of its own.
Family ada_share() {
  Family result;
  static constexpr Index depth = 8;
  const auto variant = [&](const std::string& name, double executed, auto executes) {
    result.push_back({name,
                      AdaShare{.input_dim = input,
                               .num_tasks = tasks,
                               .stem = {width},
                               .blocks = std::vector<Index>(depth, width)},
                      [executes](const std::string& of, std::span<float> numbers) {
                        if (!has(of, "policies")) return;
                        const Index task = of.back() - '0';
                        for (Index l = 0; l < depth; ++l) {
                          numbers[static_cast<std::size_t>(2 * l)] =
                              executes(task, l) ? 5.0f : -5.0f;
                          numbers[static_cast<std::size_t>(2 * l + 1)] = 0;
                        }
                      },
                      input * width + executed * 2 * width * width});
  };
  for (const Index open : {depth, Index{4}, Index{2}, Index{1}})
    variant(text("AdaShare, ", open, " of ", depth, " blocks"), static_cast<double>(open),
            [open](Index, Index l) { return l < open; });
  variant(text("AdaShare, one block of its own per task"), tasks,
          [](Index task, Index l) { return l == task; });
  return result;
}

// MMoE: before selectors have chosen all experts have weight, then one or two a task.
Family dselect(bool per_example) {
  Family result;
  for (const Index selectors : {Index{0}, Index{2}, Index{1}}) {
    const bool chosen = selectors > 0;
    result.push_back({text("DSelect-k, ", per_example ? "per example" : "static", ", ",
                           chosen ? text("k = ", selectors) : text("nothing chosen"), ", ", tasks,
                           " tasks of 16 experts"),
                      MMoE{.input_dim = input,
                           .num_tasks = tasks,
                           .num_experts = 16,
                           .expert = {width, width},
                           .gate = {.dselect = DSelectK{.selectors = chosen ? selectors : 2,
                                                        .per_example = per_example}}},
                      [chosen](const std::string& name, std::span<float> numbers) {
                        if (!has(name, ".z")) return;
                        for (float& number : numbers) number *= chosen ? 1e4f : 1;
                      }});
  }
  return result;
}

void run() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  std::printf("| trunk | multiply-adds | time |\n| --- | --- | --- |\n");
  for (const Family& family : {snr(SNRConnection::trans), snr(SNRConnection::aver), ada_share(),
                               dselect(false), dselect(true)}) {
    std::vector<Contestant> contestants(family.begin(), family.end());
    std::vector<std::vector<double>> times(family.size());
    for (int round = 0; round < 41; ++round)
      for (std::size_t i = 0; i < contestants.size(); ++i)
        times[i].push_back(contestants[i].time());
    std::vector<double> medians;
    for (auto& of : times) {
      std::ranges::nth_element(of, of.begin() + 20);
      medians.push_back(of[20]);
    }
    for (std::size_t i = 0; i < family.size(); ++i)
      std::printf("| %s | %.2f | %s |\n", family[i].name.c_str(),
                  contestants[i].multiply_adds() / contestants[0].multiply_adds(),
                  i == 0 ? text(std::round(medians[0]), " us").c_str()
                         : std::to_string(medians[i] / medians[0]).substr(0, 4).c_str());
  }
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
