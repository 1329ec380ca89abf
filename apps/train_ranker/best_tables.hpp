// The tables of the best epoch so far: in memory, and for a run that can be resumed in a file.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "plait/core/config.hpp"
#include "plait/io/checkpoint.hpp"
#include "plait/model/model.hpp"
#include "plait/sparse/embedding_tables.hpp"

namespace ranker {

using plait::Index;

// A copy of all rows, which may be gigabytes, so that checkpoints do not hold them: they are
// written once, when their epoch turns out the best, with its model to
// {directory}/best-{number}.safetensors, and a note of the checkpoints that follow names that file
// by number and checksum. A file is never replaced, and removed once neither a checkpoint nor the
// run names it.
class BestTables {
 public:
  using Notes = std::map<std::string, std::string>;

  // Of these tables, null for none. Without checkpoints there is no file.
  BestTables(plait::EmbeddingTables<float>* tables, plait::Checkpoints* checkpoints)
      : tables_(tables != nullptr && tables->num_tables() > 0 ? tables : nullptr),
        checkpoints_(checkpoints) {}

  // The tables are now those of the best epoch, as the model is, and the notes name their file.
  // Throws FileError, and as plait::save does.
  void keep(const plait::Model<float>& model, Notes& notes);
  // Takes what the notes of a checkpoint with a best epoch name. Throws UsageError where they name
  // no such file or it has become another, and as plait::load_with_tables does.
  void resume(const Notes& notes, const std::string& checkpoint);
  // Gives the tables the values that were kept, if there are any.
  void load();
  // Removes the files that neither these notes nor a checkpoint names. Throws FileError.
  void remove_unnamed(const Notes& notes) const;

 private:
  plait::EmbeddingTables<float>* tables_;
  plait::Checkpoints* checkpoints_;
  std::optional<plait::EmbeddingTables<float>> kept_;
};

}  // namespace ranker
