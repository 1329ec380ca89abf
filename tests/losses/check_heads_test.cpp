#include "plait/losses/check_heads.hpp"

#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/every_kind.hpp"

using Catch::Matchers::Message;
using plait::Head;
using plait::HeadKind;

TEST_CASE("heads without a meaning are refused") {
  const auto check = [](std::vector<Head> heads) { plait::check_heads("Loss", heads); };
  CHECK_NOTHROW(check({{}, {.kind = HeadKind::multiclass, .classes = 2}, {.weight = 0}}));
  CHECK_THROWS_MATCHES(check({}), plait::ConfigError,
                       Message("plait::Loss: heads: got none, expected at least one"));
  CHECK_THROWS_MATCHES(check({{}, {.kind = HeadKind::multiclass}}), plait::ConfigError,
                       Message("plait::Loss: classes of task1: got 1, expected at least 2"));
  CHECK_THROWS_MATCHES(
      check({{.classes = 3, .name = "like"}}), plait::ConfigError,
      Message("plait::Loss: classes of like: got 3, expected 1 unless multiclass or ordinal"));
  CHECK_THROWS_MATCHES(
      check({{.pos_weight = 0}}), plait::ConfigError,
      Message("plait::Loss: pos_weight of task0: got 0, expected a finite number above 0"));
  CHECK_THROWS_MATCHES(check({{.kind = HeadKind::regression, .pos_weight = 2}}), plait::ConfigError,
                       Message("plait::Loss: pos_weight of task0: got 2, expected 1 unless binary, "
                               "conditional or focal"));
  CHECK_THROWS_MATCHES(
      check({{.weight = -1}}), plait::ConfigError,
      Message("plait::Loss: weight of task0: got -1, expected a finite number of at least 0"));
  CHECK_THROWS_MATCHES(
      check({{.weight = std::numeric_limits<double>::quiet_NaN()}}), plait::ConfigError,
      Message("plait::Loss: weight of task0: got nan, expected a finite number of at least 0"));
}

TEST_CASE("every kind of head is accepted with the settings that it has") {
  CHECK_NOTHROW(plait::check_heads("Loss", every_kind::heads()));
}

TEST_CASE("settings are refused out of their domain, and where they mean nothing") {
  const auto refusal = [](const Head& head) {
    try {
      plait::check_heads("Loss", std::vector<Head>{{}, {}, head});
    } catch (const plait::ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(refusal({.kind = HeadKind::ordinal}) ==
        "plait::Loss: classes of task2: got 1, expected at least 2");
  CHECK(refusal({.kind = HeadKind::huber, .delta = 0}) ==
        "plait::Loss: delta of task2: got 0, expected a finite number above 0");
  CHECK(refusal({.delta = 2}) == "plait::Loss: delta of task2: got 2, expected 1 unless huber");
  CHECK(refusal({.kind = HeadKind::focal, .gamma = -1}) ==
        "plait::Loss: gamma of task2: got -1, expected a finite number of at least 0");
  CHECK(refusal({.gamma = 1}) == "plait::Loss: gamma of task2: got 1, expected 2 unless focal");
  CHECK(refusal({.kind = HeadKind::jrc, .alpha = 1.5}) ==
        "plait::Loss: alpha of task2: got 1.5, expected a number in [0, 1]");
  CHECK(refusal({.alpha = 1}) == "plait::Loss: alpha of task2: got 1, expected 0.5 unless jrc");
  CHECK(refusal({.given = 0}) ==
        "plait::Loss: given of task2: got task 0, expected none unless conditional");
  CHECK(refusal({.kind = HeadKind::conditional}) ==
        "plait::Loss: given of task2: got none, expected an earlier task that is binary or "
        "conditional");
  for (const plait::Index task : {-1, 2, 3})
    CHECK(refusal({.kind = HeadKind::conditional, .given = task}) ==
          plait::text("plait::Loss: given of task2: got task ", task,
                      ", expected an earlier task that is binary or conditional"));
  CHECK_THROWS_WITH(
      plait::check_heads("Loss", std::vector<Head>{{.kind = HeadKind::regression},
                                                   {.kind = HeadKind::conditional, .given = 0}}),
      "plait::Loss: given of task1: got task 0, expected an earlier task that is binary or "
      "conditional");
  CHECK(refusal({.labels_of = 2}) ==
        "plait::Loss: labels_of of task2: got task 2, expected an earlier task that reads its own "
        "labels");
  CHECK_THROWS_WITH(
      plait::check_heads("Loss", std::vector<Head>{{}, {.labels_of = 0}, {.labels_of = 1}}),
      "plait::Loss: labels_of of task2: got task 1, expected an earlier task that reads its own "
      "labels");
  CHECK(refusal({.in_space = 0}) ==
        "plait::Loss: in_space of task2: got 0, expected a finite number above 0");
  CHECK(refusal({.out_of_space = -1}) ==
        "plait::Loss: out_of_space of task2: got -1, expected a finite number of at least 0");
  CHECK(refusal({.in_space = 2, .out_of_space = 0.5}) == "accepted");
}

TEST_CASE("names of heads are keys: no two are alike, nor like another head's columns") {
  const auto refusal = [](const std::vector<Head>& heads) {
    try {
      plait::check_heads("Loss", heads);
    } catch (const plait::ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const Head classes{.kind = HeadKind::multiclass, .classes = 3, .name = "a"};
  CHECK(refusal({{.name = "a"}, {}, {.name = "a"}}) ==
        "plait::Loss: name of head 2: got 'a', expected another than that of head 0");
  CHECK(refusal({{.name = "task1"}, {}}) ==
        "plait::Loss: name of head 1: got 'task1', expected another than that of head 0");
  CHECK(refusal({{}, {.name = "task0"}}) ==
        "plait::Loss: name of head 1: got 'task0', expected another than that of head 0");
  CHECK(refusal({classes, {.name = "a.2"}}) ==
        "plait::Loss: name of head 1: got 'a.2', expected another than that of a column of head 0");
  CHECK(refusal({{.name = "a.0"}, classes}) ==
        "plait::Loss: name of head 0: got 'a.0', expected another than that of a column of head 1");
  CHECK(refusal({{.kind = HeadKind::ziln}, {.name = "task0.1"}}) ==
        "plait::Loss: name of head 1: got 'task0.1', expected another than that of a column of "
        "head 0");
  CHECK(refusal({{.kind = HeadKind::jrc, .name = "x.1"}, {.kind = HeadKind::jrc, .name = "x"}}) ==
        "plait::Loss: name of head 0: got 'x.1', expected another than that of a column of head 1");
  for (const char* name : {"a.3", "a.00", "a.", "a.-1", "a.1x", ".0", "a.99999999999999999999"})
    CHECK(refusal({classes, {.name = name}}) == "accepted");
  CHECK(refusal({{.name = "b"}, {.name = "b.0"}, {}, {.name = "task1"}}) == "accepted");
  CHECK(refusal({classes, {.kind = HeadKind::ziln}, {}}) == "accepted");
  CHECK(plait::column_names(std::vector<Head>{classes, {}, {.name = "b"}}) ==
        std::vector<std::string>{"a.0", "a.1", "a.2", "task1", "b"});
}

TEST_CASE("long and hidden names of heads leave the error in sight") {
  const std::string name = "\n" + std::string(5000, 'n');
  CHECK_THROWS_WITH(plait::check_heads("Loss", std::vector<Head>{{.weight = -1, .name = name}}),
                    "plait::Loss: weight of \\x0a" + std::string(99, 'n') +
                        "...: got -1, expected a finite number of at least 0");
}
