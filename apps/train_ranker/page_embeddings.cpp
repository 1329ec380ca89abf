#include "page_sections.hpp"
#include "svg/markup.hpp"

namespace ranker {

void add_embeddings(svg::Markup& page, const PageContent& content) {
  if (content.features.rows.empty()) return;
  page.element("h2", {}, "Features and tables");
  add_table(page, content.features);
  page.element("p", {{"class", "note"}},
               "Of the rows that train: distinct values, rows without one, bags without ids, and "
               "values that share a row with another. unseen: ids of test rows whose row no "
               "training row names, or that have no row of their own.");
  add_table(page, content.tables);
  page.element(
      "p", {{"class", "note"}},
      "Rows that training touched, and per model their mean Euclidean norm and the largest "
      "one, of the first seed's best epoch.");
}

}  // namespace ranker
