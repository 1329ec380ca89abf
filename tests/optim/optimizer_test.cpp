#include "plait/optim/optimizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "optim/support.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/optim/rmsprop.hpp"
#include "plait/optim/sgd.hpp"
#include "support/catch.hpp"
#include "support/tolerance.hpp"

using Catch::Matchers::Message;
using Catch::Matchers::WithinAbs;
using namespace plait;
using optim_test::after_three_steps;
using optim_test::gradient;
using optim_test::start;
using optim_test::two_tensors;

namespace {

template <class Scalar>
void check_values(const ParamBuffer<Scalar>& values, const std::array<double, 3>& a,
                  const std::array<double, 2>& b) {
  for (std::size_t i = 0; i < 3; ++i)
    CHECK_THAT(double(values.of("a.weight")[i]), WithinAbs(a[i], fixtures::tolerance<Scalar>));
  for (std::size_t i = 0; i < 2; ++i)
    CHECK_THAT(double(values.of("b.bias")[i]), WithinAbs(b[i], fixtures::tolerance<Scalar>));
}

bool equal(const ParamBuffer<float>& a, const ParamBuffer<float>& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

// A user's own rule: signSGD with momentum whose moment starts at -1.
struct SignRule {
  double learning_rate = 0.5;
  double weight_decay = 0;
  void validate() const {}
  std::vector<std::string> moment_names() const { return {"sign"}; }
  double initial_moment(Index) const { return -1; }
  template <class Scalar>
  void update(const UpdateStep& step, std::span<Scalar> values, std::span<const Scalar> grad,
              Moments<Scalar> moments) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (grad[i] != 0) moments[0][i] = grad[i] > 0 ? Scalar(1) : Scalar(-1);
      values[i] -= static_cast<Scalar>(step.learning_rate) * moments[0][i];
    }
  }
};
static_assert(OptimizerRule<SignRule, float>);

}  // namespace

TEMPLATE_TEST_CASE("bias correction counts steps, not tensors", "", float, double) {
  // torch.optim.Adam([a, b], lr=0.01) after three steps
  const auto table = two_tensors();
  const Optimizer<TestType> optimizer(table, Adam{.learning_rate = 0.01});
  check_values(after_three_steps<TestType>(optimizer, table),
               {0.48220898147310426, -1.18663363603889, 1.9905695330942048},
               {0.07825675706527135, -0.28185750548444793});
}

TEMPLATE_TEST_CASE("groups change learning rate and weight decay", "", float, double) {
  // torch.optim.AdamW([{'params': [a]}, {'params': [b], 'lr': 0.1, 'weight_decay': 0.0}], lr=0.01,
  //                   weight_decay=0.1) after three steps
  const auto table = two_tensors();
  const Optimizer<TestType> optimizer(
      table, AdamW{.learning_rate = 0.01, .weight_decay = 0.1},
      {.groups = {{.pattern = "*.bias", .learning_rate = 0.1, .weight_decay = 0}}});
  check_values(after_three_steps<TestType>(optimizer, table),
               {0.4807319161776784, -1.183059348511888, 1.984582972462345},
               {-0.11743242934728654, -0.11857505484447926});
}

TEMPLATE_TEST_CASE("gradients are clipped by their common norm", "", float, double) {
  const auto table = two_tensors();
  SECTION("SGD") {
    // clip_grad_norm_([a, b], 1.0) before each step of torch.optim.SGD([a, b], lr=0.1)
    const Optimizer<TestType> optimizer(table, SGD{.learning_rate = 0.1}, {.clip_norm = 1});
    check_values(after_three_steps<TestType>(optimizer, table),
                 {0.4403588421530758, -1.2042986393590558, 1.957640022418688},
                 {0.07138630978350238, -0.2758350364506375});
  }
  SECTION("Adam") {
    // the same with torch.optim.Adam([a, b], lr=0.01, eps=0.1)
    const Optimizer<TestType> optimizer(table, Adam{.learning_rate = 0.01, .epsilon = 0.1},
                                        {.clip_norm = 1});
    check_values(after_three_steps<TestType>(optimizer, table),
                 {0.49069443813710634, -1.1937568836853607, 1.991673328273053},
                 {0.08279744164749046, -0.286278266118753});
  }
  SECTION("frozen gradients do not count") {
    // the same with torch.optim.SGD and b.grad = None
    const Optimizer<TestType> optimizer(
        table, SGD{.learning_rate = 0.1},
        {.groups = {{.pattern = "b.*", .frozen = true}}, .clip_norm = 1});
    check_values(after_three_steps<TestType>(optimizer, table),
                 {0.40372682361880624, -1.168303615174898, 1.962774167108894}, {0.1, -0.3});
  }
}

