// The results of all models as one page of HTML: tables, curves, task against task, experts.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "plait/losses/head.hpp"
#include "report.hpp"

namespace ranker {

struct PageContent {
  std::string description{};  // where the data come from
  std::string settings{};     // the options that decided the results
  std::vector<plait::Head> heads{};
  std::span<const Result> results{};
  std::string baseline{};  // what gains are measured against, if it is among the results
  std::vector<std::string> failures{};  // runs, and why
  bool interrupted = false;             // the results are those so far
  Table features{};                     // feature_table() and table_table(), where there are ids
  Table tables{};
};

// Self-contained: style and pictures are inline and its content security policy forbids it to load
// anything. Also well-formed XML. The same content gives the same bytes.
std::string to_html(const PageContent& content);

}  // namespace ranker
