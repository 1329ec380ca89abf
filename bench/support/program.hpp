// What every benchmark program does before and after its contests: options, one core, a report of
// the medians.
#pragma once
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/instruction_set.hpp"
#include "support/contest.hpp"

namespace bench {

// One line per contestant; --benchmark_out=<file> keeps every round.
class MedianReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf("%-44s %12s %9s %6s %8s %10s %6s\n", "median of rounds", "us", "GFLOP/s", "peak",
                "GB/s", "bandwidth", "cores");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.repetitions > 1 && run.aggregate_name != "median") continue;
      const auto counter = [&](const char* name) { return run.counters.at(name).value; };
      std::printf("%-44s %12.2f %9.1f %6.2f %8.1f %10.2f %6.2f\n",
                  run.run_name.function_name.c_str(), run.GetAdjustedRealTime(), counter("GFLOP/s"),
                  counter("peak_share"), counter("GB/s"), counter("bandwidth_share"),
                  counter("cores"));
      std::fflush(stdout);
    }
  }
};

// Keeps the calling thread, and all threads that it starts, on the last core it may use (interrupts
// prefer the first): moving costs caches.
inline void stay_on_one_core() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
    throw std::runtime_error("cannot read the cores that may be used");
  int core = CPU_SETSIZE - 1;
  while (!CPU_ISSET(core, &allowed)) --core;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  if (sched_setaffinity(0, sizeof(one), &one) != 0)
    throw std::runtime_error("cannot stay on one core");
  benchmark::AddCustomContext("core", std::to_string(core));
}

// Peers read the environment when they are loaded, before main: starts the program again with them
// on one thread (OpenBLAS has its own, which LibTorch does not limit) and with the best kernels of
// the machine, whatever was asked of OpenBLAS: it does not know processors younger than itself, and
// would run the oldest kernels on them.
inline void set_environment_of_peers(char** argv) {
  const plait::InstructionSet set = plait::instruction_set();
  const char* kernels = set >= plait::InstructionSet::avx512 ? "SKYLAKEX"
                        : set == plait::InstructionSet::avx2 ? "HASWELL"
                                                             : nullptr;
  const char* asked = std::getenv("OPENBLAS_CORETYPE");
  const bool asked_right =
      kernels == nullptr ? asked == nullptr : asked != nullptr && std::string(asked) == kernels;
  if (asked_right && std::getenv("OPENBLAS_NUM_THREADS") != nullptr) return;
  if (kernels != nullptr)
    setenv("OPENBLAS_CORETYPE", kernels, 1);
  else
    unsetenv("OPENBLAS_CORETYPE");
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  execv("/proc/self/exe", argv);
  throw std::runtime_error("cannot start again with another environment");
}

// Takes our own options out of the arguments. Throws for a number that is not positive.
inline void take_options(int& argc, char** argv) {
  int rest = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const auto number = [&] {
      const double result = std::atof(argv[i] + argument.find('=') + 1);
      if (result > 0) return result;
      throw std::runtime_error(std::string(argument) + ": expected a number above 0");
    };
    if (argument.starts_with("--rounds=")) {
      settings().rounds = static_cast<int>(std::ceil(number()));
    } else if (argument.starts_with("--sample_ms=")) {
      settings().sample_seconds = number() / 1e3;
    } else if (argument == "--instruction_sets") {
      settings().instruction_sets = true;
    } else if (argument == "--keep_memory") {
      mallopt(M_MMAP_MAX, 0);
      mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    } else if (argument == "--lock_memory") {
      if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        throw std::runtime_error("cannot keep the memory's pages");
    } else {
      argv[rest++] = argv[i];
    }
  }
  argc = rest;
}

// The main of a program: add_contests registers what the filter selects.
//
//   --rounds=N       times that every contestant is timed
//   --sample_ms=N    milliseconds of each time
//   --instruction_sets   scores under every set that this machine has, too (serving)
//   --keep_memory    freed memory stays with the process; by default glibc gives large blocks back
//                    to the system, and LibTorch allocates every intermediate
//   --lock_memory    no page is taken back: for machines that take those of large tables while they
//                    are timed
//
// and Google Benchmark's own options. Returns the exit status: 1 after a message when a contest
// cannot be held, as when two contestants do not agree.
inline int run(int argc, char** argv, void (*add_contests)()) {
  try {
    set_environment_of_peers(argv);
#ifndef NDEBUG
    std::fprintf(stderr, "Assertions are on: no figure of this build means anything.\n");
#endif
    const std::string set(plait::name(plait::instruction_set()));
    benchmark::AddCustomContext("instruction_set", set);
    std::fprintf(stderr, "Instruction set: %s\n", set.c_str());
    benchmark::AddCustomContext("compiler", __VERSION__);
    benchmark::Initialize(&argc, argv);
    take_options(argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    add_contests();
    MedianReporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    benchmark::Shutdown();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace bench
