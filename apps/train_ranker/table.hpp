// A table as aligned text and as CSV.
#pragma once
#include <string>
#include <vector>

namespace ranker {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header
};

// Columns as wide as their widest cell, the first left-aligned and the others right-aligned, two
// spaces apart, a rule under the header. Columns that do not fit into lines of `width` characters
// follow below, in blocks that begin with the first column again; a block has one other at least.
std::string to_text(const Table& table, int width);

// RFC 4180: cells with a comma, a quote or a line break are quoted; lines end in CR LF.
std::string to_csv(const Table& table);

}  // namespace ranker
