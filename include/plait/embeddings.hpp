// Everything for input that begins with ids: tables, rules that move their rows, and training on
// batches of features. Beside plait/plait.hpp.
#pragma once
#include "plait/serve/embedding_scorer.hpp"
#include "plait/sparse/batch.hpp"
#include "plait/sparse/embedding_config.hpp"
#include "plait/sparse/embedding_layout.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/input_tables.hpp"
#include "plait/sparse/large_array.hpp"
#include "plait/sparse/lazy_adam.hpp"
#include "plait/sparse/lookup.hpp"
#include "plait/sparse/row_entries.hpp"
#include "plait/sparse/row_gradients.hpp"
#include "plait/sparse/row_rule.hpp"
#include "plait/sparse/rowwise_adagrad.hpp"
#include "plait/sparse/rowwise_adam.hpp"
#include "plait/sparse/serving_tables.hpp"
#include "plait/sparse/table_optimizer.hpp"
