// A ranker of large tables served from its file's pages against the same in memory.
//
//   mapped_tables write FILE [gigabytes]    writes one, 4 GB by default
//   mapped_tables read|mapped FILE          loads it, and scores requests for 30 seconds
//
// Prints the time from the start of loading to the first answer, requests per second in the first
// and in the last five seconds, and what is resident then: memory of the process's own, and pages
// of the file, which the system takes back when it needs them. One process per way. A request has
// 50 rows of three ids, drawn as floor(rows^u - 1), u uniform: nearly Zipf's law with exponent 1.
// What is loaded gives the logits that were saved, by its self-test.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/architectures/mmoe.hpp"
#include "plait/core/random.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/serve/embedding_scorer.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/serving_tables.hpp"
#include "support/memory.hpp"

namespace {

using bench::memory;
using plait::Index;
using Clock = std::chrono::steady_clock;

constexpr Index dim = 16;
constexpr Index candidates = 50;
constexpr std::size_t features = 3;

// Ids of requests, drawn before any time is taken.
class Requests {
 public:
  Requests(Index rows, std::size_t count) : random_(3) {
    for (std::size_t i = 0; i < count * candidates * features; ++i)
      ids_.push_back(
          static_cast<std::uint64_t>(std::pow(static_cast<double>(rows), random_.uniform()) - 1));
  }
  plait::FeatureBatch<float> request(std::size_t number) {
    const std::size_t all = ids_.size() / candidates / features;
    const std::uint64_t* const first = ids_.data() + number % all * candidates * features;
    for (std::size_t f = 0; f < features; ++f)
      bags_[f] = {{first + f * candidates, static_cast<std::size_t>(candidates)}};
    return {.sparse = {candidates, bags_}};
  }

 private:
  plait::Random random_;
  std::vector<std::uint64_t> ids_;
  std::vector<plait::SparseFeature> bags_{features};
};

void write(const std::string& path, double gigabytes) {
  const auto rows = static_cast<Index>(gigabytes * 1e9 / (features * dim * sizeof(float)));
  plait::EmbeddingConfig config;
  for (std::size_t f = 0; f < features; ++f) {
    const std::string name = "id" + std::to_string(f);
    config.tables.push_back({.name = name, .rows = rows, .dim = dim});
    config.features.push_back({.name = name});
  }
  const plait::EmbeddingTables<float> tables(config, 7);
  const plait::Model<float> model(
      plait::MMoE{
          .input_dim = tables.width(), .num_tasks = 2, .num_experts = 4, .expert = {64, 32}},
      {.hidden = {{16}}}, 7);
  Requests requests(rows, 1);
  plait::save(model, tables, path, {}, requests.request(0).rows(0, 8));
  std::printf("%.2f GB in %s\n",
              static_cast<double>(features * dim * sizeof(float)) * static_cast<double>(rows) / 1e9,
              path.c_str());
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void serve(const std::string& path, bool mapped) {
  const auto start = Clock::now();
  auto loaded = mapped ? plait::load_with_tables<float>(plait::SafetensorsReader::mapped(path), {},
                                                        plait::Verify::unmapped)
                       : plait::load_with_tables<float>(path);
  const Index rows = loaded.tables.config().tables[0].rows;
  const plait::EmbeddingScorer<float> scorer(
      std::move(loaded.model),
      plait::ServingTables<float>(
          std::make_shared<const plait::EmbeddingTables<float>>(std::move(loaded.tables))));
  auto context = scorer.context();
  plait::Matrix<float> scores(candidates, 2);
  Requests one(rows, 1);
  context.score(one.request(0), scores);
  const double ready = seconds_since(start);

  Requests requests(rows, 100'000);
  std::size_t number = 0;
  const auto requests_per_second = [&](double seconds) {
    const std::size_t before = number;
    const auto first = Clock::now();
    while (seconds_since(first) < seconds)
      for (int i = 0; i < 100; ++i) context.score(requests.request(number++), scores);
    return static_cast<double>(number - before) / seconds_since(first);
  };
  const double in_the_first = requests_per_second(5);
  requests_per_second(20);
  const double in_the_last = requests_per_second(5);
  std::printf(
      "%s: first answer after %.3f s, %.0f requests/s, then %.0f, resident: own %.0f MB, "
      "file %.0f MB\n",
      mapped ? "mapped" : "read", ready, in_the_first, in_the_last, memory("RssAnon") / 1e6,
      memory("RssFile") / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  const double gigabytes = argc > 3 ? std::atof(argv[3]) : 4;
  if ((what != "write" && what != "read" && what != "mapped") || !(gigabytes > 0)) {
    std::fprintf(stderr, "usage: mapped_tables write FILE [gigabytes] | read|mapped FILE\n");
    return 2;
  }
  try {
    if (what == "write") {
      write(argv[2], gigabytes);
    } else {
      serve(argv[2], what == "mapped");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
