#include "census.hpp"

#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "errors.hpp"
#include "plait/core/tensor.hpp"
#include "support/catch.hpp"
#include "text_file.hpp"

namespace {

using ranker::CensusColumn;
using ranker::DataError;
using ranker::Dataset;

// A line as UCI distributes it, with the fields that the tests vary.
std::string line(int age, const std::string& work, const std::string& education,
                 const std::string& marital, const std::string& income) {
  return std::to_string(age) + ", " + work + ", 4, 36, " + education + ", 0, Not in universe, " +
         marital +
         ", Manufacturing-durable goods, Machine operators assmblrs & inspctrs, White,"
         " Mexican (Mexicano), Female, Not in universe, Not in universe, Full-time schedules, 0, 0,"
         " 0, Joint one under 65 & one 65+, Not in universe, Not in universe, Spouse of"
         " householder, Spouse of householder, 1032.38, ?, ?, ?, Not in universe under 1 year old,"
         " ?, 4, Not in universe, Mexico, Mexico, Mexico, Foreign born- Not a citizen of U S , 0,"
         " Not in universe, 2, 12, 95, " +
         income + ".\n";
}

// Rows 0 to 5 train, 6 and 7 validate, 8 and 9 test.
std::string sample() {
  std::string text;
  for (int row = 0; row < 10; ++row)
    text += line(20 + row,
                 row == 9       ? "Never worked"
                 : row % 2 == 0 ? "Private"
                                : "?",
                 row == 1   ? "Prof school degree (MD DDS DVM LLB JD)"
                 : row == 2 ? "Associates degree-academic program"
                            : "Children",
                 row < 3 ? "Never married" : "Divorced", row == 4 ? "50000+" : "- 50000");
  return text;
}

std::vector<CensusColumn> read(const std::string& text) {
  std::istringstream in(text);
  return ranker::read_census(in, "census.data");
}

Dataset dataset(const std::string& text) {
  return ranker::census_dataset(read(text), "census.data");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::filesystem::path scratch_file(const std::string& name) {
  return std::filesystem::temp_directory_path() / ("plait_census_test_" + name);
}

}  // namespace

TEST_CASE("census: a file becomes columns") {
  const auto columns = read(sample());
  REQUIRE(columns.size() == 42);
  CHECK(columns[0].name == "age");
  CHECK(columns[0].numbers == std::vector<float>{20, 21, 22, 23, 24, 25, 26, 27, 28, 29});
  CHECK(columns[1].values == std::vector<std::string>{"Private", "?", "Never worked"});
  CHECK(columns[1].codes == std::vector<int>{0, 1, 0, 1, 0, 1, 0, 1, 0, 2});
  CHECK(columns[24].numbers.front() == 1032.38f);
  CHECK(columns[41].values == std::vector<std::string>{"- 50000", "50000+"});
}

TEST_CASE("census: Windows line ends and an empty last line change nothing") {
  std::string text;
  for (const char c : sample()) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const auto columns = read(text + "\r\n");
  CHECK(columns[41].values == std::vector<std::string>{"- 50000", "50000+"});
  CHECK(columns[41].codes.size() == 10);
}

TEST_CASE("census: a byte order mark, signs and numbers below float's range change nothing") {
  const auto columns = read("\xef\xbb\xbf" + replaced(sample(), "1032.38", "+1e-46"));
  CHECK(columns[0].numbers.front() == 20);
  CHECK(columns[24].numbers.front() == 0);
  CHECK(columns[24].numbers[1] == 1032.38f);
  CHECK_THROWS_WITH(read(replaced(sample(), "21, ?",
                                  "\xef\xbb\xbf"
                                  "21, ?")),
                    "census.data:2: column age: got '\\xef\\xbb\\xbf21', expected a number");
}

TEST_CASE("census: data of other rows have another fingerprint") {
  CHECK(dataset(sample()).fingerprint == dataset(sample()).fingerprint);
  for (const auto& [value, other] :
       {std::pair("1032.38", "1032.39"), {"21, ?", "22, ?"}, {"21, ?", "21, Private"}}) {
    INFO(value);
    CHECK(dataset(replaced(sample(), value, other)).fingerprint != dataset(sample()).fingerprint);
  }
}

TEST_CASE("census: labels and parts follow the protocol") {
  const Dataset data = dataset(sample());
  CHECK(data.train == std::vector<plait::Index>{0, 1, 2, 3, 4, 5});
  CHECK(data.validation == std::vector<plait::Index>{6, 7});
  CHECK(data.test == std::vector<plait::Index>{8, 9});
  REQUIRE(data.labels.rows() == 10);
  for (plait::Index row = 0; row < 10; ++row) {
    INFO("row " << row);
    CHECK(data.labels(row, 0) == (row == 4 ? 1.0f : 0.0f));  // income
    CHECK(data.labels(row, 1) == (row < 3 ? 1.0f : 0.0f));   // never married
    CHECK(data.labels(row, 2) == (row == 1 ? 1.0f : 0.0f));  // a degree; an associate's is none
  }
}

TEST_CASE("census: numbers are standardised by the training rows alone") {
  const Dataset data = dataset(sample());
  REQUIRE(data.features.dense.cols() == 7);
  const double deviation = std::sqrt(17.5 / 6);  // ages 20 to 25: mean 22.5, population variance
  for (plait::Index row = 0; row < 10; ++row)
    CHECK(data.features.dense(row, 0) ==
          Approx((20 + static_cast<double>(row) - 22.5) / deviation).epsilon(1e-6));
  CHECK(data.features.dense.col(1).isZero(0));  // a constant column
}

TEST_CASE("census: categories are one-hot over the values of the training rows") {
  const Dataset data = dataset(sample());
  // 42 columns without 3 labels, the weight and 7 numbers; class_worker has two values that train.
  CHECK(data.features.hot.cols() == 31);
  CHECK(data.features.one_hot_width == 32);
  CHECK(data.features.input_dim() == 39);

  plait::Tensor<float> x(2, 1, 39);
  ranker::gather(data.features, std::vector<plait::Index>{0, 9}, x);
  CHECK(x.view().row(0)[0] == data.features.dense(0, 0));
  CHECK(x.view().row(0)[7] == 1.0f);  // Private
  CHECK(x.view().row(0)[8] == 0.0f);
  CHECK(x.view().row(1)[7] == 0.0f);  // Never worked: unseen
  CHECK(x.view().row(1)[8] == 0.0f);
  CHECK(x.view().of_slot(0).row(0).tail(32).sum() == 31.0f);
  CHECK(x.view().of_slot(0).row(1).tail(32).sum() == 30.0f);
}

TEST_CASE("census: errors name the file, the line and the column") {
  CHECK_THROWS_WITH(read(line(20, "a, b", "c", "d", "- 50000")),
                    "census.data:1: got 43 columns, expected 42");
  CHECK_THROWS_WITH(read(sample() + "1, 2, 3\n"), "census.data:11: got 3 columns, expected 42");
  CHECK_THROWS_WITH(read(replaced(sample(), "22, Private", "old, Private")),
                    "census.data:3: column age: got 'old', expected a number");
  CHECK_THROWS_WITH(read(replaced(sample(), "22, Private", "22x, Private")),
                    "census.data:3: column age: got '22x', expected a number");
  CHECK_THROWS_WITH(read(replaced(sample(), "22, Private", "nan, Private")),
                    "census.data:3: column age: got 'nan', expected a number");
  CHECK_THROWS_WITH(
      read(replaced(sample(), "50000+.", "rich.")),
      "census.data:5: column income_50k: got 'rich', expected '- 50000.' or '50000+.'");
  CHECK_THROWS_WITH(read(replaced(sample(), "22, Private",
                                  "\x1b[2J"
                                  "22, Private")),
                    "census.data:3: column age: got '\\x1b[2J22', expected a number");
  CHECK_THROWS_WITH(dataset(""), "census.data: got 0 rows, expected at least 10");
  CHECK_THROWS_AS(dataset(""), DataError);
}

TEST_CASE("census: a gzip file reads like a plain one") {
  const auto plain = scratch_file("plain");
  const auto packed = scratch_file("packed.gz");
  std::ofstream(plain, std::ios::binary) << sample();
  const gzFile file = gzopen(packed.c_str(), "wb");
  gzwrite(file, sample().data(), static_cast<unsigned>(sample().size()));
  gzclose(file);

  const auto from_plain = ranker::read_census(*ranker::open_text(plain.string()), "plain");
  const auto from_packed = ranker::read_census(*ranker::open_text(packed.string()), "packed");
  CHECK(from_plain[0].numbers.size() == 10);
  CHECK(from_plain[0].numbers == from_packed[0].numbers);
  CHECK(from_plain[41].codes == from_packed[41].codes);

  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) / 2);
  CHECK_THROWS_AS(ranker::read_census(*ranker::open_text(packed.string()), "packed"), DataError);
  std::filesystem::remove(plain);
  std::filesystem::remove(packed);
}