TEMPLATE_TEST_CASE("the schedule multiplies the learning rate", "", float, double) {
  // torch.optim.SGD([a, b], lr=0.1) with StepLR(optimizer, 2, 0.5) after three steps
  const auto table = two_tensors();
  const Optimizer<TestType> optimizer(table, SGD{.learning_rate = 0.1},
                                      {.schedule = Schedule::step_decay(2, 0.5)});
  check_values(after_three_steps<TestType>(optimizer, table), {0.445, -1.1725, 1.92},
               {-0.0125, -0.155});
}

TEST_CASE("frozen parameters and their moments keep every bit, even under NaN gradients") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, AdamW{}, {.groups = {{.pattern = "b.*", .frozen = true}}});
  auto values = start<float>(table);
  const auto before = values;
  auto grad = gradient<float>(table, 0);
  std::ranges::fill(grad.of("b.bias"), std::numeric_limits<float>::quiet_NaN());
  optimizer.step(values, grad);
  CHECK(std::ranges::equal(values.of("b.bias"), before.of("b.bias")));
  CHECK(values.of("a.weight")[0] != before.of("a.weight")[0]);
  for (const auto& moment : optimizer.moments()) {
    CHECK(moment.of("b.bias")[0] == 0);
    CHECK(moment.of("a.weight")[0] != 0);
  }
}

TEST_CASE("the state follows the table, not an address: copies continue alike") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, Adam{.learning_rate = 0.01, .amsgrad = true});
  auto values = start<float>(table);
  optimizer.step(values, gradient<float>(table, 0));

  auto copied_values = values;
  auto copied_optimizer = optimizer;
  for (int k = 1; k < 3; ++k) {
    optimizer.step(values, gradient<float>(table, k));
    copied_optimizer.step(copied_values, gradient<float>(table, k));
  }
  CHECK(equal(values, copied_values));
  CHECK(copied_optimizer.steps() == 3);

  // And on another buffer, moved in between.
  auto moved = std::make_unique<ParamBuffer<float>>(std::move(copied_values));
  optimizer.step(values, gradient<float>(table, 0));
  copied_optimizer.step(*moved, gradient<float>(table, 0));
  CHECK(equal(values, *moved));
}

TEST_CASE("a stored state continues alike, over the same table or an equal one") {
  const auto table = two_tensors();
  const AdamW rule{.learning_rate = 0.01, .amsgrad = true};
  const OptimizerOptions options{.schedule = Schedule::cosine(5), .clip_norm = 1};
  Optimizer<float> optimizer(table, rule, options);
  CHECK(optimizer.moment_names() ==
        std::vector<std::string>{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"});
  auto values = start<float>(table);
  optimizer.step(values, gradient<float>(table, 0));
  auto other_values = values;

  Optimizer<float> other(two_tensors(), rule, options);
  other.restore(optimizer.steps(), optimizer.moments());
  for (int k = 1; k < 3; ++k) {
    optimizer.step(values, gradient<float>(table, k));
    other.step(other_values, gradient<float>(two_tensors(), k));
  }
  CHECK(equal(values, other_values));
}

TEST_CASE("a state that does not fit is refused and nothing is changed") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, Adam{});
  auto values = start<float>(table);
  optimizer.step(values, gradient<float>(table, 0));
  auto moments = optimizer.moments();
  CHECK_THROWS_MATCHES(optimizer.restore(-1, moments), ConfigError,
                       Message("plait::Optimizer: steps: got -1, expected at least 0"));
  auto too_many = moments;
  too_many.push_back(moments[0]);
  CHECK_THROWS_MATCHES(optimizer.restore(7, too_many), ConfigError,
                       Message("plait::Optimizer: moments: got 3, expected 2"));
  moments[1] = ParamBuffer<float>();
  CHECK_THROWS_MATCHES(
      optimizer.restore(7, moments), ShapeError,
      Message("plait::Optimizer: moments: got a table of 0 tensors, 0 numbers, expected the "
              "one it was built for, of 2 tensors, 5 numbers"));
  CHECK(optimizer.steps() == 1);
}

TEST_CASE("values and gradients over another table are refused and nothing is changed") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, SGD{});
  auto other_table = std::make_shared<ParamTable>();
  other_table->add_vector("a.weight", 3, Init::constant(0));
  other_table->add_vector("b.weight", 2, Init::constant(0));
  ParamBuffer<float> foreign(other_table);
  auto values = start<float>(table);
  const auto before = values;
  CHECK_THROWS_AS(optimizer.step(values, foreign), ShapeError);
  CHECK_THROWS_MATCHES(
      optimizer.step(foreign, values), ShapeError,
      Message("plait::Optimizer: values: got a table of 2 tensors, 5 numbers, expected the "
              "one it was built for, of 2 tensors, 5 numbers"));
  CHECK(equal(values, before));
  CHECK(optimizer.steps() == 0);
}

