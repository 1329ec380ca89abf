// plait::compiled: tables, what moves their rows, and scoring with them.
#include "plait/serve/embedding_scorer.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/lazy_adam.hpp"
#include "plait/sparse/rowwise_adagrad.hpp"
#include "plait/sparse/rowwise_adam.hpp"
#include "plait/sparse/serving_tables.hpp"
#include "plait/sparse/table_optimizer.hpp"

namespace plait {

template class EmbeddingTables<float>;
template class EmbeddingTables<double>;
template class TableOptimizer<float>;
template class TableOptimizer<double>;
template class ServingTables<float>;
template class ServingTables<double>;
template class EmbeddingScorer<float>;
template class EmbeddingScorer<double>;
template class EmbeddingContext<float>;
template class EmbeddingContext<double>;
PLAIT_ROW_RULE_COMPILED(, LazyAdam)
PLAIT_ROW_RULE_COMPILED(, RowwiseAdagrad)
PLAIT_ROW_RULE_COMPILED(, RowwiseAdam)

}  // namespace plait
