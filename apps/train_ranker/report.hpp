// The results of all models as one table.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataset.hpp"
#include "embedding_report.hpp"
#include "expert_maps.hpp"
#include "plait/metrics/metric_value.hpp"
#include "plait/metrics/seesaw.hpp"
#include "results.hpp"
#include "table.hpp"

namespace ranker {

struct Result {
  std::string model;
  Index parameters = 0;
  std::vector<Run> runs;                 // one per seed
  std::vector<LevelMap> experts = {};    // of the first run, where they were asked for
  std::vector<WeightCost> weights = {};  // of the first run with a Run::precision, if there is one
  std::optional<KeepList> keep = {};     // of the same
  std::vector<RowNorms> tables = {};     // of the first run, where they were asked for
};

// Mean, and sample standard deviation (NaN for fewer than two numbers).
struct Spread {
  double mean = 0;
  double deviation = 0;
};
Spread spread(std::span<const double> numbers);

// Mean and, where there is one, "±" deviation: what result_table has in its cells.
std::string spread_text(const Spread& spread, std::string_view plus_minus = "±");

// What models are compared by, a metric per task in the order of the heads: AUC of binary tasks,
// MSE of regression.
std::vector<plait::MetricValue> compared_metrics(std::span<const plait::Head> heads,
                                                 const Run& run);

// plait::delta_m in percent, positive is better: the mean over tasks of the relative gain over the
// baseline, in AUC for binary tasks and in MSE for regression, from the means over runs. Tasks
// without a metric are left out.
double gain(std::span<const plait::Head> heads, const Result& result, const Result& baseline);

// For people: mean, and "±" deviation where there are several runs.
Table result_table(std::span<const plait::Head> heads, std::span<const Result> results,
                   const std::string& baseline, std::string_view plus_minus = "±");

// Which tasks of a result gained over the baseline and which lost, beyond the spread of the seeds.
struct Seesaw {
  const Result* result = nullptr;
  const Result* baseline = nullptr;
  plait::SeesawReport report{};
};

// Of every other result that has the seeds of the baseline. Empty without the baseline.
std::vector<Seesaw> seesaws(std::span<const plait::Head> heads, std::span<const Result> results,
                            const std::string& baseline);

// Those, as text in lines of at most `width` characters; "-" for the spread of a single seed.
std::string seesaw_text(std::span<const plait::Head> heads, std::span<const Result> results,
                        const std::string& baseline, int width);

// For programs: every mean and deviation in a column of its own, nan where there is none. What bf16
// costs is there where it was asked for.
Table result_csv(std::span<const plait::Head> heads, std::span<const Result> results,
                 const std::string& baseline);

}  // namespace ranker