TEST_CASE("options out of range are refused") {
  const auto table = two_tensors();
  using Plain = Optimizer<float>;
  CHECK_THROWS_MATCHES(
      Plain(table, SGD{}, {.clip_norm = 0}), ConfigError,
      Message("plait::Optimizer: clip_norm: got 0, expected a finite number above 0"));
  CHECK_THROWS_AS(Plain(table, SGD{}, {.clip_norm = std::numeric_limits<double>::quiet_NaN()}),
                  ConfigError);
  CHECK_THROWS_AS(Plain(table, SGD{}, {.groups = {{.pattern = "c.*"}}}), ConfigError);
}

TEST_CASE("a gradient that is not finite spoils what it is documented to spoil") {
  const auto table = two_tensors();
  auto grad = gradient<float>(table, 0);
  grad.of("a.weight")[1] = std::numeric_limits<float>::quiet_NaN();
  SECTION("its own parameter without clipping") {
    auto values = start<float>(table);
    Optimizer<float>(table, SGD{}).step(values, grad);
    CHECK(std::isnan(values.of("a.weight")[1]));
    CHECK(std::isfinite(values.of("a.weight")[0]));
    CHECK(std::isfinite(values.of("b.bias")[0]));
  }
  SECTION("every parameter with clipping") {
    auto values = start<float>(table);
    Optimizer<float>(table, SGD{}, {.clip_norm = 1}).step(values, grad);
    for (const char* name : {"a.weight", "b.bias"})
      for (const float p : values.of(name)) CHECK(std::isnan(p));
  }
}

TEST_CASE("padding stays zero") {
  const auto table = two_tensors();
  auto values = start<float>(table);
  Optimizer<float> adam(table, AdamW{.epsilon = 1e-30});
  Optimizer<float> adagrad(table, Adagrad{.initial_accumulator = 0.1, .epsilon = 1e-30});
  const auto grad = gradient<float>(table, 1);  // no zero that would be divided by zero
  adam.step(values, grad);
  adagrad.step(values, grad);
  const auto non_zero = [](const ParamBuffer<float>& buffer) {
    return std::ranges::count_if(buffer.flat(), [](float x) { return x != 0; });
  };
  CHECK(non_zero(values) == 5);
  CHECK(non_zero(adagrad.moments()[0]) == 5);
}

TEST_CASE("a rule of one's own plugs in") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, SignRule{});
  auto values = start<float>(table);
  optimizer.step(values, gradient<float>(table, 0));
  check_values(values, {0.0, -0.7, 2.5}, {-0.4, 0.2});
  CHECK(optimizer.moment_names() == std::vector<std::string>{"sign"});
}

TEST_CASE("a rule with another rate is the same rule, and leaves the first as it was") {
  const Rule<double> rule = AdamW{.learning_rate = 0.25, .beta1 = 0.5, .weight_decay = 0.125};
  const Rule<double> faster = rule.with_learning_rate(2);
  CHECK(rule.learning_rate() == 0.25);
  CHECK(faster.learning_rate() == 2);
  CHECK(faster.weight_decay() == 0.125);
  CHECK(faster.moment_names() == AdamW{}.moment_names());
  CHECK_THROWS_AS(rule.with_learning_rate(-1).validate(), ConfigError);

  const auto table = two_tensors();
  const auto after = [&](const Rule<double>& chosen) {
    return after_three_steps<double>(Optimizer<double>(table, chosen), table);
  };
  const auto expected = after(AdamW{.learning_rate = 2, .beta1 = 0.5, .weight_decay = 0.125});
  CHECK(std::ranges::equal(after(faster).flat(), expected.flat()));
  CHECK_FALSE(std::ranges::equal(after(rule).flat(), expected.flat()));
}

TEST_CASE("moments start at 0, or where the rule says") {
  CHECK(Rule<float>(Adam{}).initial_moment(1) == 0);
  CHECK(Rule<float>(Adagrad{.initial_accumulator = 0.5}).initial_moment(0) == 0.5);
  CHECK(Rule<float>(SignRule{}).initial_moment(0) == -1);
}

TEST_CASE("moments are parts of blocks, of any memory") {
  std::array<double, 6> numbers{1, 2, 3, 10, 20, 30};
  const std::array<std::span<double>, 2> blocks{std::span(numbers).first(3),
                                                std::span(numbers).last(3)};
  const Moments<double> moments(blocks, 1, 2);
  CHECK(std::ranges::equal(moments[0], std::array<double, 2>{2, 3}));
  moments[1][1] = 7;
  CHECK(numbers[5] == 7);
}

