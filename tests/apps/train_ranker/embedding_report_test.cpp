#include "embedding_report.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "page.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "raw_rows.hpp"
#include "report.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "task_column.hpp"

namespace {

using plait::Index;
using Row = std::vector<std::string>;

// Of two users and two tags that train, another user and another tag that do not.
ranker::Dataset dataset() {
  const files::Directory directory;
  const std::string path = directory / "a.csv";
  files::write(path,
               "user,tags,price,click,part\n"
               "a,x|y,1,1,train\n"
               "b,,2,0,train\n"
               "a,|,2,0,train\n"
               "b,x,3,1,train\n"
               "a,x,1,0,validation\n"
               "c,x|z|z|y,2,1,test\n"
               "a,,2,0,test\n");
  return ranker::raw_dataset(
      {.path = path,
       .kind = ranker::FileKind::table,
       .tasks = ranker::task_columns(Row{"click"}),
       .split_column = "part"},
      {.features = {{.name = "user", .dim = 2, .min_count = 1},
                    {.name = "tags", .table = "tag", .dim = 3, .bag = plait::Bag{}, .min_count = 1},
                    {.name = "price", .kind = plait::FeatureKind::number}}});
}

}  // namespace

TEST_CASE("embedding_report: a row per feature of ids") {
  const ranker::Table table = ranker::feature_table(dataset());
  REQUIRE(table.rows.size() == 2);
  // Of the test rows' users one of two is unknown, of their tags two of four: z and z.
  CHECK(table.rows[0] == Row{"user", "vocabulary", "user", "2", "0.00", "0.00", "0", "50.00"});
  CHECK(table.rows[1] == Row{"tags", "vocabulary", "tag", "2", "0.00", "50.00", "0", "50.00"});
  for (const Row& row : table.rows) CHECK(row.size() == table.header.size());
}

TEST_CASE("embedding_report: norms are those of the rows that training names") {
  const ranker::Dataset data = dataset();
  auto tables = plait::EmbeddingTables<float>::zeros(data.encoded->embeddings());
  // Rows: unknown, missing, a, b.
  const std::vector<float> users{9, 9, 9, 9, 3, 4, 0, 1};
  std::ranges::copy(users, tables.values(0).begin());
  const auto norms = ranker::row_norms(tables, *data.encoded, data.train);
  REQUIRE(norms.size() == 2);
  CHECK(norms[0].touched == 2);
  CHECK(norms[0].mean == Approx(3));
  CHECK(norms[0].largest == Approx(5));
  CHECK(norms[1].touched == 2);
  CHECK(norms[1].largest == 0);

  std::vector<ranker::Result> results(2);
  results[0].model = "mmoe";
  results[0].tables = norms;
  const ranker::Table table = ranker::table_table(data, results);
  CHECK(table.header == Row{"table", "rows", "bytes", "touched", "mmoe norm (largest)"});
  CHECK(table.rows[0] == Row{"user", "4", "32", "2", "3.0000 (5.0000)"});
  CHECK(table.rows[1] == Row{"tag", "4", "48", "2", "0.0000 (0.0000)"});
}

TEST_CASE("embedding_report: the page has it where there are ids") {
  const ranker::Dataset data = dataset();
  ranker::PageContent content{.heads = data.heads};
  CHECK(ranker::to_html(content).find("Features and tables") == std::string::npos);
  content.features = ranker::feature_table(data);
  content.tables = ranker::table_table(data, {});
  const std::string html = ranker::to_html(content);
  CHECK(html.find("Features and tables") != std::string::npos);
  CHECK(html.find("<td>tags</td>") != std::string::npos);
  CHECK(html.find("<td>tag</td>") != std::string::npos);
}
