// Rows and encoders for tests.
#pragma once
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/features/encoder_fit.hpp"
#include "plait/features/feature_encoder.hpp"

namespace features {

using plait::RawValue;
using Row = std::vector<RawValue>;
using Names = std::vector<std::string>;
using Ids = std::vector<std::uint64_t>;
using List = std::span<const std::string_view>;

inline plait::FeatureEncoder fitted(plait::EncoderConfig config, const Names& names,
                                    const std::vector<Row>& rows) {
  plait::EncoderFit fit(std::move(config));
  const auto layout = fit.layout(names);
  for (const Row& row : rows) fit.add(row, layout);
  return fit.finish();
}

// Of one feature on the column "x".
inline plait::FeatureEncoder fitted(plait::Feature feature, const std::vector<RawValue>& values) {
  if (feature.name.empty()) feature.name = "x";
  if (feature.columns.empty()) feature.columns = {"x"};
  if (feature.dim == 0 && !plait::is_number(feature)) feature.dim = 4;
  std::vector<Row> rows;
  for (const RawValue& value : values) rows.push_back({value});
  return fitted(plait::EncoderConfig{.features = {feature}}, {"x"}, rows);
}

// The ids of a value in the only feature of such an encoder.
inline Ids ids(const plait::FeatureEncoder& encoder, const RawValue& value) {
  const Names names{"x"};
  auto rows = encoder.rows();
  encoder.encode(std::span(&value, 1), encoder.layout(names), rows);
  const auto feature = rows.batch().sparse.feature(0);
  return {feature.ids.begin(), feature.ids.end()};
}
inline std::vector<float> numbers(const plait::FeatureEncoder& encoder, const RawValue& value) {
  const Names names{"x"};
  auto rows = encoder.rows();
  encoder.encode(std::span(&value, 1), encoder.layout(names), rows);
  const auto dense = rows.batch().dense;
  return {dense.row(0), dense.row(0) + dense.dim()};
}

}  // namespace features