TEST_CASE("census: gzip files of several members are read, and nothing else may follow") {
  const auto path = scratch_file("members.gz");
  const auto pack = [&](const std::string& text) {
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto rows = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    return ranker::read_census(*ranker::open_text(path.string()), "packed")[0].numbers.size();
  };
  const std::string packed = pack(sample()), nothing = pack("");
  std::string long_text;
  for (int i = 0; i < 500; ++i) long_text += sample();
  CHECK(rows(packed) == 10);
  CHECK(rows(packed + packed) == 20);
  CHECK(rows(nothing + packed + nothing) == 10);
  CHECK(rows(packed + std::string(70'000, '\0') + packed) == 20);
  CHECK(rows(packed + std::string(512, '\0')) == 10);
  CHECK(rows(pack(long_text)) == 5000);
  CHECK(rows(long_text) == 5000);
  CHECK(rows("\n") == 0);
  CHECK(rows("") == 0);
  for (const std::string& rubbish :
       {std::string("rubbish"), std::string("x"), sample(), std::string(100'000, 'z'),
        std::string("\0\0more", 6), packed.substr(0, packed.size() - 1), packed.substr(0, 3)})
    CHECK_THROWS_AS(rows(packed + rubbish), DataError);
  CHECK_THROWS_WITH(rows(packed + "rubbish"),
                    path.string() + ": bytes that are no gzip after the last of its gzip members");
  std::string damaged = packed;
  damaged[packed.size() - 6] ^= 1;  // of its checksum
  CHECK_THROWS_WITH(rows(damaged), path.string() + ": incorrect data check");
  std::filesystem::remove(path);
}

TEST_CASE("census: a file that is not there, and a directory, are refused by name") {
  CHECK_THROWS_WITH(ranker::open_text("/no/such/file"), "/no/such/file: No such file or directory");
  const auto stream = ranker::open_text("/");
  CHECK_THROWS_WITH(ranker::read_census(*stream, "/"), "/: Is a directory");
}
