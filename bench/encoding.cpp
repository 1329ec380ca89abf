// Encoding a CSV of 26 columns of ids and 13 of numbers, against the floor of any reader: finding
// the ends of its lines.
//
//   lines    the floor
//   read     CsvReader alone
//   encode   the encoder alone, on rows that were read before
//   csv      both: rows of the file to a batch
//   row      one row, as of a request, to a batch
//   fit      reading and fitting
//
// of vocabularies and of hashes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/core/error.hpp"
#include "plait/features/encoder_fit.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/read_features.hpp"

namespace {

using namespace plait;

constexpr std::size_t id_columns = 26, number_columns = 13;
constexpr Index num_rows = 100'000;

std::string id_of(std::size_t column, std::size_t value) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x",
                static_cast<unsigned>(mix64(column * 1'000'003 + value)) & 0xffffffffu);
  return text;
}

// Numbers of one to six digits, one in twenty missing; ids of eight, of 10 to 300,000 values, the
// n-th of which comes about 1 / n as often as the first.
const std::string& file() {
  static const std::string result = [] {
    std::string text;
    for (std::size_t c = 0; c < number_columns; ++c) text += plait::text("n", c) + ",";
    for (std::size_t c = 0; c < id_columns; ++c)
      text += plait::text("c", c) + (c + 1 < id_columns ? "," : "\n");
    for (std::uint64_t row = 0; row < num_rows; ++row) {
      const auto uniform = [&](std::size_t column) {
        return CounterRandom(1).at(row).at(column).uniform();
      };
      for (std::size_t c = 0; c < number_columns; ++c) {
        const double u = uniform(c);
        if (u > 0.05) text += std::to_string(static_cast<int>(std::exp(14 * u * u)));
        text += ',';
      }
      for (std::size_t c = 0; c < id_columns; ++c) {
        const double values = std::pow(10.0, 1 + 4.5 * static_cast<double>(c) / (id_columns - 1));
        const double u = uniform(number_columns + c);
        text += id_of(c, static_cast<std::size_t>(std::pow(values, u)));
        text += c + 1 < id_columns ? ',' : '\n';
      }
    }
    return text;
  }();
  return result;
}

class File {
 public:
  File() : stream_(file()), reader_(stream_, "bench") {}
  CsvReader& reader() { return reader_; }

 private:
  std::istringstream stream_;
  CsvReader reader_;
};

EncoderConfig config_of(FeatureKind kind) {
  EncoderConfig config;
  for (std::size_t c = 0; c < number_columns; ++c)
    config.features.push_back(
        {.name = plait::text("n", c), .kind = FeatureKind::number, .log1p = true});
  for (std::size_t c = 0; c < id_columns; ++c) {
    Feature feature{.name = plait::text("c", c), .kind = kind, .dim = 16};
    if (kind == FeatureKind::hash) feature.buckets = 1 << 20;
    config.features.push_back(feature);
  }
  return config;
}

// What was encoded must be what a plain reading of the description gives.
void verify(const FeatureEncoder& encoder, FeatureKind kind) {
  File file;
  std::vector<std::map<std::string, Index>> counts(id_columns);
  std::vector<std::vector<std::string>> rows;
  while (file.reader().next()) {
    auto& row = rows.emplace_back();
    for (const RawValue& value : file.reader().row()) row.emplace_back(value.text());
    for (std::size_t c = 0; c < id_columns; ++c) ++counts[c][row[number_columns + c]];
  }
  const auto require = [](bool condition) {
    if (!condition) throw std::runtime_error("the encoder's ids are not those of its description");
  };
  File again;
  auto encoded = encoder.rows();
  encode_rows(encoder, again.reader(), encoder.layout(again.reader().columns()), num_rows, encoded);
  const auto batch = encoded.batch();
  require(batch.batch() == num_rows);
  for (std::size_t c = 0; c < id_columns; ++c) {
    const auto ids = batch.sparse.feature(static_cast<Index>(c)).ids;
    std::map<std::string, std::uint64_t> expected;
    if (kind == FeatureKind::vocabulary) {
      std::vector<std::pair<Index, std::string>> order;
      for (const auto& [value, count] : counts[c])
        if (count >= 2) order.emplace_back(-count, value);
      std::sort(order.begin(), order.end());
      for (std::size_t i = 0; i < order.size(); ++i) expected[order[i].second] = 2 + i;
    } else {
      const std::uint64_t seed = xxh64(plait::text("c", c));
      for (const auto& [value, count] : counts[c]) expected[value] = 2 + (xxh64(value, seed) >> 44);
    }
    for (std::size_t i = 0; i < ids.size(); ++i)
      require(ids[i] == expected[rows[i][number_columns + c]]);
  }
  for (std::size_t c = 0; c < number_columns; ++c) {
    double sum = 0;
    for (Index row = 0; row < num_rows; ++row) sum += double{batch.dense.row(row)[c]};
    require(std::abs(sum / num_rows) < 1e-5);
  }
}

