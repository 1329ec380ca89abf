// Model files that take raw rows: network, tables and the encoder that makes their ids, in one.
//
//   save(model, tables, encoder, "ranker.safetensors", {.heads = heads}, rows);
//   auto ranker = load_with_encoder<float>("ranker.safetensors");
//
// A file of embedding_file.hpp and of encoder_file.hpp at the same time. Its self-test's rows are
// raw, so that encoder, tables and network are replayed; in the order of FeatureEncoder::columns(),
// plait.self_test.raw.values (I64 [rows, columns]) says what each value is, -2: missing, -1: a
// text, n: a list of n texts; plait.self_test.raw.bytes (U8) are the texts one after the other, and
// plait.self_test.raw.offsets (I64) where each of them begins, and the end.
//
// Features that are numbers alone have tables without any table (EmbeddingLayout).
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/tensor.hpp"
#include "plait/features/encoded_rows.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/features/raw_rows.hpp"
#include "plait/io/embedding_file.hpp"
#include "plait/io/encoder_file.hpp"
#include "plait/io/error.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/model/model.hpp"
#include "plait/model/registry.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_tables.hpp"

namespace plait {

template <class Scalar>
struct LoadedWithEncoder {
  Model<Scalar> model;
  EmbeddingTables<Scalar> tables;
  FeatureEncoder encoder;
  std::vector<Head> heads;  // empty when the file has none
  Metadata metadata;        // the user's
};

namespace detail {

// Throws ConfigError unless the encoder's batches are for tables of this description: the same
// tables, features and numbers, each in its place.
PLAIT_COLD inline void require_fit(const char* where, const FeatureEncoder& encoder,
                                   const EmbeddingConfig& tables) {
  const auto require = [&](bool same, const std::string& what, const std::string& got,
                           const std::string& expected) {
    require_config(same, where, "encoder", what + ' ' + got, expected + " as the tables have");
  };
  const auto same_count = [&](const char* what, std::size_t got, std::size_t expected) {
    require(got == expected, what, text(got), text(expected));
  };
  const EmbeddingConfig& own = encoder.embeddings();
  same_count("tables:", own.tables.size(), tables.tables.size());
  same_count("features of ids:", own.features.size(), tables.features.size());
  same_count("numbers:", own.dense.size(), tables.dense.size());
  const auto size_of = [](const TableConfig& table) {
    return text("of ", table.rows, " rows of ", table.dim);
  };
  for (std::size_t t = 0; t < own.tables.size(); ++t) {
    const TableConfig &got = own.tables[t], &expected = tables.tables[t];
    require(got.name == expected.name, "table", in_quotes(got.name), in_quotes(expected.name));
    require(got.rows == expected.rows && got.dim == expected.dim, "table " + in_quotes(got.name),
            size_of(got), size_of(expected));
    require(got.growing == expected.growing && got.admission == expected.admission,
            "table " + in_quotes(got.name), "that grows otherwise", "the same");
  }
  const auto table_name = [](const FeatureConfig& feature) {
    return feature.table.empty() ? feature.name : feature.table;
  };
  for (std::size_t f = 0; f < own.features.size(); ++f) {
    const FeatureConfig &got = own.features[f], &expected = tables.features[f];
    require(got.name == expected.name, "feature", in_quotes(got.name), in_quotes(expected.name));
    require(table_name(got) == table_name(expected) && got.pooling == expected.pooling &&
                got.side == expected.side && got.weighted == expected.weighted,
            "feature " + in_quotes(got.name), "of another table, pooling, side or weighting",
            "the same");
  }
  require(own.dense == tables.dense, "numbers", "of other sides", "the same");
}

// A batch of an encoder as one of Scalar: ids are the encoder's, numbers converted to `numbers`.
template <class Scalar>
FeatureBatch<Scalar> batch_as(const FeatureBatch<float>& batch, Tensor<Scalar>& numbers) {
  FeatureBatch<Scalar> result{.sparse = batch.sparse};
  if (!batch.dense) return result;
  numbers.resize(batch.batch(), 1, batch.dense.dim());
  for (Index b = 0; b < batch.batch(); ++b)
    std::copy_n(batch.dense.row(b), batch.dense.dim(), numbers.view().row(b));
  result.dense = std::as_const(numbers).view();
  return result;
}

// Raw rows of a self-test as an encoder's batch.
template <class Scalar>
class EncodedSelfTest {
 public:
  PLAIT_COLD EncodedSelfTest(const FeatureEncoder& encoder, RawRows& raw) : rows_(encoder.rows()) {
    const ColumnLayout layout = encoder.layout(encoder.columns());
    for (Index i = 0; i < raw.size(); ++i) encoder.encode(raw.row(i), layout, rows_);
  }
  // Valid until the next call.
  FeatureBatch<Scalar> batch() { return batch_as(rows_.batch(), numbers_); }

