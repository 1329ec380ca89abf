// Loading a model file of 100 MB against its floor: reading the same bytes, warm, into fresh
// memory.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "plait/architectures/adatt.hpp"
#include "plait/io/model_file.hpp"

namespace {

using Model = plait::Model<float>;

// Written once, removed at the end.
class File {
 public:
  File() : path_(std::filesystem::temp_directory_path() / "plait_load_bench.safetensors") {
    plait::AdaTT config;
    config.input_dim = 1024;
    config.num_tasks = 3;
    config.levels = {{2560, 1024}, {768}};
    config.task_experts = {1};
    const Model model(config, {.hidden = {plait::Body{256}}}, 1);
    plait::save(model, path_.string());
    // What is loaded must be what was saved.
    const auto loaded = plait::load<float>(path_.string());
    const auto got = loaded.model.values().flat();
    if (!std::equal(got.begin(), got.end(), model.values().flat().begin()))
      throw std::runtime_error("the loaded model is not the saved one");
  }
  ~File() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }
  std::size_t size() const { return std::filesystem::file_size(path_); }

 private:
  std::filesystem::path path_;
};

const File& file() {
  static const File result;
  return result;
}

void set_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(file().size()));
}

void read_file(benchmark::State& state) {
  const std::size_t size = file().size();
  for (auto _ : state) {
    const std::unique_ptr<char, void (*)(void*)> memory(static_cast<char*>(std::malloc(size)),
                                                        std::free);
    const int handle = ::open(file().path().c_str(), O_RDONLY);
    std::size_t done = 0;
    while (done < size) {
      const ::ssize_t count = ::read(handle, memory.get() + done, size - done);
      if (count <= 0) throw std::runtime_error("cannot read");
      done += static_cast<std::size_t>(count);
    }
    ::close(handle);
    benchmark::DoNotOptimize(memory.get());
  }
  set_bytes(state);
}

void load_model(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(plait::load<float>(file().path()));
  set_bytes(state);
}

void checksum(benchmark::State& state) {
  const plait::AlignedVector<std::byte> bytes(std::size_t{1} << 18);
  for (auto _ : state) {
    plait::Checksum result;
    result.update(bytes);
    benchmark::DoNotOptimize(result.value());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

BENCHMARK(read_file)->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
BENCHMARK(load_model)->Unit(benchmark::kMillisecond)->Repetitions(9)->ReportAggregatesOnly();
BENCHMARK(checksum)->Repetitions(5)->ReportAggregatesOnly();

}  // namespace

BENCHMARK_MAIN();
