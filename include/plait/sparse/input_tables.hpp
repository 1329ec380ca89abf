// InputTables: what turns a batch of features into a network's dense input while it trains, and
// learns from that input's gradient. TableOptimizer (sparse/table_optimizer.hpp) is one; trainers
// know it by this type alone, so that whoever trains on dense rows does not compile lookups.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/parallel.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/id_map.hpp"
#include "plait/sparse/row_marks.hpp"

namespace plait {

// What is the same for all rows of all tables in one step.
struct TableStep {
  Index number = 1;           // counts the optimizer's steps, from 1
  double rate_factor = 1;     // of the schedule
  double gradient_scale = 1;  // of clipping
};

// The numbers of one table, as a checkpoint stores and restores them.
template <class Scalar>
struct TableNumbers {
  std::string_view name;
  Index rows = 0;
  Index dim = 0;
  Index state_size = 0;             // what the rule keeps of a row
  std::span<Scalar> values;         // [rows, dim]
  std::span<Scalar> state;          // [rows, state_size]; belongs to the values of the same moment
  const RowMarks* marks = nullptr;  // the rows that moved since mark_moved
  IdMap* ids = nullptr;             // of a growing table: which ids have which rows
};

template <class Scalar>
class InputTables {
 public:
  virtual ~InputTables() = default;

  // Numbers of a row of the network's input.
  virtual Index width() const = 0;
  // Throws ShapeError or ValueError, in the name of `where`, for a batch that does not fit.
  virtual void check(const FeatureBatch<Scalar>& batch, const char* where) const = 0;
  // x [B, 1, width] of a batch that fits; for several threads at the same time.
  virtual void lookup(const FeatureBatch<Scalar>& batch, View3<Scalar> x) const = 0;

  // Where the gradient of x of a whole batch goes, [batch, 1, width], written by any threads, each
  // some rows, and finished by finish_rows afterwards, which returns Σ g² over them, in Scalar.
  // Good until the next call.
  virtual View3<Scalar> gradient(Index batch) = 0;
  virtual double finish_rows(const FeatureBatch<Scalar>& rows, View3<Scalar> gradient) const = 0;

  // Makes ready to sum what gradient() holds by the rows that `batch` looked up. lane_ends are the
  // rows where lanes end.
  virtual void collect(const FeatureBatch<Scalar>& batch, std::span<const Index> lane_ends,
                       Executor* executor) = 0;
  // Whether Σ g² over the rows that will move, of the last collect, is finite in Scalar, given the
  // sum of what finish_rows returned.
  virtual bool has_finite_norm(double input_squared_norm, Executor* executor) = 0;
  // Σ g² over the rows that will move, of the last collect.
  virtual double squared_norm(Executor* executor) = 0;
  // Moves the rows of the last collect. False where a number that was moved is NaN or infinite.
  virtual bool move(const TableStep& step, Executor* executor) = 0;

  // What the numbers depend on beside batches and steps, by name, to be read.
  virtual void settings(FieldVisitor& visit) const = 0;

  // For checkpoints. The views stay good while the tables live.
  virtual std::vector<TableNumbers<Scalar>> numbers() = 0;
  virtual std::string_view rule_name() const = 0;
  // Forgets which rows moved, and marks those that a step moves from now on. `now` stands for this
  // instant: who finds it in marked_since() again knows that nobody else has begun to mark.
  virtual void mark_moved(std::shared_ptr<const void> now) = 0;
  virtual const std::shared_ptr<const void>& marked_since() const = 0;
};

// A batch as an argument of what trains: rows of numbers, as a ViewArgument, or of features.
template <class Scalar>
class BatchArgument : public ViewArgument<const Scalar> {
 public:
  using ViewArgument<const Scalar>::ViewArgument;
  BatchArgument(const ViewArgument<const Scalar>& rows) : ViewArgument<const Scalar>(rows) {}
  BatchArgument(const FeatureBatch<Scalar>& features)
      : ViewArgument<const Scalar>(features.dense), sparse_(features.sparse), is_sparse_(true) {}

  bool is_sparse() const { return is_sparse_; }
  Index batch() const { return is_sparse_ ? sparse_.batch() : View3<const Scalar>::batch(); }
  FeatureBatch<Scalar> features() const { return {sparse_, *this}; }

 private:
  SparseBatch sparse_;
  bool is_sparse_ = false;
};

}  // namespace plait