 private:
  EncodedRows rows_;
  Tensor<Scalar> numbers_;
};

// Raw rows as they are in a file.
class StoredRawRows {
 public:
  static constexpr std::string_view prefix = "plait.self_test.raw.";
  static std::string name_of(const char* part) { return text(prefix, part); }

  StoredRawRows() = default;
  PLAIT_COLD explicit StoredRawRows(RawRows& rows) {
    shape_ = {static_cast<std::uint64_t>(rows.size()), rows.columns()};
    const auto add = [this](std::string_view item) {
      bytes_.insert(bytes_.end(), item.begin(), item.end());
      offsets_.push_back(std::ssize(bytes_));
    };
    for (Index i = 0; i < rows.size(); ++i)
      for (const RawValue& value : rows.row(i)) {
        values_.push_back(value.is_list()   ? std::ssize(value.list())
                          : value.is_text() ? one
                                            : none);
        if (value.is_text()) add(value.text());
        for (const std::string_view item : value.list()) add(item);
      }
  }

  // The writer borrows them.
  PLAIT_COLD void add_to(SafetensorsWriter& writer) const {
    writer.add(name_of("values"), shape_, std::span<const std::int64_t>(values_));
    writer.add(name_of("bytes"), {bytes_.size()}, std::span<const std::uint8_t>(bytes_));
    writer.add(name_of("offsets"), {offsets_.size()}, std::span<const std::int64_t>(offsets_));
  }

  PLAIT_COLD void read(SealedReader& file, const TensorInfo& tensor) {
    if (tensor.name == name_of("values")) {
      shape_ = tensor.shape;
      read(file, tensor, 2, values_);
    } else if (tensor.name == name_of("bytes")) {
      read(file, tensor, 1, bytes_);
    } else {
      read(file, tensor, 1, offsets_);
    }
  }

  // Rows of so many columns. Throws FormatError for parts that do not fit together.
  PLAIT_COLD RawRows rows(std::size_t columns, const std::string& file) const {
    const auto require = [&](bool holds, const char* part, const char* got, const char* expected) {
      if (!holds) throw FormatError(file, in_quotes(name_of(part)), got, expected);
    };
    require(shape_.size() == 2 && shape_[1] == columns, "values", "another shape",
            "[rows, columns of the encoder]");
    require(!offsets_.empty() && offsets_.front() == 0 &&
                std::cmp_equal(offsets_.back(), bytes_.size()) && std::ranges::is_sorted(offsets_),
            "offsets", "others", "ascending ones from 0 to the bytes");
    RawRows rows(columns);
    std::size_t at = 0;
    const auto next = [&] {
      const auto begin = static_cast<std::size_t>(offsets_[at]);
      const auto end = static_cast<std::size_t>(offsets_[++at]);
      return std::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size())
          .substr(begin, end - begin);
    };
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (i % columns == 0) rows.begin_row();
      const std::int64_t value = values_[i];
      const auto texts = static_cast<std::uint64_t>(value == one ? 1 : value == none ? 0 : value);
      require(value >= none && texts < offsets_.size() - at, "values", "more texts than there are",
              "those of the offsets");
      if (value == one) rows.set(i % columns, next());
      if (value < 0) continue;
      rows.begin_list(i % columns);
      for (std::int64_t item = 0; item < value; ++item) rows.add_item(next());
    }
    require(at + 1 == offsets_.size(), "values", "fewer texts than there are",
            "those of the offsets");
    return rows;
  }

 private:
  static constexpr std::int64_t none = -2, one = -1;

  template <class T>
  static void read(SealedReader& file, const TensorInfo& tensor, std::size_t rank,
                   std::vector<T>& into) {
    if (tensor.dtype != dtype_of<T>() || tensor.shape.size() != rank)
      throw FormatError(file.name(), in_quotes(tensor.name), "another type or shape",
                        text(info(dtype_of<T>()).name, " of ", rank, " dimension(s)"));
    into.resize(static_cast<std::size_t>(tensor.count()));
    file.read(tensor, std::span<T>(into));
  }

