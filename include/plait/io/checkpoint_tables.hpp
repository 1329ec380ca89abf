// The tables in checkpoints: all of their rows in a full one, the rows that moved in a delta.
//
//   embedding_bags.{table}.weight   values [n, dim]
//   rows.{rule}.{table}             the rule's state of the same rows [n, state size], if it has
//   any moved.{table}                   which rows those are, rising [n]: of a delta alone
//   embedding_bags.{table}.ids      all ids of a growing table (io/id_tensor.hpp), in a delta as
//                                   well: of those that are forgotten nothing else would tell. Rows
//                                   that it gives or takes have moved.
//
// Neither writing nor reading makes a copy: what is written is taken from the tables piece by
// piece, and what is read goes into them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"
#include "plait/io/id_tensor.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/sparse/input_tables.hpp"

namespace plait::detail {

inline constexpr const char* tables_key = "plait.tables";  // their number, where there are any
inline constexpr std::string_view moved_prefix = "moved.";

inline std::string moved_tensor(std::string_view table) { return text(moved_prefix, table); }
inline std::string row_state_tensor(std::string_view rule, std::string_view table) {
  return text("rows.", rule, ".", table);
}

// Rows that are written or put in place at a time: a quarter of a megabyte, or one.
template <class Number>
std::size_t rows_of_piece(Index width) {
  const std::size_t row_bytes = static_cast<std::size_t>(width) * sizeof(Number);
  return (std::max<std::size_t>)((std::size_t{1} << 18) / row_bytes, 1);
}

// Puts number(row, to) [width] of every marked row.
template <class Number, class NumbersOf>
std::function<void(SafetensorsWriter::Put)> of_marked_rows(const RowMarks& marks, Index width,
                                                           NumbersOf numbers_of) {
  return [&marks, width, numbers_of](SafetensorsWriter::Put put) {
    const auto size = static_cast<std::size_t>(width);
    std::vector<Number> piece(rows_of_piece<Number>(width) * size);
    std::size_t filled = 0;
    const auto flush = [&] {
      put(std::as_bytes(std::span(piece).first(filled)));
      filled = 0;
    };
    marks.for_each([&](Index row) {
      numbers_of(row, piece.data() + filled);
      filled += size;
      if (filled == piece.size()) flush();
    });
    flush();
  };
}

template <class Scalar>
std::function<void(SafetensorsWriter::Put)> marked_rows_of(std::span<const Scalar> numbers,
                                                           const RowMarks& marks, Index width) {
  return of_marked_rows<Scalar>(marks, width, [numbers, width](Index row, Scalar* to) {
    std::copy_n(numbers.data() + row * width, width, to);
  });
}

// The writer borrows the numbers; with `moved` those of the rows that are marked.
template <class Scalar>
PLAIT_COLD void add_tables(SafetensorsWriter& writer, InputTables<Scalar>& tables, bool moved) {
  const auto all = tables.numbers();
  writer.add_metadata(tables_key, text(all.size()));
  for (const TableNumbers<Scalar>& table : all) {
    const std::string values = table_tensor(table.name);
    const std::string state = row_state_tensor(tables.rule_name(), table.name);
    if (table.ids != nullptr) add_ids(writer, ids_tensor(table.name), *table.ids);
    const auto size = [](Index n) { return static_cast<std::uint64_t>(n); };
    if (!moved) {
      writer.add<Scalar>(values, {size(table.rows), size(table.dim)}, table.values);
      if (table.state_size > 0)
        writer.add<Scalar>(state, {size(table.rows), size(table.state_size)}, table.state);
      continue;
    }
    const RowMarks& marks = *table.marks;
    const std::uint64_t count = marks.count();
    writer.add_made(moved_tensor(table.name), DType::i64, {count},
                    of_marked_rows<std::int64_t>(marks, 1, [](Index row, std::int64_t* to) {
                      *to = static_cast<std::int64_t>(row);
                    }));
    writer.add_made(values, dtype_of<Scalar>(), {count, size(table.dim)},
                    marked_rows_of<Scalar>(table.values, marks, table.dim));
    if (table.state_size > 0)
      writer.add_made(state, dtype_of<Scalar>(), {count, size(table.state_size)},
                      marked_rows_of<Scalar>(table.state, marks, table.state_size));
  }
}

// The tables of a full checkpoint, the first of `chain`, and of the deltas after it, in the order
// in which they follow. Whole files: their checksums are right.
template <class Scalar>
class RestoredTables {
 public:
  // Throws FormatError for other tables than the run's, which has none when `tables` is null, and
  // for rows that no delta can have; nothing is changed.
  PLAIT_COLD RestoredTables(const std::vector<std::string>& chain, InputTables<Scalar>* tables)
      : chain_(chain), tables_(tables) {
    if (tables != nullptr) numbers_ = tables->numbers();
    for (const std::string& path : chain) {
      SafetensorsReader file(path);
      check(file, &path != &chain.front());
      if (&path == &chain.back()) read_ids(file);
    }
  }