const FeatureEncoder& encoder_of(FeatureKind kind) {
  static std::map<FeatureKind, FeatureEncoder> encoders;
  const auto found = encoders.find(kind);
  if (found != encoders.end()) return found->second;
  File file;
  const auto& encoder =
      encoders.emplace(kind, fit_encoder(config_of(kind), file.reader())).first->second;
  verify(encoder, kind);
  return encoder;
}

void set_rows(benchmark::State& state, std::int64_t rows_each) {
  state.SetItemsProcessed(state.iterations() * rows_each);
}

void lines(benchmark::State& state) {
  const std::string& text = file();
  for (auto _ : state) {
    Index count = 0;
    for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos; ++at) ++count;
    benchmark::DoNotOptimize(count);
  }
  set_rows(state, num_rows);
}

void read(benchmark::State& state) {
  for (auto _ : state) {
    File file;
    while (file.reader().next()) benchmark::DoNotOptimize(file.reader().row().data());
  }
  set_rows(state, num_rows);
}

void csv(benchmark::State& state, FeatureKind kind) {
  const FeatureEncoder& encoder = encoder_of(kind);
  auto rows = encoder.rows();
  for (auto _ : state) {
    File file;
    const auto layout = encoder.layout(file.reader().columns());
    do rows.clear();
    while (encode_rows(encoder, file.reader(), layout, 4096, rows) > 0);
  }
  set_rows(state, num_rows);
}

// Rows as a reader gives them, kept.
struct Kept {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> texts;
  std::vector<std::vector<RawValue>> rows;

  explicit Kept(Index count) {
    File file;
    names.assign(file.reader().columns().begin(), file.reader().columns().end());
    for (Index i = 0; i < count && file.reader().next(); ++i) {
      texts.emplace_back();
      for (const RawValue& value : file.reader().row()) texts.back().emplace_back(value.text());
    }
    for (const auto& row : texts) rows.emplace_back(row.begin(), row.end());
  }
};

void encode(benchmark::State& state, FeatureKind kind) {
  const FeatureEncoder& encoder = encoder_of(kind);
  const Kept kept(20'000);
  const auto layout = encoder.layout(kept.names);
  auto rows = encoder.rows();
  for (auto _ : state) {
    rows.clear();
    for (const auto& row : kept.rows) encoder.encode(row, layout, rows);
    benchmark::DoNotOptimize(rows.batch());
  }
  set_rows(state, std::ssize(kept.rows));
}

void row(benchmark::State& state, FeatureKind kind) {
  const FeatureEncoder& encoder = encoder_of(kind);
  const Kept kept(1000);
  const auto layout = encoder.layout(kept.names);
  auto rows = encoder.rows();
  std::size_t next = 0;
  for (auto _ : state) {
    rows.clear();
    encoder.encode(kept.rows[next++ % kept.rows.size()], layout, rows);
    benchmark::DoNotOptimize(rows.batch());
  }
  set_rows(state, 1);
}

void fit(benchmark::State& state, FeatureKind kind) {
  for (auto _ : state) {
    File file;
    benchmark::DoNotOptimize(fit_encoder(config_of(kind), file.reader()).fingerprint());
  }
  set_rows(state, num_rows);
}

BENCHMARK(lines)->Unit(benchmark::kMillisecond);
BENCHMARK(read)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, vocabulary, FeatureKind::vocabulary)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, hash, FeatureKind::hash)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(csv, vocabulary, FeatureKind::vocabulary)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(csv, hash, FeatureKind::hash)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(row, vocabulary, FeatureKind::vocabulary)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(row, hash, FeatureKind::hash)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(fit, vocabulary, FeatureKind::vocabulary)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fit, hash, FeatureKind::hash)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
