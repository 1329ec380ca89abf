#include "plait/inspect/expert_report.hpp"

#include <limits>
#include <vector>

#include "support/catch.hpp"

using plait::Index;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// One unit with a gate over two of three experts.
plait::LevelReport level() {
  plait::LevelReport result;
  result.gate_weights = plait::Matrix<double>{{0.75, 0.25, 0}};
  result.static_weights = plait::Matrix<double>{{0, 0, -0.5}};
  result.top_share = plait::Matrix<double>{{1, 0, 0}};
  result.entropy = plait::Vector<double>{{0.5}};
  result.relative_entropy = plait::Vector<double>{{nan}};
  result.importance = plait::Vector<double>{{0.75, 0.25, 0}};
  result.load = plait::Vector<double>{{1, 0, 0}};
  result.output_rms = plait::Vector<double>{{2, 1, 1}};
  result.similarity = plait::Matrix<double>{{1, 0.1, -0.2}, {0.1, 1, nan}, {-0.2, nan, 1}};
  return result;
}

}  // namespace

TEST_CASE("an expert is dead when no unit weighs it, by gate or statically, or it says nothing") {
  auto report = level();
  CHECK(report.dead_experts().empty());
  CHECK(report.dead_experts(0.25) == std::vector<Index>{1});
  CHECK(report.dead_experts(0.6) == std::vector<Index>{1, 2});
  report.output_rms[0] = 0;
  CHECK(report.dead_experts(0.25) == std::vector<Index>{0, 1});

  // Without units there are no weights to go by.
  report.gate_weights.resize(0, 3);
  report.static_weights.resize(0, 3);
  CHECK(report.dead_experts(0.6) == std::vector<Index>{0});
}

TEST_CASE("the CSV of a report has a line per number") {
  const plait::ExpertReport report{4, {level()}};
  CHECK(report.csv() ==
        "level,quantity,unit,expert,other,value\n"
        "0,gate_weights,0,0,,0.75\n"
        "0,gate_weights,0,1,,0.25\n"
        "0,gate_weights,0,2,,0\n"
        "0,static_weights,0,0,,0\n"
        "0,static_weights,0,1,,0\n"
        "0,static_weights,0,2,,-0.5\n"
        "0,top_share,0,0,,1\n"
        "0,top_share,0,1,,0\n"
        "0,top_share,0,2,,0\n"
        "0,entropy,0,,,0.5\n"
        "0,relative_entropy,0,,,nan\n"
        "0,importance,,0,,0.75\n"
        "0,importance,,1,,0.25\n"
        "0,importance,,2,,0\n"
        "0,load,,0,,1\n"
        "0,load,,1,,0\n"
        "0,load,,2,,0\n"
        "0,output_rms,,0,,2\n"
        "0,output_rms,,1,,1\n"
        "0,output_rms,,2,,1\n"
        "0,similarity,,0,0,1\n"
        "0,similarity,,0,1,0.1\n"
        "0,similarity,,0,2,-0.2\n"
        "0,similarity,,1,0,0.1\n"
        "0,similarity,,1,1,1\n"
        "0,similarity,,1,2,nan\n"
        "0,similarity,,2,0,-0.2\n"
        "0,similarity,,2,1,nan\n"
        "0,similarity,,2,2,1\n");
}