  // Puts all numbers in place. Throws FileError when a file cannot be read any more; some numbers
  // have changed then.
  PLAIT_COLD void read() {
    if (tables_ == nullptr) return;
    for (const std::string& path : chain_) {
      SafetensorsReader file(path);
      for (const TableNumbers<Scalar>& table : numbers_) {
        const TensorInfo& values = *file.header().find(table_tensor(table.name));
        const TensorInfo* state =
            file.header().find(row_state_tensor(tables_->rule_name(), table.name));
        if (&path == &chain_.front()) {
          file.read(values, table.values);
          if (table.state_size > 0) file.read(*state, table.state);
          continue;
        }
        const TensorInfo& rows = *file.header().find(moved_tensor(table.name));
        put_rows(file, rows, values, table.dim, table.values);
        if (table.state_size > 0) put_rows(file, rows, *state, table.state_size, table.state);
      }
    }
    for (std::size_t t = 0; t < ids_.size(); ++t)
      if (ids_[t]) *numbers_[t].ids = std::move(*ids_[t]);
  }

 private:
  void check(SafetensorsReader& file, bool is_delta) const {
    const std::string* stored = file.header().meta(tables_key);
    const std::string none = "none";
    const std::string ours = tables_ == nullptr ? none : text(numbers_.size());
    if ((stored == nullptr ? none : *stored) != ours)
      throw FormatError(file.name(), tables_key, stored == nullptr ? none : in_quotes(*stored),
                        ours + " as in this run");
    for (const TableNumbers<Scalar>& table : numbers_) {
      auto count = static_cast<std::uint64_t>(table.rows);
      if (is_delta) {
        const TensorInfo& rows = tensor(file, moved_tensor(table.name));
        count = rows.shape.size() == 1 ? rows.shape[0] : 0;
        require(file, rows, DType::i64, {count});
        check_rows(file, rows, table.rows);
      }
      if (table.ids != nullptr) require_ids(file.name(), tensor(file, ids_tensor(table.name)));
      const auto check_numbers = [&](const std::string& name, Index width) {
        require(file, tensor(file, name), dtype_of<Scalar>(),
                {count, static_cast<std::uint64_t>(width)});
      };
      check_numbers(table_tensor(table.name), table.dim);
      if (table.state_size > 0)
        check_numbers(row_state_tensor(tables_->rule_name(), table.name), table.state_size);
    }
  }

  // Those of the last file: all that the tables know.
  void read_ids(SafetensorsReader& file) {
    for (const TableNumbers<Scalar>& table : numbers_) {
      ids_.emplace_back();
      if (table.ids == nullptr) continue;
      const TensorInfo& ids = tensor(file, ids_tensor(table.name));
      ids_.back().emplace(detail::read_ids(
          file.name(), ids, table.rows, table.ids->admission(), [&](const auto& take) {
            for_each_piece(file, ids, 4096 * numbers_of_id,
                           [&](auto, std::span<const std::int64_t> piece) { take(piece); });
          }));
    }
  }

  static const TensorInfo& tensor(const SafetensorsReader& file, const std::string& name) {
    const TensorInfo* found = file.header().find(name);
    if (found == nullptr)
      throw FormatError(file.name(), "tensors", "no " + in_quotes(name), "the tables of this run");
    return *found;
  }
  static void require(const SafetensorsReader& file, const TensorInfo& tensor, DType dtype,
                      const std::vector<std::uint64_t>& shape) {
    if (tensor.dtype != dtype || tensor.shape != shape)
      throw FormatError(file.name(), in_quotes(tensor.name),
                        std::string(info(tensor.dtype).name) + " " + shape_text(tensor.shape),
                        std::string(info(dtype).name) + " " + shape_text(shape));
  }

  // f(first, numbers) for one piece of the numbers after the other.
  template <class F>
  static void for_each_piece(SafetensorsReader& file, const TensorInfo& from, std::size_t most,
                             const F& f) {
    std::vector<std::int64_t> piece;
    for (std::uint64_t first = 0; first < from.count(); first += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(most, from.count() - first)));
      file.read_part(from, first, std::span(piece));
      f(first, std::span<const std::int64_t>(piece));
    }
  }
  static void check_rows(SafetensorsReader& file, const TensorInfo& rows, Index end) {
    std::int64_t least = 0;
    for_each_piece(file, rows, rows_of_piece<std::int64_t>(1), [&](auto, auto piece) {
      for (const std::int64_t row : piece) {
        if (row < least || row >= static_cast<std::int64_t>(end))
          throw FormatError(file.name(), in_quotes(rows.name), text(row),
                            text("rising rows from ", least, " to ", end - 1));
        least = row + 1;
      }
    });
  }
  static void put_rows(SafetensorsReader& file, const TensorInfo& rows, const TensorInfo& tensor,
                       Index width, std::span<Scalar> to) {
    const auto size = static_cast<std::size_t>(width);
    std::vector<Scalar> numbers;
    for_each_piece(file, rows, rows_of_piece<Scalar>(width), [&](auto first, auto piece) {
      numbers.resize(piece.size() * size);
      file.read_part(tensor, first * size, std::span(numbers));
      for (std::size_t i = 0; i < piece.size(); ++i)
        std::copy_n(numbers.data() + i * size, size,
                    to.data() + static_cast<std::size_t>(piece[i]) * size);
    });
  }

  std::vector<std::string> chain_;
  InputTables<Scalar>* tables_;
  std::vector<TableNumbers<Scalar>> numbers_;
  std::vector<std::optional<IdMap>> ids_;  // [tables], once they are known to be right
};

}  // namespace plait::detail
