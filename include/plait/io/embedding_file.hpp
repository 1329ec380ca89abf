// Embedding tables in files, with their model in one. As state dicts: embedding_state_dict.hpp.
//
//   save(model, tables, "ranker.safetensors", {.heads = heads}, rows);
//   auto ranker = load_with_tables<float>("ranker.safetensors");
//
// A model file (model_file.hpp) with tables has in addition the tensors
// embedding_bags.{table}.weight [rows, dim], the names that TorchRec's EmbeddingBagCollection gives
// them, and in its metadata plait.embeddings, the fields of EmbeddingConfig. Of tables that grow
// there are embedding_bags.{table}.ids (io/id_tensor.hpp), and in the metadata
// plait.embeddings_seed, by which new ids start. Its self-test's rows are those of a FeatureBatch,
// so that looking up is replayed as well: plait.self_test.x for the numbers, and for every feature
// plait.self_test.ids.{feature} (I64), .offsets.{feature} (I64) and .weights.{feature} (F32), the
// latter two where it has some.
//
// Nothing of a table is copied on the way: writing borrows its numbers, reading puts them in place.
// From SafetensorsReader::mapped the rows stay in the file, whose pages the system reads when one
// of their rows is first looked up, keeps as long as it has memory, and shares with other
// processes:
//
//   auto ranker = load_with_tables<float>(SafetensorsReader::mapped("ranker.safetensors"), {},
//                                         Verify::unmapped);
//
// is there as soon as all but the rows is read, however large the tables are. Such tables behave as
// others; numbers written to them are this process's alone (see MappedFile). Rows are read where
// the file's numbers are not Scalar, a writer of another kind left them where no Scalar can be, or
// the system has no mapped files.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/param_table.hpp"
#include "plait/core/tensor.hpp"
#include "plait/io/embedding_state_dict.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/id_tensor.hpp"
#include "plait/io/metadata_keys.hpp"
#include "plait/io/model_file.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/io/stored_rows.hpp"
#include "plait/model/model.hpp"
#include "plait/model/registry.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/large_array.hpp"

namespace plait {

template <class Scalar>
struct LoadedWithTables {
  Model<Scalar> model;
  EmbeddingTables<Scalar> tables;
  std::vector<Head> heads;  // empty when the file has none
  Metadata metadata;        // the user's
};

// What else a model file holds, an encoder say: metadata and tensors whose names start with plait.,
// sealed and read with it.
template <class Scalar>
class ModelFilePart {
 public:
  virtual ~ModelFilePart() = default;
  // Whether a tensor is this part's: it is then not taken for another's.
  virtual bool owns(std::string_view tensor) const = 0;
  // Called once the header's checksum is verified, then for every tensor of its own in the order of
  // the file, then after the last of all, when checksums of what was read are verified as well and
  // the tables are there. Throw FormatError for what does not fit.
  virtual void open(const SealedReader& file) = 0;
  virtual void read(SealedReader& file, const TensorInfo& tensor) = 0;
  virtual void finish(const EmbeddingTables<Scalar>& tables) = 0;

