#include "options.hpp"

#include <sstream>

#include "errors.hpp"
#include "support/catch.hpp"

using namespace service;

namespace {

std::optional<Options> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ranking_service");
  std::ostringstream out;
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), out);
}

}  // namespace

TEST_CASE("options are read") {
  const auto options =
      parse({"m.safetensors", "--user-columns", "0-1", "--weight", "buy=0.5", "--weight", "a=b=-1",
             "--threads", "3", "--queue", "0", "--watch", "0", "--instruction-set", "avx2"});
  REQUIRE(options);
  CHECK(options->service.model == "m.safetensors");
  CHECK(options->service.user_columns == std::vector<Index>{0, 1});
  CHECK(options->service.weights ==
        std::vector<std::pair<std::string, double>>{{"buy", 0.5}, {"a=b", -1}});
  CHECK(options->service.threads == 3);
  CHECK(options->service.queue == 0);
  CHECK(options->watch.count() == 0);
  CHECK(options->instruction_set == plait::InstructionSet::avx2);
  CHECK(parse({"m"})->instruction_set == plait::most_instruction_set);
  CHECK(!parse({"--help"}));
}

TEST_CASE("options that cannot be are refused") {
  CHECK_THROWS_AS(parse({}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--threads", "0"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--threads", "5000"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--request-time", "0"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--max-body", "20000000"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--lame-duck", "2000", "--drain", "1000"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--port", "70000"}), UsageError);
  CHECK_THROWS_AS(parse({"m", "--connections", "0"}), UsageError);
  CHECK_THROWS_WITH(parse({"m", "--weight", "buy"}),
                    "--weight: got 'buy', expected a score and a number, such as buy=0.5");
  CHECK_THROWS_WITH(parse({"m", "--instruction-set", "AVX9"}),
                    "--instruction-set: got 'AVX9', expected sse2, avx2 or avx512");
  CHECK_THROWS_WITH(parse({"m", "--weight", "buy=x"}),
                    "--weight: got 'buy=x', expected a score and a number, such as buy=0.5");
}
