// From ids to scores on real data: what a user will think of a film, in three binary tasks and a
// regression, from embeddings of users, films, genres and what the user liked before.
//
//   movielens --data ml-latest-small
//
// The protocol and what it gives: docs/features_results.md.
#include "../from_ids/compare.hpp"
#include "rows.hpp"

namespace {

from_ids::Dataset read(const std::string& folder) {
  const movielens::Files files = movielens::read(folder);
  plait::EncoderFit fit(movielens::features());
  const auto layout = fit.layout(movielens::columns);
  movielens::for_each_row(files, [&](from_ids::Part part, const auto&, plait::RawRow row) {
    if (part == from_ids::Part::train) fit.add(row, layout);
  });

  from_ids::Dataset data{fit.finish()};
  data.heads = {{.name = "like"},
                {.name = "love"},
                {.name = "dislike"},
                {.kind = plait::HeadKind::regression, .name = "rating"}};
  data.regression_unit = 1.04;  // stars
  movielens::for_each_row(files, [&](from_ids::Part part, const auto& rating, plait::RawRow row) {
    data.add(part, row, layout);
    const double stars = rating.rating;
    for (const bool label : {stars >= 4, stars >= 4.5, stars <= 2.5})
      data.labels.push_back(label ? 1.0F : 0.0F);
    data.labels.push_back(static_cast<float>((stars - 3.5) / data.regression_unit));
  });
  return data;
}

}  // namespace

int main(int argc, char** argv) {
  return from_ids::compare({.name = "movielens",
                            .data = "The folder with ratings.csv and movies.csv",
                            .environment = "PLAIT_MOVIELENS_DIR",
                            .read = read,
                            .models = {"shared-bottom", "mmoe", "ple", "adatt-sp", "adatt"},
                            .batch = 512,
                            .epochs = 6,
                            .row_rule = "adagrad",
                            .sizes = {.adatt_sp_experts = 1}},
                           argc, argv);
}