namespace {

// Runs `count` tasks, then fails: no thread to be had, say.
struct Failing final : Executor {
  Index count = 0;
  void run(Index tasks, IndexTask task) override {
    for (Index i = 0; i < tasks && i < count; ++i) task(i);
    if (tasks > count) throw std::runtime_error("no thread");
  }
};

}  // namespace

TEST_CASE("half a step is known as one, and followed by none until a whole state is restored") {
  const auto table = two_tensors();
  const auto grad = gradient<float>(table, 0);
  for (const Rule<float>& rule :
       {Rule<float>(Adam{}), Rule<float>(SGD{.momentum = 0.9}), Rule<float>(RMSprop{})}) {
    Optimizer<float> optimizer(table, rule);
    auto values = start<float>(table);
    optimizer.step(values, grad);
    const auto whole_values = values;
    const auto whole = optimizer;
    Failing executor;

    // Nothing moved: nothing is lost.
    CHECK_THROWS_AS(optimizer.step(values, grad, &executor), std::runtime_error);
    CHECK_FALSE(optimizer.spoiled());
    CHECK(equal(values, whole_values));

    executor.count = 1;
    CHECK_THROWS_AS(optimizer.step(values, grad, &executor), std::runtime_error);
    CHECK(optimizer.spoiled());
    CHECK_FALSE(equal(values, whole_values));
    CHECK(optimizer.steps() == 1);
    const auto half_values = values;
    CHECK_THROWS_WITH(
        optimizer.step(values, grad),
        "plait::Optimizer: state: got that of a step that threw, expected restore() of a "
        "whole one");
    CHECK_THROWS_AS(optimizer.step(values, grad), ConfigError);
    CHECK(equal(values, half_values));
    CHECK_THROWS_AS(Optimizer<float>(optimizer).step(values, grad), ConfigError);

    optimizer.restore(whole.steps(), whole.moments());
    values = whole_values;
    executor.count = 2;
    optimizer.step(values, grad, &executor);
    auto expected_values = whole_values;
    Optimizer<float>(whole).step(expected_values, grad);
    CHECK(equal(values, expected_values));
  }
  // A frozen tensor does not move, so what fails after it has moved nothing.
  Optimizer<float> optimizer(table, Adam{}, {.groups = {{.pattern = "a.weight", .frozen = true}}});
  auto values = start<float>(table);
  Failing executor;
  executor.count = 1;
  CHECK_THROWS_AS(optimizer.step(values, grad, &executor), std::runtime_error);
  CHECK_FALSE(optimizer.spoiled());
}

TEST_CASE("a step count that no run reaches is not restored") {
  const auto table = two_tensors();
  Optimizer<float> optimizer(table, Adam{});
  for (const Index steps : {Index{-1}, (Index{1} << 53) + 1, std::numeric_limits<Index>::max()})
    CHECK_THROWS_AS(optimizer.restore(steps, optimizer.moments()), ConfigError);
  CHECK(optimizer.steps() == 0);
  optimizer.restore(Index{1} << 53, optimizer.moments());
  CHECK(optimizer.steps() == Index{1} << 53);
}

TEST_CASE("rules tell their names and hyper-parameters") {
  struct Seen final : FieldVisitor {
    std::string all;
    bool reads() const override { return false; }
    void scalar(bool& value) override { all += value ? "true " : "false "; }
    void scalar(Index& value) override { all += text(value, ' '); }
    void scalar(double& value) override { all += text(value, ' '); }
    void scalar(std::string& value) override { all += value + ' '; }
    void enumerator(std::size_t&, std::span<const std::string_view>) override {}
    void begin_object() override {}
    void end_object() override {}
    void begin_field(const char* name) override { all += text(name, ' '); }
    void end_field() override {}
    bool has_field(const char*, bool) override { return true; }
    void needless_field(const char*) override {}
    std::size_t begin_list(std::size_t size) override { return size; }
    void end_list() override {}
    void begin_element(std::size_t) override {}
    void end_element() override {}
  };
  const auto told = [](const Rule<float>& rule) {
    Seen seen;
    seen.all = text(rule.name(), ": ");
    rule.settings(seen);
    return seen.all;
  };
  CHECK(told(Adam{}) == "Adam: beta1 0.9 beta2 0.999 epsilon 1e-08 amsgrad false ");
  CHECK(told(AdamW{.beta1 = 0.5}) == "AdamW: beta1 0.5 beta2 0.999 epsilon 1e-08 amsgrad false ");
  CHECK(told(SGD{}) == "SGD: momentum 0 dampening 0 nesterov false ");
  CHECK(told(Adagrad{}) == "Adagrad: learning_rate_decay 0 initial_accumulator 0 epsilon 1e-10 ");
  CHECK(told(RMSprop{}) == "RMSprop: alpha 0.99 epsilon 1e-08 momentum 0 centered false ");
  CHECK(told(SignRule{}) == ": ");
}