  // Once it is open: whether the rows of the self-test, for which logits are in the file, are made
  // from what this part reads, and not stored as ids. Once it is finished: the rows.
  virtual bool makes_rows() const { return false; }
  virtual FeatureBatch<Scalar> rows() { return {}; }
};

namespace detail {

// What no size of a description exceeds in a file of so many numbers.
inline Index largest_size_of_tables(std::uint64_t numbers) {
  constexpr std::uint64_t admission = 0xffffffff;  // which buys no memory
  return static_cast<Index>(
      std::min<std::uint64_t>((std::max)(numbers, admission), (std::numeric_limits<Index>::max)()));
}
inline constexpr const char* embeddings_seed_key = "plait.embeddings_seed";

template <class Scalar>
void require_width(const char* where, const Model<Scalar>& model,
                   const EmbeddingTables<Scalar>& tables) {
  const Shape in = model.in_shape();
  require_config(in == Shape{1, tables.width()}, where, "tables",
                 text("a width of ", tables.width()),
                 text("the model's input, ", in.slots, " slot(s) of ", in.dim));
}

// The model, its tables and their description.
template <class Scalar>
PLAIT_COLD void add_model_and_tables(SafetensorsWriter& writer, const Model<Scalar>& model,
                                     const EmbeddingTables<Scalar>& tables,
                                     const SaveOptions& options,
                                     std::vector<std::vector<std::uint16_t>>& rounded) {
  require_width("save", model, tables);
  require_loadable(model);
  std::uint64_t numbers = 0;
  for (Index t = 0; t < tables.num_tables(); ++t) numbers += tables.values(t).size();
  writer.align_data();
  add_state_dict(writer, tables);  // first, so that it holds for them
  add_model(writer, model, options, rounded);
  writer.add_metadata(embeddings_key,
                      write_fields(tables.config(), largest_size_of_tables(numbers)));
  if (std::ranges::any_of(tables.config().tables, &TableConfig::growing))
    writer.add_metadata(embeddings_seed_key, text(tables.seed()));
}

// The logits of a self-test's rows, which fit the tables; the writer borrows them.
template <class Scalar>
PLAIT_COLD void add_logits(SafetensorsWriter& writer, const Model<Scalar>& model,
                           const EmbeddingTables<Scalar>& tables, const FeatureBatch<Scalar>& rows,
                           Tensor<Scalar>& logits) {
  logits.resize(rows.batch(), 1, model.out_shape().dim);
  Tensor<Scalar> row(1, 1, tables.width());
  const auto look_up = [&](Index b) {
    tables.lookup(rows.rows(b, 1), row);
    return std::as_const(row).view();
  };
  compute_logits_of(model, look_up, logits.view());
  add_self_test(writer, self_test_logits, logits);
}

// Reads tables, the self-test's ids and a part of somebody else's beside a network. DenseInput says
// when what is called.
template <class Scalar>
class TableInput {
 public:
  explicit TableInput(ModelFilePart<Scalar>* part) : part_(part) {}

  PLAIT_COLD void open(const SealedReader& file) {
    if (file.header().meta(embeddings_key) == nullptr)
      throw FormatError(file.name(), "metadata", text("no ", embeddings_key),
                        "a model with embedding tables (load reads one without)");
    if (part_ == nullptr && file.header().meta(features_key) != nullptr)
      throw FormatError(file.name(), features_key, "a feature encoder",
                        "tables alone (load_with_encoder reads both)");
    open_tables(file);
    if (part_ != nullptr) open_part(file);
    if (const TensorInfo* logits = file.header().find(self_test_logits)) {
      has_rows_ = true;
      batch_ = logits->shape.empty() ? 0 : static_cast<Index>(logits->shape.front());
      if (part_ == nullptr || !part_->makes_rows())
        stored_.open(file, tables_->layout(), batch_, [this](const TensorInfo& tensor, auto room) {
          this->read_into(tensor, room);
        });
    } else if (part_ != nullptr && part_->makes_rows()) {
      throw FormatError(file.name(), "self-test", "rows without logits", "both or none");
    }
  }
  bool owns(const TensorInfo& tensor) const { return readers_.contains(tensor.name); }
  bool is_of_network(const TensorInfo& tensor) const { return !is_table(tensor); }

