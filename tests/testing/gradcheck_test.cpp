// The gradient check passes what is right, names what is wrong, and is not fooled by kinks.
#include "plait/testing/gradcheck.hpp"

#include <cmath>
#include <limits>

#include "plait/layers/mlp.hpp"
#include "support/catch.hpp"

namespace {

using plait::Index;
using plait::ParamBuffer;
using plait::ParamTable;
using plait::Tensor;
using plait::View3;
using plait::testing::GradientCheck;
using plait::testing::GradientOptions;

// A right MLP whose backward then spoils one entry of a gradient.
struct Spoiled : plait::MLP<double> {
  using MLP = plait::MLP<double>;
  Spoiled(ParamTable& table, plait::MLPConfig config) : MLP(table, "", 3, config) {}

  void backward(plait::ParamView<double> theta, View3<const double> x, View3<const double> y,
                View3<const double> dy, View3<double> dx, const Workspace& workspace,
                plait::GradView<double> grad, plait::Scratch& scratch) const {
    MLP::backward(theta, x, y, dy, dx, workspace, grad, scratch);
    if (in_dx) dx(1, 0, 2) = dx(1, 0, 2) * factor + shift;
    if (parameter.size() == 0) return;
    double& entry = grad.add_to(parameter).data[1];
    entry = entry * factor + shift;
  }

  plait::ParamId parameter;
  bool in_dx = false;
  double factor = 1;
  double shift = 0;
};

const plait::MLPConfig smooth{{4, 2}, plait::Activation::tanh};

struct Fixture {
  explicit Fixture(const plait::MLPConfig& config = smooth, Index batch = 4)
      : layer(*table, config), theta(table) {
    plait::Random random(9);
    initialise(theta, random);
    x = plait::testing::normal_tensor<double>(batch, layer.in_shape(), random);
  }
  plait::testing::GradientReport check(const GradientOptions& options = {}) const {
    return plait::testing::check_gradients(layer, theta, x.view(), options);
  }

  std::shared_ptr<ParamTable> table = std::make_shared<ParamTable>();
  Spoiled layer;
  ParamBuffer<double> theta;
  Tensor<double> x;
};

// Compares f at `values` with an analytic gradient.
template <class F>
plait::testing::GradientReport compare(std::vector<double> values,
                                       const std::vector<double>& analytic, const F& f,
                                       const GradientOptions& options = {}) {
  GradientCheck check(options);
  check.compare("v", values, analytic, [&] { return f(values); });
  return check.report();
}

}  // namespace

TEST_CASE("gradcheck: a right layer passes far below the tolerance") {
  const auto report = Fixture().check();
  INFO(report.text());
  CHECK(report.passed());
  CHECK(report.worst.error < 1e-9);
  CHECK(report.kinks == 0);
  CHECK(report.compared == 12 + 4 * 3 + 4 + 2 * 4 + 2);
}

TEST_CASE("gradcheck: an error of 1e-6 in one entry is found and named") {
  Fixture fixture;
  fixture.layer.shift = 1e-6;
  for (const std::string name : {"mlp_net.0.weight", "mlp_net.0.bias", "mlp_net.2.weight"}) {
    fixture.layer.parameter = fixture.table->at(name).id;
    const auto report = fixture.check();
    INFO(report.text());
    CHECK(!report.passed());
    CHECK(report.worst.tensor == name);
    CHECK(report.worst.index == 1);
    CHECK(std::abs(report.worst.analytic - report.worst.numeric - 1e-6) < 1e-9);
  }
  fixture.layer.parameter = {};
  fixture.layer.in_dx = true;
  const auto report = fixture.check();
  CHECK(!report.passed());
  CHECK(report.worst.tensor == "x");
  CHECK(report.worst.index == 5);
}

