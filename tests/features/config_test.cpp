// Descriptions: their fields, and what is refused.
#include <functional>

#include "plait/features/check_features.hpp"
#include "plait/features/feature_encoder.hpp"
#include "support/catch.hpp"
#include "support/field_list.hpp"

using namespace plait;
using enum plait::FeatureKind;

namespace {

std::string error_of(const EncoderConfig& config) {
  try {
    check_features(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}
std::string error_of(const Feature& feature) { return error_of(EncoderConfig{{feature}}); }

}  // namespace

TEST_CASE("a description of features is read as it was written") {
  const EncoderConfig config{
      .features = {{.name = "a",
                    .columns = {"b", "c"},
                    .side = Side::user,
                    .table = "t",
                    .dim = 3,
                    .pooling = Pooling::mean,
                    .min_count = 3,
                    .max_size = 7},
                   {.name = "d",
                    .columns = {"b"},
                    .table = "t",
                    .dim = 3,
                    .bag = Bag{" ", 5},
                    .min_count = 3,
                    .max_size = 7,
                    .counts = false},
                   {.name = "e", .kind = bucket, .dim = 1, .boundaries = {0.1, 2}},
                   {.name = "f", .kind = number, .log1p = true, .clip = 3, .missing_flag = true},
                   {.name = "g", .kind = direct, .dim = 1, .rows = 24}},
      .missing = {"?"}};
  check_features(config);
  const auto fields = support::written(config);
  CHECK(support::written(support::read(fields, EncoderConfig{})) == fields);
  CHECK(fields.at("features.0.kind") == "vocabulary");
  CHECK(fields.at("features.1.bag.separator") == " ");
  CHECK(!fields.contains("features.0.counts"));
}

TEST_CASE("descriptions that make no sense are refused, by feature and setting") {
  CHECK(error_of(EncoderConfig{}) ==
        "plait::EncoderConfig: features: got none, expected at least one");
  CHECK(error_of({.name = "a", .dim = 1}) == "none");
  CHECK(error_of({.name = "a"}) ==
        "plait::EncoderConfig: feature 'a': dim: got 0, expected 1 to 4096");
  CHECK(error_of({.name = "a", .kind = number, .dim = 1}) ==
        "plait::EncoderConfig: feature 'a': dim: got one for the kind number, expected none");
  for (const Feature& feature : std::vector<Feature>{
           {.dim = 1},
           {.name = "a", .columns = {""}, .dim = 1},
           {.name = "a", .columns = {"b", "b"}, .dim = 1},
           {.name = "a", .columns = {"b", "c"}, .dim = 1, .bag = Bag{}},
           {.name = "a", .kind = direct, .columns = {"b", "c"}, .dim = 1, .rows = 2},
           {.name = "a", .dim = -1},
           {.name = "a", .dim = 1, .min_count = 0},
           {.name = "a", .dim = 1, .max_size = -1},
           {.name = "a", .dim = 1, .buckets = 5},
           {.name = "a", .dim = 1, .rows = 5},
           {.name = "a", .dim = 1, .boundaries = {1}},
           {.name = "a", .dim = 1, .log1p = true},
           {.name = "a", .dim = 1, .standardise = false},
           {.name = "a", .dim = 1, .clip = 1},
           {.name = "a", .dim = 1, .missing_flag = true},
           {.name = "a", .dim = 1, .bag = Bag{"|", -1}},
           {.name = "a", .kind = hash, .dim = 1},
           {.name = "a", .kind = hash, .dim = 1, .min_count = 3, .buckets = 8},
           {.name = "a", .kind = hash, .dim = 1, .counts = false, .buckets = 8},
           {.name = "a", .kind = hash, .dim = 1, .buckets = 4294967295},
           {.name = "a", .kind = direct, .dim = 1},
           {.name = "a", .kind = direct, .dim = 1, .rows = 4294967297},
           {.name = "a", .kind = growing, .dim = 1},
           {.name = "a", .kind = growing, .dim = 1, .rows = 1},
           {.name = "a", .kind = growing, .dim = 1, .rows = (Index{1} << 30) + 1},
           {.name = "a", .kind = growing, .dim = 1, .rows = 9, .admission = 0},
           {.name = "a", .kind = growing, .dim = 1, .rows = 9, .admission = Index{1} << 32},
           {.name = "a", .kind = direct, .dim = 1, .rows = 9, .admission = 2},
           {.name = "a", .kind = bucket, .dim = 1},
           {.name = "a", .kind = bucket, .dim = 1, .buckets = 1},
           {.name = "a", .kind = bucket, .dim = 1, .buckets = 4, .boundaries = {1}},
           {.name = "a", .kind = bucket, .dim = 1, .boundaries = {1, 1}},
           {.name = "a", .kind = bucket, .dim = 1, .boundaries = {1, NAN}},
           {.name = "a", .kind = number, .table = "b"},
           {.name = "a", .kind = number, .bag = Bag{}},
           {.name = "a", .kind = number, .pooling = Pooling::mean},
           {.name = "a", .kind = number, .clip = -1},
           {.name = "a", .kind = number, .standardise = false, .clip = 1},
           {.name = "a", .dim = 1, .counts = false}}) {
    CAPTURE(support::written(feature));
    CHECK(error_of(feature) != "none");
  }
  CHECK(error_of(EncoderConfig{{{.name = "a", .dim = 1}, {.name = "a", .dim = 1}}}) ==
        "plait::EncoderConfig: features: got feature 'a' twice, expected names of their own");
  CHECK(error_of(EncoderConfig{{{.name = "a", .dim = 1}}, {"NA", "NA"}}) != "none");
  CHECK(error_of(EncoderConfig{{{.name = "a", .dim = 1}}, {""}}) != "none");
}

TEST_CASE("features on one table agree") {
  const Feature first{.name = "a", .dim = 4};
  const auto error_of_both = [&](const std::function<void(Feature&)>& change) {
    Feature other{.name = "b", .table = "a", .dim = 4};
    change(other);
    return error_of(EncoderConfig{{first, other}});
  };
  CHECK(error_of_both([](Feature&) {}) == "none");
  CHECK(error_of_both([](Feature& f) { f.dim = 5; }) ==
        "plait::EncoderConfig: feature 'b': dim: got another one than that of feature 'a', "
        "expected the same: both are on table 'a'");
  CHECK(error_of_both([](Feature& f) { f.min_count = 1; }) != "none");
  CHECK(error_of_both([](Feature& f) { f.max_size = 1; }) != "none");
  CHECK(error_of_both([](Feature& f) { f.counts = false; }) == "none");
  CHECK(error_of_both([](Feature& f) {
          f.kind = hash;
          f.buckets = 3;
        }) != "none");
  CHECK(error_of(EncoderConfig{
            {{.name = "a", .kind = growing, .dim = 1, .rows = 9},
             {.name = "b", .kind = growing, .table = "a", .dim = 1, .rows = 9, .admission = 2}}}) ==
        "plait::EncoderConfig: feature 'b': admission: got another one than that of feature 'a', "
        "expected the same: both are on table 'a'");
  CHECK(error_of(EncoderConfig{
            {{.name = "a", .kind = bucket, .dim = 1, .boundaries = {1}},
             {.name = "b", .kind = bucket, .table = "a", .dim = 1, .boundaries = {1}}}}) ==
        "plait::EncoderConfig: feature 'b': table: got 'a', expected none: buckets are a "
        "feature's own");
}