  PLAIT_COLD Index prepare(const SealedReader& file, const Model<Scalar>& model,
                           const TensorInfo* logits) {
    build_from_file(file.name(), embeddings_key, [&] { require_width("load", model, *tables_); });
    if (logits != nullptr)
      require_self_test(file, *logits, static_cast<std::uint64_t>(batch_), model.out_shape());
    return batch_;
  }
  void read(SealedReader& file, const TensorInfo& tensor) {
    readers_.find(tensor.name)->second(file, tensor);
  }
  PLAIT_COLD void finish(const SealedReader& file) {
    for (const StoredIds& stored : ids_)
      *tables_->ids(stored.table) = read_ids(
          file.name(), *stored.tensor, tables_->layout().table(stored.table).rows,
          tables_->ids(stored.table)->admission(), [&](const auto& take) { take(stored.numbers); });
    if (part_ != nullptr) part_->finish(*tables_);
    if (!has_rows_) return;
    build_from_file(file.name(), "self-test", [&] {
      rows_ = part_ != nullptr && part_->makes_rows() ? part_->rows() : stored_.rows();
      tables_->check(rows_);
    });
    if (rows_.batch() != batch_)
      throw FormatError(file.name(), "self-test", text(rows_.batch(), " rows"),
                        text(batch_, ", as logits"));
    row_.resize(1, 1, tables_->width());
  }

  View3<const Scalar> row(Index b) {
    tables_->lookup(rows_.rows(b, 1), row_);
    return std::as_const(row_).view();
  }
  EmbeddingTables<Scalar> take_tables() { return std::move(*tables_); }

 private:
  // The ids of a table that grows, as they were read.
  struct StoredIds {
    Index table;
    const TensorInfo* tensor;
    std::vector<std::int64_t> numbers;
  };

  static bool is_table(const TensorInfo& tensor) {
    return tensor.name.starts_with("embedding_bags.");
  }
  template <class T>
  void read_into(const TensorInfo& tensor, std::span<T> numbers) {
    readers_.emplace(tensor.name, [numbers](SealedReader& from, const TensorInfo& its) {
      from.read(its, numbers);
    });
  }

  // The description is compared with the file's tensors before there is room for any of them.
  PLAIT_COLD void open_tables(const SealedReader& file) {
    std::uint64_t numbers = 0;
    for (const TensorInfo& tensor : file.header().tensors) numbers += tensor.count();
    EmbeddingConfig config;
    read_fields(
        file.meta(embeddings_key),
        {.file = file.name(), .where = embeddings_key, .limit = largest_size_of_tables(numbers)},
        config);
    const auto build = [&](const auto& make) {
      return build_from_file(file.name(), embeddings_key, make);
    };
    const ParamTable schema = build([&] { return schema_of_tables(config); });
    std::set<std::string> of_ids;
    for (const TableConfig& table : config.tables)
      if (table.growing) of_ids.insert(ids_tensor(table.name));
    const auto sources =
        match_state_dict(file.header(), file.name(), schema, {}, [&](const TensorInfo& tensor) {
          return !is_table(tensor) || of_ids.contains(tensor.name);
        });
    const std::uint64_t seed = of_ids.empty() ? 0 : stored_seed(file);
    tables_.emplace(
        build([&] { return EmbeddingTables<Scalar>::without_rows(std::move(config), seed); }));
    for (std::size_t t = 0; t < sources.size(); ++t)
      readers_.emplace(sources[t]->name, [this, table = static_cast<Index>(t)](
                                             SealedReader& from, const TensorInfo& tensor) {
        tables_->adopt(table, rows_of(table, from, tensor));
      });
    ids_.reserve(of_ids.size());  // what is read goes into them
    for (Index t = 0; t < tables_->num_tables(); ++t)
      if (tables_->ids(t) != nullptr) open_ids(file, t);
  }

  // In the file, or read from it.
  PLAIT_COLD LargeArray<Scalar> rows_of(Index table, SealedReader& from, const TensorInfo& tensor) {
    if (auto [rows, owner] = from.map<Scalar>(tensor); owner != nullptr)
      return LargeArray<Scalar>(rows, std::move(owner));
    const TableConfig& of = tables_->layout().table(table);
    LargeArray<Scalar> rows(static_cast<std::size_t>(of.rows), static_cast<std::size_t>(of.dim));
    from.read(tensor, rows.span());
    return rows;
  }

