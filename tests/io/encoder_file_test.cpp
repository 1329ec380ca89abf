// Encoders in files: equal after a round trip, and hostile files refused.
#include "plait/io/encoder_file.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "plait/features/encoder_fit.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/json_lines_reader.hpp"
#include "plait/io/read_features.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/encoder.hpp"
#include "support/files.hpp"

using namespace plait;
using Names = std::vector<std::string>;

namespace {

std::string file_of(const FeatureEncoder& encoder) {
  const files::Directory directory;
  save(encoder, directory / "encoder");
  return files::contents(directory / "encoder");
}

// All that a batch of these rows holds, as bytes.
std::string encoded(const FeatureEncoder& encoder, const std::string& csv) {
  std::istringstream stream(csv);
  CsvReader reader(stream, "rows.csv");
  auto rows = encoder.rows();
  encode_rows(encoder, reader, encoder.layout(reader.columns()), 1000, rows);
  const auto batch = rows.batch();
  std::string bytes;
  const auto add = [&](const auto& numbers) {
    bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()) += ';';
  };
  for (Index f = 0; f < batch.sparse.num_features(); ++f) {
    add(batch.sparse.feature(f).ids);
    add(batch.sparse.feature(f).offsets);
  }
  add(std::span(batch.dense.data(), static_cast<std::size_t>(batch.batch() * batch.dense.dim())));
  return bytes;
}

}  // namespace

TEST_CASE("an encoder that was saved and loaded encodes to the same bytes") {
  const FeatureEncoder encoder = encoders::every_kind();
  const std::string file = file_of(encoder);
  const FeatureEncoder loaded = load_encoder(files::reader(file));
  CHECK(loaded.fingerprint() == encoder.fingerprint());
  CHECK(loaded.state().fitted[0].report == encoder.state().fitted[0].report);
  CHECK(file_of(loaded) == file);
  // Unseen values, missing ones, bags of all lengths, bytes that are no text.
  const std::string rows =
      std::string(encoders::rows) + "nobody,\xff\xfe,5,,99,z|z|z|a,41\n,,,,,,\n";
  CHECK(encoded(loaded, rows) == encoded(encoder, rows));
  CHECK(encoded(loaded, rows).size() > 500);
}

TEST_CASE("files that hold no encoder are refused") {
  const std::string file = file_of(encoders::every_kind());
  using Parts = files::Parts;
  const auto error_of = [&](const auto& change) -> std::string {
    const std::string changed = files::resealed(file, change);
    try {
      load_encoder(files::reader(changed));
    } catch (const FormatError& error) {
      return error.what();
    }
    return "none";
  };
  CHECK(error_of([](Parts&) {}) == "none");
  CHECK(error_of([](Parts& parts) { parts.meta("plait.format") = "plait.model.1"; }) ==
        "plait::memory: plait.format: got 'plait.model.1', expected plait.encoder.1");
  CHECK(error_of([](Parts& parts) { parts.meta("plait.features") = "{}"; }) ==
        "plait::memory: plait.features: got no config, expected it");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    return error_of([&](Parts& parts) {
      std::string& json = parts.meta("plait.features");
      const auto at = json.find(from);
      REQUIRE(at != json.npos);
      json.replace(at, from.size(), to);
    });
  };
  CHECK(replaced("\"kind\":\"hash\"", "\"kind\":\"hush\"") ==
        "plait::memory: plait.features.config.features[1].kind: got \"hush\", expected a known "
        "name");
  CHECK(replaced("\"buckets\":50", "\"buckets\":5000000000").find("expected 1 to 4294967294") !=
        std::string::npos);
  CHECK(replaced("\"deviation\":1.0", "\"deviation\":2.0") ==
        "plait::memory: encoder: got plait::FeatureEncoder: feature 'user': got a mean and a "
        "deviation, expected none, expected what can be built");
  const double deviation = encoders::every_kind().state().fitted[7].deviation;
  const std::string stored = "\"deviation\":" + detail::Json(deviation).dump();
  for (const char* other : {"0.0", "-1.0", "1e-310"}) {
    CHECK(replaced(stored, std::string("\"deviation\":") + other)
              .find("expected a finite mean and a positive deviation") != std::string::npos);
  }
  CHECK(replaced("\"boundaries\":[1.0,10.0]", "\"boundaries\":[10.0,1.0]") != "none");
  CHECK(replaced("\"name\":\"user\"", "\"name\":\"usher\"") != "none");

  const auto tensor = [&](std::size_t i, const auto& change) {
    return error_of([&](Parts& parts) { change(parts.header.tensors[i], parts.data[i]); });
  };
  using Info = TensorInfo;
  CHECK(tensor(0, [](Info& t, std::string&) { t.name = "plait.vocabulary.x.bytes"; }) ==
        "plait::memory: 'plait.vocabulary.x.bytes': got the tensor of no table, expected those of "
        "the encoder");
  CHECK(tensor(0, [](Info& t, std::string&) { t.name = "weight"; }) != "none");
  CHECK(tensor(0, [](Info& t, std::string& data) {
          t.shape = {data.size() - 1};
          data.pop_back();
        }) != "none");
  CHECK(tensor(1, [](Info&, std::string& data) { data[0] = 1; }) != "none");
  CHECK(tensor(1, [](Info&, std::string& data) { data[15] = '\x7f'; }) != "none");
  CHECK(tensor(1, [](Info& t, std::string&) { t.dtype = DType::f64; }) ==
        "plait::memory: 'plait.vocabulary.user.offsets': got another type or shape, expected a "
        "list of I64");
  CHECK(tensor(1, [](Info& t, std::string&) { t.shape.push_back(1); }) != "none");
  CHECK(error_of([](Parts& parts) {
          parts.header.tensors.pop_back();
          parts.data.pop_back();
        }).find("no vocabulary of table 'tags'") != std::string::npos);

  // Torn and altered files.
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 7) {
    CHECK_THROWS_AS(load_encoder(files::reader(file.substr(0, size))), FormatError);
  }
  for (std::size_t at = 8; at < file.size(); at += 37) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    CHECK_THROWS_AS(load_encoder(files::reader(changed)), FormatError);
  }
  CHECK_THROWS_AS(load_encoder("/no/such/file"), FileError);
}

