// What bf16 costs, as tables and text.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "plait/losses/head.hpp"
#include "report.hpp"
#include "table.hpp"

namespace ranker {

// Whether any run was measured.
bool has_precision(std::span<const Result> results);

// The seed of the run that result.weights are of.
std::uint64_t weights_seed(const Result& result);

// What the columns of the two tables are, a sentence each.
std::string precision_note();

// Every task's costs, seed by seed; of several seeds also the means, of changes the means of their
// sizes.
Table precision_table(std::span<const plait::Head> heads, const Result& result);

// The changes of every task's loss with one weight in bf16, in the order of result.weights.
Table weight_table(std::span<const plait::Head> heads, const Result& result);

// How many weights must be kept for the bound, and what is left with that.
std::string keep_summary(const Result& result);

// ".keep = {"a", "b"}", to be pasted into ScorerOptions; empty where nothing is kept.
std::string keep_code(const KeepList& keep);

// All of it for every result that was measured, in lines of at most `width` characters, but for
// longer names.
std::string precision_text(std::span<const plait::Head> heads, std::span<const Result> results,
                           int width);

}  // namespace ranker