  std::vector<std::uint64_t> shape_;
  std::vector<std::int64_t> values_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::int64_t> offsets_{0};
};

// The encoder beside a model and its tables, and the self-test's raw rows.
template <class Scalar>
class EncoderPart final : public ModelFilePart<Scalar> {
 public:
  bool owns(std::string_view tensor) const override {
    return tensor.starts_with("plait.vocabulary.") || tensor.starts_with(StoredRawRows::prefix);
  }
  PLAIT_COLD void open(const SealedReader& file) override {
    name_ = file.name();
    reader_.emplace(file.header(), name_);
    const auto count = std::ranges::count_if(file.header().tensors, [](const TensorInfo& tensor) {
      return tensor.name.starts_with(StoredRawRows::prefix);
    });
    if (count == 0) return;
    for (const char* part : {"values", "bytes", "offsets"})
      if (count != 3 || file.header().find(StoredRawRows::name_of(part)) == nullptr)
        throw FormatError(name_, "self-test", text(count, " tensors of raw rows"),
                          "values, bytes and offsets");
    stored_.emplace();
  }
  PLAIT_COLD void read(SealedReader& file, const TensorInfo& tensor) override {
    if (!reader_->take(file, tensor)) stored_->read(file, tensor);
  }
  PLAIT_COLD void finish(const EmbeddingTables<Scalar>& tables) override {
    encoder_.emplace(reader_->finish());
    build_from_file(name_, features_key, [&] { require_fit("load", *encoder_, tables.config()); });
    if (!stored_) return;
    raw_ = stored_->rows(encoder_->columns().size(), name_);
    build_from_file(name_, "self-test", [&] { encoded_.emplace(*encoder_, raw_); });
  }
  bool makes_rows() const override { return stored_.has_value(); }
  FeatureBatch<Scalar> rows() override { return encoded_->batch(); }

  FeatureEncoder take_encoder() { return std::move(*encoder_); }

 private:
  std::string name_;
  std::optional<EncoderReader> reader_;
  std::optional<FeatureEncoder> encoder_;
  std::optional<StoredRawRows> stored_;
  RawRows raw_;
  std::optional<EncodedSelfTest<Scalar>> encoded_;
};

}  // namespace detail

// As save (embedding_file.hpp), with the encoder that makes the tables' ids, and raw rows of its
// columns() for the self-test. Throws as that and as add_encoder; ConfigError as well for an
// encoder of other tables, features or numbers, ShapeError for rows of other columns, ColumnError
// for one that cannot be encoded.
template <class Scalar>
PLAIT_COLD void save(const Model<Scalar>& model, const EmbeddingTables<Scalar>& tables,
                     const FeatureEncoder& encoder, const std::string& path,
                     const SaveOptions& options = {}, RawRows self_test = RawRows()) {
  detail::require_fit("save", encoder, tables.config());
  SafetensorsWriter writer;
  std::vector<std::vector<std::uint16_t>> rounded;  // the writer borrows them
  const detail::StoredRawRows stored(self_test);    // and these
  Tensor<Scalar> logits;
  detail::add_model_and_tables(writer, model, tables, options, rounded);
  add_encoder(writer, encoder);
  if (self_test.size() > 0) {
    detail::EncodedSelfTest<Scalar> encoded(encoder, self_test);
    stored.add_to(writer);
    detail::add_logits(writer, model, tables, encoded.batch(), logits);
  }
  seal(writer, /*of_every_tensor=*/true);
  writer.write(path);
}

// As load_with_tables, of a file that save made with an encoder. Throws FormatError as well for an
// encoder that does not fit the tables.
template <class Scalar>
PLAIT_COLD LoadedWithEncoder<Scalar> load_with_encoder(SafetensorsReader reader,
                                                       const Registry<Scalar>& registry = {},
                                                       Verify verify = Verify::all) {
  detail::EncoderPart<Scalar> part;
  auto loaded = load_with_tables<Scalar>(std::move(reader), registry, verify, &part);
  return {std::move(loaded.model), std::move(loaded.tables), part.take_encoder(),
          std::move(loaded.heads), std::move(loaded.metadata)};
}
template <class Scalar>
PLAIT_COLD LoadedWithEncoder<Scalar> load_with_encoder(const std::string& path,
                                                       const Registry<Scalar>& registry = {}) {
  return load_with_encoder<Scalar>(SafetensorsReader(path), registry);
}

}  // namespace plait
