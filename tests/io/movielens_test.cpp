// Real ids: MovieLens latest-small, whose folder PLAIT_MOVIELENS_DIR names (research use: it is not
// part of the project). Without it the test says so and passes.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "plait/core/csv.hpp"
#include "plait/features/encoder_fit.hpp"
#include "plait/io/csv_reader.hpp"
#include "support/catch.hpp"

using namespace plait;
using Names = std::vector<std::string>;

namespace {

struct Movie {
  std::string decade, genres;
};

// Of the year in parentheses at the end of a title, "199"; empty without one.
std::string decade_of(std::string title) {
  while (title.ends_with(' ')) title.pop_back();
  const auto open = title.rfind('(');
  const bool has_year = title.ends_with(')') && open != title.npos && title.size() - open == 6;
  return has_year ? title.substr(open + 1, 3) : "";
}

std::map<std::string, Movie> read_movies(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  CsvReader reader(stream, path);
  std::map<std::string, Movie> movies;
  while (reader.next()) {
    const RawRow row = reader.row();
    movies[std::string(row[0].text())] = {decade_of(std::string(row[1].text())),
                                          std::string(row[2].text())};
  }
  return movies;
}

struct Rating {
  Index user, time, movie;
  double rating;
  auto operator<=>(const Rating&) const = default;
};

std::vector<Rating> read_ratings(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  CsvReader reader(stream, path);
  CHECK(std::vector(reader.columns().begin(), reader.columns().end()) ==
        Names{"userId", "movieId", "rating", "timestamp"});
  std::vector<Rating> ratings;
  while (reader.next()) {
    const auto number = [&](std::size_t i) {
      return parse_csv_number<double>(reader.row()[i].text()).value();
    };
    const auto whole = [&](std::size_t i) { return static_cast<Index>(number(i)); };
    ratings.push_back({whole(0), whole(3), whole(1), number(2)});
  }
  std::ranges::sort(ratings);
  return ratings;
}

const Names names{"user",   "movie",   "decade",         "hour",   "weekday",
                  "genres", "history", "history genres", "earlier"};

// Of one user's rows, calls use(is_training, row) in their order.
template <class Use>
void for_each_row(std::span<const Rating> ratings, const std::map<std::string, Movie>& movies,
                  const Use& use) {
  const std::size_t part = ratings.size() / 10;
  Names liked;
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    const Rating& rating = ratings[i];
    const std::string movie = std::to_string(rating.movie);
    std::string history, history_genres;
    for (const std::string& id : liked) {
      history += id + '|';
      const std::size_t last = std::min<std::size_t>(liked.size(), 20);
      if (&id >= liked.data() + liked.size() - last) history_genres += movies.at(id).genres + '|';
    }
    const Names row{std::to_string(rating.user),
                    movie,
                    movies.at(movie).decade,
                    std::to_string(rating.time / 3600 % 24),
                    std::to_string(rating.time / 86400 % 7),
                    movies.at(movie).genres,
                    history,
                    history_genres,
                    std::to_string(i)};
    use(i < ratings.size() - 2 * part, row);
    if (rating.rating >= 4) liked.push_back(movie);
  }
}

}  // namespace

TEST_CASE("MovieLens: the tables of the published protocol") {
  const char* const folder = std::getenv("PLAIT_MOVIELENS_DIR");
  if (folder == nullptr) {
    WARN("skipped: PLAIT_MOVIELENS_DIR is not set");
    return;
  }
  const auto movies = read_movies(std::string(folder) + "/movies.csv");
  const auto ratings = read_ratings(std::string(folder) + "/ratings.csv");
  REQUIRE(movies.size() == 9742);
  REQUIRE(ratings.size() == 100'836);

  using enum FeatureKind;
  EncoderFit fit(
      {{{.name = "user", .side = Side::user, .dim = 16},
        {.name = "movie", .dim = 16},
        {.name = "decade", .dim = 16},
        {.name = "hour", .kind = direct, .dim = 16, .rows = 24},
        {.name = "weekday", .kind = direct, .dim = 16, .rows = 7},
        {.name = "genres", .table = "genre", .dim = 16, .bag = Bag{}},
        {.name = "history", .table = "movie", .dim = 16, .bag = Bag{"|", 20}, .counts = false},
        {.name = "history genres", .table = "genre", .dim = 16, .bag = Bag{}},
        {.name = "earlier", .kind = number, .log1p = true}}});
  const auto layout = fit.layout(names);
  std::vector<RawValue> values;
  const auto for_all = [&](const auto& use) {
    for (auto first = ratings.begin(); first != ratings.end();) {
      const auto last = std::find_if(first, ratings.end(),
                                     [&](const Rating& r) { return r.user != first->user; });
      for_each_row(std::span(first, last), movies, [&](bool is_training, const Names& row) {
        values.assign(row.begin(), row.end());
        use(is_training);
      });
      first = last;
    }
  };
  for_all([&](bool is_training) {
    if (is_training) fit.add(values, layout);
  });
  CHECK(fit.rows() == 81'200);
  const FeatureEncoder encoder = fit.finish();
  std::map<std::string, Index> rows;
  for (const TableConfig& table : encoder.embeddings().tables) rows[table.name] = table.rows;
  CHECK(rows == std::map<std::string, Index>{{"user", 612},
                                             {"movie", 5389},
                                             {"genre", 22},
                                             {"decade", 14},
                                             {"hour", 24},
                                             {"weekday", 7}});

  auto encoded = encoder.rows();
  for_all([&](bool) { encoder.encode(values, layout, encoded); });
  const auto batch = encoded.batch();
  CHECK(batch.batch() == 100'836);
  CHECK(batch.dense.dim() == 1);
  const auto lengths = batch.sparse.feature(6).offsets;
  for (std::size_t i = 0; i + 1 < lengths.size(); ++i) REQUIRE(lengths[i + 1] - lengths[i] <= 20);
  for (Index f = 0; f < batch.sparse.num_features(); ++f) {
    const FeatureConfig& feature = encoder.embeddings().features[static_cast<std::size_t>(f)];
    const auto limit =
        static_cast<std::uint64_t>(rows.at(feature.table.empty() ? feature.name : feature.table));
    for (const std::uint64_t id : batch.sparse.feature(f).ids) REQUIRE(id < limit);
  }
}