  PLAIT_COLD static std::uint64_t stored_seed(const SealedReader& file) {
    const std::string& words = file.meta(embeddings_seed_key);
    std::uint64_t seed = 0;
    const char* const end = words.data() + words.size();
    const auto [rest, error] = std::from_chars(words.data(), end, seed);
    if (error != std::errc() || rest != end)
      throw FormatError(file.name(), embeddings_seed_key, in_quotes(words), "a whole number");
    return seed;
  }
  PLAIT_COLD void open_ids(const SealedReader& file, Index table) {
    const std::string name = ids_tensor(tables_->layout().table(table).name);
    const TensorInfo* tensor = file.header().find(name);
    if (tensor == nullptr)
      throw FormatError(file.name(), "tensors", "no " + in_quotes(name), "the ids of its rows");
    require_ids(file.name(), *tensor);
    StoredIds& stored = ids_.emplace_back(StoredIds{table, tensor, {}});
    stored.numbers.resize(static_cast<std::size_t>(tensor->count()));
    read_into(*tensor, std::span(stored.numbers));
  }

  PLAIT_COLD void open_part(const SealedReader& file) {
    part_->open(file);
    for (const TensorInfo& tensor : file.header().tensors)
      if (part_->owns(tensor.name))
        readers_.emplace(tensor.name, [this](SealedReader& from, const TensorInfo& its) {
          part_->read(from, its);
        });
  }

  ModelFilePart<Scalar>* part_;
  std::optional<EmbeddingTables<Scalar>> tables_;
  std::map<std::string_view, std::function<void(SealedReader&, const TensorInfo&)>> readers_;
  std::vector<StoredIds> ids_;
  bool has_rows_ = false;
  Index batch_ = 0;
  StoredRows<Scalar> stored_;
  FeatureBatch<Scalar> rows_;
  Tensor<Scalar> row_;
};

}  // namespace detail

// As save (model_file.hpp), with the model's tables beside it and rows for its self-test. `add`
// adds what else the file holds, a ModelFilePart when it is read. Throws as save and
// EmbeddingTables::check; ConfigError as well for tables of another width than the model's input.
template <class Scalar>
PLAIT_COLD void save(const Model<Scalar>& model, const EmbeddingTables<Scalar>& tables,
                     const std::string& path, const SaveOptions& options = {},
                     const std::type_identity_t<FeatureBatch<Scalar>>& self_test = {},
                     const std::function<void(SafetensorsWriter&)>& add = {}) {
  SafetensorsWriter writer;
  std::vector<std::vector<std::uint16_t>> rounded;  // the writer borrows them
  detail::StoredRows<Scalar> rows;                  // and these
  Tensor<Scalar> logits;
  detail::add_model_and_tables(writer, model, tables, options, rounded);
  if (self_test.batch() > 0) {
    tables.check(self_test, "save");
    rows.add(writer, tables.layout(), self_test);
    detail::add_logits(writer, model, tables, self_test, logits);
  }
  if (add) add(writer);
  seal(writer, /*of_every_tensor=*/true);
  writer.write(path);
}

// As load, of a file that save made with tables; their numbers are read into place, or stay in a
// mapped file. `part` reads what else the file holds: without it a file that has more is refused.
// Throws as load.
template <class Scalar>
PLAIT_COLD LoadedWithTables<Scalar> load_with_tables(SafetensorsReader reader,
                                                     const Registry<Scalar>& registry = {},
                                                     Verify verify = Verify::all,
                                                     ModelFilePart<Scalar>* part = nullptr) {
  SealedReader file = detail::open_model(std::move(reader), verify);
  detail::TableInput<Scalar> input(part);
  LoadedModel<Scalar> loaded = detail::load_model(file, registry, input);
  return {std::move(loaded.model), input.take_tables(), std::move(loaded.heads),
          std::move(loaded.metadata)};
}
template <class Scalar>
PLAIT_COLD LoadedWithTables<Scalar> load_with_tables(const std::string& path,
                                                     const Registry<Scalar>& registry = {}) {
  return load_with_tables<Scalar>(SafetensorsReader(path), registry);
}

}  // namespace plait
