// ColumnError: a value that a feature cannot take, with its parts, for readers of files to say
// where it stood.
#pragma once
#include <string>
#include <string_view>

#include "plait/core/error.hpp"

namespace plait {

class ColumnError : public ValueError {
 public:
  PLAIT_COLD ColumnError(std::string_view column, std::string_view got, std::string_view expected)
      : ValueError("FeatureEncoder", "column " + in_quotes(column), got, expected),
        column_("column " + in_quotes(column)),
        got_(got),
        expected_(expected) {}

  const std::string& column() const { return column_; }  // "column 'x'"
  const std::string& got() const { return got_; }
  const std::string& expected() const { return expected_; }

 private:
  std::string column_, got_, expected_;
};

}  // namespace plait
