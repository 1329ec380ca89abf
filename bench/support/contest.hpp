// A contest: several ways to compute the same, timed against each other and against the floors.
//
// All times of one contest are taken together, in rounds: in every round each contestant is timed
// once, for some milliseconds, and the floors are measured between any two of them. So contestants
// meet the same clock and the same neighbours on the machine, which on a virtual machine change
// within a second. A time is given as a share of the faster of the two floors around it: an
// interruption of a floor does not flatter a share. Times are of the processor, all threads added
// up, so that other programs on the core are not counted, nor hidden threads forgotten. Google
// Benchmark reports what was measured, one round per repetition; what counts is the median.
#pragma once
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <queue>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "support/floors.hpp"

namespace bench {

// What one call needs at least.
struct Demand {
  double flops = 0;        // floating-point operations; a multiply-add is two
  double bytes = 0;        // bytes read and written
  double working_set = 0;  // bytes of the buffer whose read bandwidth applies
  double (*peak)() = measure_peak<float>;
};

// One call per contestant, in the order of their names. The calls own what they work on.
struct Cell {
  Demand demand;
  std::vector<std::function<void()>> calls;
};

// Of all threads of this process.
inline double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Settings {
  int rounds = 9;
  bool wall_clock = false;        // for programs with threads
  double sample_seconds = 0.02;   // that a contestant is timed for in a round, at least one call
  bool instruction_sets = false;  // compare those of this machine, too
};

inline Settings& settings() {
  static Settings result;
  return result;
}

class Contest {
 public:
  explicit Contest(std::function<Cell()> build) : build_(std::move(build)) {}

  // Only selected contestants are timed; the samples of each lie at the place returned.
  std::size_t select(std::size_t call) {
    selected_.push_back(call);
    return selected_.size() - 1;
  }

  // The body of a contestant's benchmark: every call reports its next sample. The first one
  // measures the whole contest.
  void report(std::size_t place, benchmark::State& state) {
    if (samples_.empty()) measure();
    const Sample sample = samples_[place].front();
    samples_[place].pop();
    for (auto _ : state) state.SetIterationTime(sample.seconds);
    const double flops = demand_.flops / sample.seconds;
    const double bytes = demand_.bytes / sample.seconds;
    state.counters["GFLOP/s"] = flops / 1e9;
    state.counters["peak_share"] = flops / sample.floors.peak;
    state.counters["GB/s"] = bytes / 1e9;
    state.counters["bandwidth_share"] = bytes / sample.floors.bandwidth;
    state.counters["cores"] = sample.cores;
  }

 private:
  struct Floors {
    double peak;
    double bandwidth;
  };
  struct Sample {
    double seconds;  // per call
    double cores;    // that it was given: less than its threads when others run on them
    Floors floors;
  };

  void measure() {
    const Cell cell = build_();
    demand_ = cell.demand;
    const ReadFloor read_floor(demand_.working_set);
    const auto measure_floors = [&] { return Floors{demand_.peak(), read_floor.measure()}; };

    std::vector<int> counts;
    for (const std::size_t call : selected_) counts.push_back(calls_per_sample(cell.calls[call]));
    samples_.resize(selected_.size());
    Floors before = measure_floors();
    for (int round = 0; round < settings().rounds; ++round)
      for (std::size_t place = 0; place < selected_.size(); ++place) {
        Sample sample = time(cell.calls[selected_[place]], counts[place]);
        const Floors after = measure_floors();
        sample.floors = {std::max(before.peak, after.peak),
                         std::max(before.bandwidth, after.bandwidth)};
        samples_[place].push(sample);
        before = after;
      }
  }

  static int calls_per_sample(const std::function<void()>& call) {
    const double seconds = fastest(3, call);  // TorchScript compiles itself in the first two
    return static_cast<int>(std::clamp(settings().sample_seconds / seconds, 1.0, 1e6));
  }

  // The caches are first given back the state that the contestant leaves them in.
  static Sample time(const std::function<void()>& call, int count) {
    for (int i = 0; i < 1 + count / 10; ++i) call();
    const double wall_start = seconds_now();
    const double processor_start = processor_seconds();
    for (int i = 0; i < count; ++i) call();
    const double processor = processor_seconds() - processor_start;
    const double wall = seconds_now() - wall_start;
    return {(settings().wall_clock ? wall : processor) / count, processor / wall, {}};
  }

  std::function<Cell()> build_;
  std::vector<std::size_t> selected_;
  Demand demand_;
  std::vector<std::queue<Sample>> samples_;
};

// Registers the contestants name/contestant that --benchmark_filter selects. `build` makes the cell
// when the first of them runs, and throws unless all of them compute the same.
inline void add_contest(const std::string& name, const std::vector<std::string>& contestants,
                        std::function<Cell()> build) {
  const std::regex filter(benchmark::GetBenchmarkFilter());
  const auto contest = std::make_shared<Contest>(std::move(build));
  for (std::size_t i = 0; i < contestants.size(); ++i) {
    const std::string full_name = name + "/" + contestants[i];
    if (!std::regex_search(full_name, filter)) continue;
    const std::size_t place = contest->select(i);
    const auto report = [contest, place](benchmark::State& state) {
      contest->report(place, state);
    };
    benchmark::RegisterBenchmark(full_name.c_str(), report)
        ->Iterations(1)
        ->Repetitions(settings().rounds)
        ->UseManualTime()
        ->DisplayAggregatesOnly()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace bench
