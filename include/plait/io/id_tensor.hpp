// The ids of a growing table (sparse/id_map.hpp) in a file, model's or checkpoint's:
//
//   embedding_bags.{table}.ids   I64 [ids, 4], of each its 64 bits, its row in
//                                embedding_bags.{table}.weight, 0 without one, how often it was
//                                seen, and since how many of the table's steps it was not
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/io/error.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/sparse/id_map.hpp"

namespace plait::detail {

inline constexpr std::size_t numbers_of_id = 4;

inline std::string ids_tensor(std::string_view table) {
  return text("embedding_bags.", table, ".ids");
}

inline bool is_ids_tensor(std::string_view name) {
  return name.starts_with("embedding_bags.") && name.ends_with(".ids");
}

// The writer borrows the ids.
PLAIT_COLD inline void add_ids(SafetensorsWriter& writer, const std::string& name,
                               const IdMap& ids) {
  writer.add_made(name, DType::i64, {ids.size(), numbers_of_id},
                  [&ids](SafetensorsWriter::Put put) {
                    constexpr std::size_t most = 4096 * numbers_of_id;
                    std::vector<std::int64_t> piece;
                    const auto flush = [&] {
                      put(std::as_bytes(std::span(piece)));
                      piece.clear();
                    };
                    ids.for_each([&](const IdMap::Record& record) {
                      piece.insert(piece.end(), {std::bit_cast<std::int64_t>(record.id), record.row,
                                                 record.count, record.age});
                      if (piece.size() == most) flush();
                    });
                    flush();
                  });
}

// Throws FormatError for a tensor that is no list of ids.
PLAIT_COLD inline void require_ids(const std::string& file, const TensorInfo& tensor) {
  if (tensor.dtype != DType::i64 || tensor.shape.size() != 2 || tensor.shape[1] != numbers_of_id)
    throw FormatError(file, in_quotes(tensor.name),
                      std::string(info(tensor.dtype).name) + " " + shape_text(tensor.shape),
                      "I64 of ids by 4");
}

// The map of a tensor that require_ids takes: numbers(take) calls take(piece) for one piece of its
// numbers after the other, each of whole ids. Throws FormatError for ids that no table of so many
// rows and this admission has.
PLAIT_COLD inline IdMap read_ids(
    const std::string& file, const TensorInfo& tensor, Index rows, Index admission,
    const std::function<void(const std::function<void(std::span<const std::int64_t>)>&)>& numbers) {
  const auto refuse = [&](std::string_view got, std::string_view expected) {
    throw FormatError(file, in_quotes(tensor.name), got, expected);
  };
  const auto narrow = [&](std::int64_t number) {
    constexpr std::int64_t most = (std::numeric_limits<std::uint32_t>::max)();
    if (number < 0 || number > most) refuse(text(number), "0 to 2^32 - 1");
    return static_cast<std::uint32_t>(number);
  };
  try {
    return IdMap::restored(rows, admission, [&](const auto& put) {
      numbers([&](std::span<const std::int64_t> piece) {
        for (std::size_t i = 0; i < piece.size(); i += numbers_of_id)
          put({.id = std::bit_cast<std::uint64_t>(piece[i]),
               .row = narrow(piece[i + 1]),
               .count = narrow(piece[i + 2]),
               .age = narrow(piece[i + 3])});
      });
    });
  } catch (const ConfigError& error) {
    throw FormatError(file, in_quotes(tensor.name), error.what(), "the ids of a table");
  }
}

}  // namespace plait::detail