TEST_CASE("descriptions are written for people, and read from them") {
  const EncoderConfig config = encoders::every_kind().config();
  const std::string json = to_json(config);
  CHECK(to_json(read_encoder_config(json, "x")) == json);
  const auto read = read_encoder_config(
      R"({ "features": [ {"kind": "vocabulary", "dim": 8, "name": "a", "min_count": 2} ] })", "x");
  CHECK(read.features[0].dim == 8);
  const auto error_of = [](const std::string& text) -> std::string {
    try {
      read_encoder_config(text, "my.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  CHECK(error_of(R"({"features": [{"name": "a", "kind": "vocabulary", "dims": 8}]})") ==
        "plait::my.json: features.features[0]: got 3 fields, expected 2");
  CHECK(error_of("{").starts_with("plait::my.json: features: got another text"));
  CHECK(error_of(R"({"features": [{"name": "a", "kind": "vocabulary"}]})") ==
        "plait::EncoderConfig: feature 'a': dim: got 0, expected 1 to 4096");
}

TEST_CASE("fits and encodings of files say where a value stands, and how far they are") {
  const EncoderConfig config{{{.name = "n", .kind = FeatureKind::number}}};
  std::istringstream bad("n,m\n1,2\n\"two\nor 3\",4\n");
  CsvReader reader(bad, "rows.csv");
  CHECK_THROWS_WITH(fit_encoder(config, reader),
                    "plait::rows.csv:3: column 'n': got 'two\\x0aor 3', expected a number");
  std::string text = "n\n";
  for (int i = 0; i < 10'000; ++i) text += std::to_string(i % 7) + "\n";
  std::istringstream stream(text);
  CsvReader good(stream, "rows.csv");
  std::vector<Index> progress;
  const auto encoder = fit_encoder(config, good, [&](Index rows) { progress.push_back(rows); });
  CHECK(progress == std::vector<Index>{4096, 8192, 10'000});
  std::istringstream json("{\"n\": 3}\n{\"n\": \"x\"}\n");
  JsonLinesReader lines(json, "rows.jsonl", columns_of(config));
  auto rows = encoder.rows();
  const auto layout = encoder.layout(lines.columns());
  CHECK_THROWS_WITH(encode_rows(encoder, lines, layout, 10, rows),
                    "plait::rows.jsonl:2: column 'n': got 'x', expected a number");
  CHECK(rows.size() == 1);
  std::istringstream other("m\n1\n");
  CsvReader without(other, "rows.csv");
  CHECK_THROWS_AS(fit_encoder(config, without), ConfigError);
}

TEST_CASE("a first description is guessed from rows") {
  std::string text = "userId,price,hour,genres,title,token,empty,label,paid\n";
  for (int i = 0; i < 500; ++i) {
    const auto n = [&](int modulus) { return std::to_string(i * 7919 % modulus); };
    text += n(50) + "," + (i % 9 == 0 ? "NA" : n(100) + ".5") + "," + n(24) + "," +
            (i % 2 == 0 ? "drama|war" : "war") + ",\"Title, the " + n(60) + "th\",t" +
            n(1'000'003) + ",," + n(2) + "," + n(90) + "\n";
  }
  std::istringstream stream(text);
  CsvReader reader(stream, "rows.csv");
  const EncoderConfig config = describe(reader, 400, {.except = {"label"}, .dim = 8});
  check_features(config);
  REQUIRE(config.features.size() == 7);
  const auto& f = config.features;
  CHECK((f[0].name == "userId" && f[0].kind == FeatureKind::vocabulary && !f[0].bag));
  CHECK((f[1].name == "price" && f[1].kind == FeatureKind::number));
  CHECK((f[2].name == "hour" && f[2].kind == FeatureKind::number));
  CHECK((f[3].name == "genres" && f[3].bag == Bag{"|"} && f[3].dim == 8));
  CHECK((f[5].name == "token" && f[5].kind == FeatureKind::hash && f[5].buckets == 65536));
  CHECK((f[6].name == "paid" && f[6].kind == FeatureKind::number));
  CHECK(config.missing == Names{"NA"});
  CHECK(reader.next());  // the rest is there still

  std::istringstream json("{\"tags\": [\"a\"], \"x\": null}\n{\"y\": 1, \"tags\": []}\n");
  JsonLinesReader lines(json, "rows.jsonl");
  const EncoderConfig of_lines = describe(lines);
  REQUIRE(of_lines.features.size() == 2);
  CHECK((of_lines.features[0].name == "tags" && of_lines.features[0].bag));
  CHECK((of_lines.features[1].name == "y" && is_number(of_lines.features[1])));
}
