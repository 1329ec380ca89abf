// Products in bf16 against those of rounded numbers, and which weights are reduced.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "mutation/checks.hpp"
#include "plait/core/random.hpp"
#include "plait/kernels/linear.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "plait/model/precision.hpp"

namespace {

using Numbers = std::vector<float>;

// Of numbers far from the ends of the range.
float rounded(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t half = bits & 0xffffU;
  const std::uint32_t up = half > 0x8000U || (half == 0x8000U && (bits & 0x10000U) != 0) ? 1 : 0;
  return std::bit_cast<float>(((bits >> 16) + up) << 16);
}
Numbers rounded(Numbers x) {
  for (float& v : x) v = rounded(v);
  return x;
}

Numbers linear(plait::InstructionSet set, plait::PackedFormat format, plait::Index rows,
               plait::Index outputs, plait::Index inputs, const Numbers& x, const Numbers& w,
               const Numbers& bias) {
  plait::AlignedVector<float> panels(
      static_cast<std::size_t>(plait::kernels::packed_size<float>(set, format, outputs, inputs)));
  const auto packed = plait::kernels::pack_weight<float>(
      set, format, {w.data(), outputs, inputs, Eigen::OuterStride<>(inputs)}, panels.data());
  Numbers y(static_cast<std::size_t>(rows * outputs));
  plait::kernels::linear<float>(plait::View3<const float>(x.data(), rows, 1, inputs), packed,
                                bias.data(), plait::View3<float>(y.data(), rows, 1, outputs));
  return y;
}

}  // namespace

std::string checks::run() {
  plait::Random random(5);
  const auto numbers = [&](plait::Index count) {
    Numbers result(static_cast<std::size_t>(count));
    for (float& x : result) x = static_cast<float>(random.normal());
    // Some between two bf16, at equal distances.
    for (std::size_t i = 0; i < result.size(); i += 5)
      result[i] =
          std::bit_cast<float>((std::bit_cast<std::uint32_t>(result[i]) | 0x8000U) & 0xffff8000U);
    return result;
  };
  for (const plait::Index inputs : {7, 64, 5001})
    for (const plait::Index rows : {1, 11, 27}) {
      const plait::Index outputs = 50;
      const Numbers x = numbers(rows * inputs);
      const Numbers w = numbers(outputs * inputs);
      const Numbers bias = numbers(outputs);
      // Machines with the largest set have the paths of all.
      for (const auto set : {plait::InstructionSet::avx2, plait::InstructionSet::avx512,
                             plait::InstructionSet::avx512_bf16}) {
        if (set > plait::instruction_set()) break;
        const Numbers expected = linear(set, plait::PackedFormat::full, rows, outputs, inputs,
                                        rounded(x), rounded(w), bias);
        for (const auto tried : {plait::kernels::bf16_format(set), plait::PackedFormat::rounded}) {
          const Numbers got = linear(set, tried, rows, outputs, inputs, x, w, bias);
          if (std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)) != 0)
            return "products of " + std::to_string(inputs) + " inputs";
        }
      }
    }
  plait::ParamTable table;
  table.add_weight("a", 3, 2, {});
  table.mark_last(table.add_weight("b", 3, 2, {}));
  table.add_weight("c", 3, 2, {});
  table.add_vector("d", 3, {});
  using Flags = std::vector<bool>;
  if (plait::reduced_weights<float>(table, plait::Precision::bf16, {"c"}) !=
      Flags{true, false, false, false})
    return "weights that are reduced";
  if (plait::reduced_weights<float>(table, plait::Precision::full, {}) != Flags(4, false))
    return "weights that are reduced to full precision";
  return "";
}
