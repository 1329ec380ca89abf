#include "page.hpp"

#include <algorithm>
#include <cstddef>

#include "page_sections.hpp"
#include "page_style.hpp"
#include "svg/look.hpp"
#include "svg/markup.hpp"
#include "svg/style.hpp"

namespace ranker {
namespace {

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::string summary(const PageContent& content) {
  std::size_t seeds = 0;
  for (const Result& result : content.results) seeds = std::max(seeds, result.runs.size());
  return content.description + ". " + counted(content.results.size(), "model") + ", " +
         counted(content.heads.size(), "task") + ", " + counted(seeds, "seed") + '.';
}

void add_results(svg::Markup& page, const PageContent& content) {
  page.element("h2", {}, "Test rows");
  add_table(page, result_table(content.heads, content.results, content.baseline));
  page.element("p", {{"class", "note"}},
               "Weights of the best epoch; mean over the seeds, ± sample standard deviation. AUC: "
               "higher is better; NE (log loss over that of the mean label) and MSE: lower is "
               "better. gain %: mean over the tasks of the relative gain over " +
                   content.baseline + ", in AUC or MSE; positive is better. -: undefined.");
}

}  // namespace

void add_legend(svg::Markup& page, const PageContent& content, std::span<const std::size_t> shown) {
  page.open("ul", {{"class", "legend"}});
  for (const std::size_t m : shown)
    page.open("li").raw(svg::legend_key(svg::look(m))).text(content.results[m].model).close();
  page.close();
}

void add_table(svg::Markup& page, const Table& table) {
  page.open("div", {{"class", "wide"}}).open("table").open("thead").open("tr");
  for (const std::string& cell : table.header) page.element("th", {{"scope", "col"}}, cell);
  page.close().close().open("tbody");
  for (const auto& row : table.rows) {
    page.open("tr");
    for (const std::string& cell : row) page.element("td", {}, cell);
    page.close();
  }
  page.close().close().close();
}

const char* compared_name(const plait::Head& head) {
  return head.kind == plait::HeadKind::binary ? "AUC" : "MSE";
}

std::string to_html(const PageContent& content) {
  svg::Markup page;
  page.raw("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  page.leaf("meta", {{"charset", "utf-8"}});
  page.leaf("meta", {{"http-equiv", "Content-Security-Policy"},
                     {"content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}});
  page.leaf("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  page.leaf("link", {{"rel", "icon"}, {"href", "data:,"}});  // or browsers ask a server for one
  page.element("title", {}, "train_ranker: " + content.description);
  page.open("style").raw(svg::style).raw(page_style).close().close();

  page.open("body").element("h1", {}, "Models compared").element("p", {}, summary(content));
  if (content.interrupted)
    page.element("p", {}, "Interrupted: the runs that were finished are shown.");
  for (const std::string& failure : content.failures) page.element("p", {}, "Failed: " + failure);
  add_results(page, content);
  add_seesaw(page, content);
  add_curves(page, content);
  add_experts(page, content);
  add_precision(page, content);
  add_embeddings(page, content);
  page.element("h2", {}, "Settings").open("p").element("code", {}, content.settings).close();
  return page.close().close().str();
}

}  // namespace ranker
