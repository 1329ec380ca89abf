#include <string>

#include "page_sections.hpp"
#include "precision_report.hpp"
#include "svg/markup.hpp"

namespace ranker {

void add_precision(svg::Markup& page, const PageContent& content) {
  if (!has_precision(content.results)) return;
  page.element("h2", {}, "Scored in bf16").element("p", {{"class", "note"}}, precision_note());
  for (const Result& result : content.results) {
    if (!result.keep) continue;
    page.element("h3", {}, result.model + " in bf16");
    add_table(page, precision_table(content.heads, result));
    page.element("p", {{"class", "note"}},
                 "Seed " + std::to_string(weights_seed(result)) +
                     ", one weight in bf16 and no other: change of the loss in %.");
    add_table(page, weight_table(content.heads, result));
    page.element("p", {}, keep_summary(result));
    const std::string code = keep_code(*result.keep);
    if (!code.empty()) page.open("p").element("code", {}, code).close();
  }
}

}  // namespace ranker
