// A small encoder with a feature of every kind.
#pragma once
#include <sstream>
#include <string>

#include "plait/features/feature.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/io/csv_reader.hpp"
#include "plait/io/read_features.hpp"

namespace encoders {

inline constexpr const char* rows =
    "user,city,hour,session,price,tags,age\n"
    "u,c,3,s,5,a|b|c,20\n"
    "v,c,0,s,0.5,,30\n"
    "u,d\xff,23,t,50,c|b,20\n"
    ",,,,,,\n";

inline plait::EncoderConfig every_kind_config() {
  using enum plait::FeatureKind;
  return {{{.name = "user", .side = plait::Side::user, .dim = 2, .min_count = 1},
           {.name = "city", .kind = hash, .dim = 2, .buckets = 50},
           {.name = "hour", .kind = direct, .dim = 2, .rows = 24},
           {.name = "session", .kind = growing, .dim = 2, .rows = 100},
           {.name = "price", .kind = bucket, .dim = 2, .boundaries = {1, 10}},
           {.name = "pair", .columns = {"user", "city"}, .dim = 2, .min_count = 1},
           {.name = "tags",
            .dim = 2,
            .pooling = plait::Pooling::mean,
            .bag = plait::Bag{"|", 2},
            .min_count = 1},
           {.name = "age", .kind = number, .side = plait::Side::user, .missing_flag = true},
           {.name = "log price", .kind = number, .columns = {"price"}, .log1p = true}}};
}

inline plait::FeatureEncoder every_kind() {
  std::istringstream stream(rows);
  plait::CsvReader reader(stream, "rows.csv");
  return plait::fit_encoder(every_kind_config(), reader);
}

}  // namespace encoders
