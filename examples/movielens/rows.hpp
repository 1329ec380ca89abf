// Raw rows of MovieLens latest-small (Harper and Konstan, ACM TiiS 5(4), 2015, doi 10.1145/2827872)
// as features read them: who rated what and when, and what they had liked before.
#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <plait/embeddings.hpp>
#include <plait/io.hpp>
#include <plait/plait.hpp>
#include <string>
#include <vector>

#include "../from_ids/dataset.hpp"

namespace movielens {

using from_ids::Part;
using plait::Index;

struct Movie {
  std::string decade, genres;
};
struct Rating {
  Index user, time, movie;
  double rating;
  auto operator<=>(const Rating&) const = default;
};
struct Files {
  std::map<Index, Movie> movies;
  std::vector<Rating> ratings;  // by user, time and movie
};

// Of the year in parentheses at the end of a title, "199"; empty without one.
inline std::string decade_of(std::string title) {
  while (title.ends_with(' ')) title.pop_back();
  const auto open = title.rfind('(');
  const bool has_year = title.ends_with(')') && open != title.npos && title.size() - open == 6;
  return has_year ? title.substr(open + 1, 3) : "";
}

// Calls use(values) for the rows of a file, whose columns must be these.
template <class Use>
void for_each_line(const std::string& path, const std::vector<std::string>& columns,
                   const Use& use) {
  std::ifstream stream = from_ids::open(path);
  plait::CsvReader reader(stream, path);
  const plait::ColumnLayout layout(columns, reader.columns());
  while (reader.next())
    plait::with_place(reader, [&] {
      std::vector<std::string> values;
      for (std::size_t c = 0; c < columns.size(); ++c)
        values.emplace_back(layout.value(reader.row(), c).text());
      use(values);
    });
}

// Reads movies.csv and ratings.csv. Throws plait's errors of files, which name line and column.
inline Files read(const std::string& folder) {
  const auto number = [](const std::string& column, const std::string& text) {
    const auto value = plait::parse_csv_number<double>(text);
    if (!value) throw plait::ColumnError(column, plait::in_quotes(text), "a number");
    return *value;
  };
  const auto id = [&](const std::string& column, const std::string& text) {
    return static_cast<Index>(number(column, text));
  };
  Files files;
  for_each_line(folder + "/movies.csv", {"movieId", "title", "genres"}, [&](const auto& values) {
    files.movies[id("movieId", values[0])] = {decade_of(values[1]), values[2]};
  });
  for_each_line(folder + "/ratings.csv", {"userId", "timestamp", "movieId", "rating"},
                [&](const auto& values) {
                  const Index movie = id("movieId", values[2]);
                  if (!files.movies.contains(movie))
                    throw plait::ColumnError("movieId", values[2], "a movie of movies.csv");
                  files.ratings.push_back({id("userId", values[0]), id("timestamp", values[1]),
                                           movie, number("rating", values[3])});
                });
  std::ranges::sort(files.ratings);
  return files;
}

// The values of a row, in this order.
inline const std::vector<std::string> columns{
    "user", "movie", "decade", "hour", "weekday", "genres", "history", "history genres", "earlier"};

inline plait::EncoderConfig features() {
  using enum plait::FeatureKind;
  constexpr auto mean = plait::Pooling::mean;
  return {{{.name = "user", .side = plait::Side::user, .dim = 16},
           {.name = "movie", .dim = 16},
           {.name = "decade", .dim = 16},
           {.name = "hour", .kind = direct, .dim = 16, .rows = 24},
           {.name = "weekday", .kind = direct, .dim = 16, .rows = 7},
           {.name = "genres", .table = "genre", .dim = 16, .pooling = mean, .bag = plait::Bag{}},
           {.name = "history",
            .table = "movie",
            .dim = 16,
            .pooling = mean,
            .bag = plait::Bag{"|", 20},
            .counts = false},
           {.name = "history genres",
            .table = "genre",
            .dim = 16,
            .pooling = mean,
            .bag = plait::Bag{}},
           {.name = "earlier", .kind = number, .log1p = true}}};
}

// Calls use(part, rating, values) for all ratings in their order. Of a user's n rows the last n /
// 10 test and the n / 10 before them validate. The history is the movies of the user's earlier rows
// that were rated 4 or more; its genres are those of the last 20 of them.
template <class Use>
void for_each_row(const Files& files, const Use& use) {
  const auto end = files.ratings.end();
  for (auto first = files.ratings.begin(); first != end;) {
    const auto last =
        std::find_if(first, end, [&](const Rating& rating) { return rating.user != first->user; });
    const Index rows = last - first;
    std::vector<Index> liked;
    for (Index i = 0; i < rows; ++i) {
      const Rating& rating = first[i];
      const Movie& movie = files.movies.at(rating.movie);
      std::string history, history_genres;
      for (std::size_t k = 0; k < liked.size(); ++k) {
        history += std::to_string(liked[k]) + '|';
        if (k + 20 >= liked.size()) history_genres += files.movies.at(liked[k]).genres + '|';
      }
      const std::vector<std::string> texts{std::to_string(rating.user),
                                           std::to_string(rating.movie),
                                           movie.decade,
                                           std::to_string(rating.time / 3600 % 24),
                                           std::to_string(rating.time / 86400 % 7),
                                           movie.genres,
                                           history,
                                           history_genres,
                                           std::to_string(i)};
      const std::vector<plait::RawValue> values(texts.begin(), texts.end());
      const Part part = i < rows - 2 * (rows / 10) ? Part::train
                        : i < rows - rows / 10     ? Part::validation
                                                   : Part::test;
      use(part, rating, plait::RawRow(values));
      if (rating.rating >= 4) liked.push_back(rating.movie);
    }
    first = last;
  }
}

}  // namespace movielens
