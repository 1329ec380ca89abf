#include "plait/features/raw_rows.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "support.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

using plait::RawRows;
using plait::RawValue;

namespace {

bool equal(const RawValue& a, const RawValue& b) {
  return a.is_missing() == b.is_missing() && a.is_list() == b.is_list() && a.text() == b.text() &&
         std::ranges::equal(a.list(), b.list());
}
bool equal(plait::RawRow a, plait::RawRow b) {
  return std::ranges::equal(a, b, [](const RawValue& x, const RawValue& y) { return equal(x, y); });
}

}  // namespace

TEST_CASE("raw rows keep texts, lists and what is missing, apart from whom they came from") {
  RawRows rows(3);
  std::vector<std::string_view> list{"a", "", std::string_view("b\0c", 3)};
  std::string text = "text";
  const features::Row first{features::List(list), RawValue(), text};
  const features::Row second{"", features::List(), features::List(list)};
  rows.add(first);
  rows.add(second);
  const features::Row kept{features::List(list), RawValue(), "text"};
  text = "gone";
  CHECK(rows.size() == 2);
  CHECK(equal(rows.row(0), kept));
  CHECK(equal(rows.row(1), second));
  CHECK(equal(rows.row(0), kept));
  CHECK((rows.has(0, 0) && !rows.has(0, 1) && rows.has(1, 0) && rows.has(1, 1)));

  const RawRows copy = rows;
  rows.clear();
  CHECK(rows.size() == 0);
  rows.add(second);
  CHECK(equal(rows.row(0), second));
  CHECK(equal(RawRows(copy).row(0), kept));
  const features::Row narrow{"x"};
  CHECK_THROWS_AS(rows.add(narrow), plait::ShapeError);
  CHECK(rows.size() == 1);
}

TEST_CASE("raw rows are set by columns in any order") {
  RawRows rows(3);
  rows.begin_row();
  rows.begin_list(2);
  rows.add_item("a");
  rows.add_item("b");
  rows.set(0, "x");
  rows.begin_row();
  rows.begin_list(1);
  const std::vector<std::string_view> list{"a", "b"};
  CHECK(equal(rows.row(0), features::Row{"x", RawValue(), features::List(list)}));
  CHECK(equal(rows.row(1), features::Row{RawValue(), features::List(), RawValue()}));
}

TEST_CASE("raw rows allocate nothing when they are filled again") {
  RawRows rows(2);
  const std::vector<std::string_view> list{"a long text beyond what a string holds in itself", "b"};
  const features::Row row{features::List(list), "another text"};
  const auto fill = [&] {
    rows.clear();
    for (int i = 0; i < 20; ++i) rows.add(row);
    return rows.row(19)[0].list().size();
  };
  fill();
  const std::size_t before = allocations::count();
  CHECK(fill() == 2);
  CHECK(allocations::count() == before);
}
