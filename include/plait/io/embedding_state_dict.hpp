// Embedding tables as state dicts: TorchRec's and PyTorch's names in and out.
#pragma once
#include <cstddef>
#include <cstdint>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/param_table.hpp"
#include "plait/io/id_tensor.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/state_dict.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_tables.hpp"

namespace plait {

namespace detail {

// The tables' tensors, as a schema that state dicts are matched with. Throws ConfigError as
// ParamTable does.
PLAIT_COLD inline ParamTable schema_of_tables(const EmbeddingConfig& config) {
  ParamTable schema;
  for (const TableConfig& table : config.tables)
    schema.add_matrix(table_tensor(table.name), table.rows, table.dim, Init::constant(0));
  return schema;
}

}  // namespace detail

// Reads all tables as load_state_dict reads a model (state_dict.hpp). In options.rename and by
// default in the file a table is called embedding_bags.{table}.weight, as in TorchRec; of a
// torch.nn.Embedding or EmbeddingBag, {{"embedding_bags.item.weight", "item_embedding.weight"}}.
// Throws ConfigError for tables that grow: rows alone do not say whose they are.
template <class Scalar>
PLAIT_COLD void load_state_dict(SafetensorsReader& file, EmbeddingTables<Scalar>& tables,
                                const StateDictOptions& options = {}) {
  for (const TableConfig& table : tables.config().tables)
    require_config(!table.growing, "load_state_dict", "tables",
                   in_quotes(table.name) + ", which grows",
                   "fixed ones (load_with_tables reads both)");
  detail::read_state_dict(file, detail::schema_of_tables(tables.config()), options,
                          [&](ParamId id) { return tables.values(id.index); });
}
template <class Scalar>
PLAIT_COLD void add_state_dict(SafetensorsWriter& writer, const EmbeddingTables<Scalar>& tables,
                               const StateDictOptions& options = {}) {
  for (Index t = 0; t < tables.num_tables(); ++t) {
    const TableConfig& table = tables.config().tables[static_cast<std::size_t>(t)];
    writer.add(detail::file_name(detail::table_tensor(table.name), options),
               {static_cast<std::uint64_t>(table.rows), static_cast<std::uint64_t>(table.dim)},
               tables.values(t));
    if (const IdMap* ids = tables.ids(t))
      detail::add_ids(writer, detail::file_name(detail::ids_tensor(table.name), options), *ids);
  }
}

}  // namespace plait