TEST_CASE("gradcheck: a flipped sign, a dropped entry and NaN fail") {
  for (const double factor : {-1.0, 0.0, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
    INFO("factor " << factor);
    Fixture fixture;
    fixture.layer.factor = factor;
    fixture.layer.parameter = fixture.table->at("mlp_net.0.weight").id;
    CHECK(!fixture.check().passed());
  }
}

TEST_CASE("gradcheck: the report's text") {
  Fixture fixture;
  fixture.layer.shift = 0.5;
  fixture.layer.parameter = fixture.table->at("mlp_net.2.bias").id;
  const auto text = fixture.check().text();
  CHECK(text.find("failed: worst mlp_net.2.bias[1] analytic ") == 0);
  CHECK(text.find("; 38 entries compared, 0 at kinks excluded") != std::string::npos);
}

TEST_CASE("gradcheck: kinks are excluded wherever they lie, and nothing else is") {
  // |v - kink| has its kink at this many steps from v.
  const double h = GradientOptions().step;
  const GradientOptions lenient{.max_kink_share = 1};
  for (double steps = -1.95; steps < 2; steps += 0.05) {
    INFO("kink " << steps << " steps away");
    const double kink = steps * h;
    const std::vector<double> analytic{kink < 0 ? 1.0 : -1.0, 2.0};
    const auto report = compare(
        {0, 0.5}, analytic,
        [&](const auto& v) { return std::abs(v[0] - kink) + 2 * v[1] + std::sin(v[0]) - v[0]; },
        lenient);
    CHECK(report.kinks == 1);
    CHECK(report.compared == 1);
  }
  const auto far = compare({0}, {-1}, [&](const auto& v) { return std::abs(v[0] - 3.1 * h); });
  CHECK(far.kinks == 0);
  CHECK(far.passed());
}

TEST_CASE("gradcheck: a wrong gradient of a smooth function is never taken for a kink") {
  plait::Random random(10);
  for (int i = 0; i < 100; ++i) {
    const double a = random.normal();
    const auto report = compare({a}, {random.normal()}, [](const auto& v) {
      return std::exp(v[0]) + std::sin(3 * v[0]) + v[0] * v[0] * v[0];
    });
    CHECK(report.kinks == 0);
    CHECK(!report.passed());
  }
}

TEST_CASE("gradcheck: too many kinks fail") {
  const auto f = [](const auto& v) {
    double sum = std::abs(v[0]);
    for (std::size_t i = 1; i < v.size(); ++i) sum += v[i];
    return sum;
  };
  const auto check = [&](std::size_t size) {
    return compare(std::vector<double>(size, 0.0), std::vector<double>(size, 1.0), f);
  };
  CHECK(check(10).passed());
  CHECK(!check(9).passed());
  CHECK(check(9).kinks == 1);
}

TEST_CASE("gradcheck: a tensor of which nothing is left fails") {
  GradientCheck check;
  std::vector<double> plain(20, 1.0), kinked(1, 0.0);
  const auto loss = [&] {
    double sum = std::abs(kinked[0]);
    for (const double v : plain) sum += v;
    return sum;
  };
  check.compare("plain", plain, std::vector<double>(20, 1.0), loss);
  check.compare("kinked", kinked, std::vector<double>{0.0}, loss);
  const auto report = check.report();
  CHECK(!report.passed());
  CHECK(report.unseen == std::vector<std::string>{"kinked"});
}

TEST_CASE("gradcheck: a check that compared nothing fails") {
  CHECK(!GradientCheck().report().passed());
}

TEST_CASE("gradcheck: ReLU layers pass with few exclusions") {
  const auto report = Fixture(plait::MLPConfig{8, 6, 4}, 6).check();
  INFO(report.text());
  CHECK(report.passed());
}

TEST_CASE("gradcheck: values are restored") {
  std::vector<double> values{0.1, -1e3, 7};
  const auto before = values;
  GradientCheck check;
  check.compare("v", values, std::vector<double>{1, 1, 1},
                [&] { return values[0] + values[1] + values[2]; });
  CHECK(values == before);
  CHECK(check.report().passed());
}
