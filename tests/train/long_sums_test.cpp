// Sums over very many rows, tiles, updates: a float's last digit must not grow with their number.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "plait/optim/sgd.hpp"
#include "plait/train/gradient_mean.hpp"
#include "plait/train/trainer.hpp"
#include "plait/train/weight_average.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace plait;

namespace {

// Rows that are all alike but for one label in `period`: every term has one sign and nearly one
// size, so that what is rounded away adds up.
template <class Scalar>
struct Rows {
  Matrix<Scalar> x, labels;
  Rows(Index count, Index dim, Index tasks, Index period)
      : x(Matrix<Scalar>::Constant(count, dim, Scalar(1))),
        labels(Matrix<Scalar>::Zero(count, tasks)) {
    for (Index b = 0; b < count; b += period) labels.row(b).setOnes();
  }
};

// The largest |a - b| / |b| of a tensor.
double error(const ParamBuffer<float>& a, const ParamBuffer<double>& b) {
  double worst = 0;
  for (const ParamEntry& entry : b.table().entries()) {
    const auto got = a.of(entry.name);
    const auto exact = b.of(entry.name);
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      difference += std::pow(static_cast<double>(got[i]) - exact[i], 2);
      norm += exact[i] * exact[i];
    }
    if (norm > 0) worst = std::max(worst, std::sqrt(difference / norm));
  }
  return worst;
}

double error(const ParamBuffer<float>& a, double exact) {
  ParamBuffer<double> all(a.shared_table());
  std::ranges::fill(all.flat(), exact);
  return error(a, all);
}

std::shared_ptr<const ParamTable> one_parameter() {
  auto table = std::make_shared<ParamTable>();
  table->add_vector("w", 1, Init::constant(0));
  return table;
}

}  // namespace

TEST_CASE("a gradient's error does not grow with the batch") {
  const Rows<float> rows(2'000'000, 1, 1, 1000);
  for (const Index lanes : {1, 3}) {
    INFO(lanes);
    Model<float> model(SingleTask{.input_dim = 1, .num_tasks = 1}, {}, 1);
    model.load(ParamBuffer<float>(model.values().shared_table()));
    Trainer<float> trainer(model, std::vector<Head>(1), SGD{}, {.lanes = lanes});
    trainer.compute_gradient(rows.x, {rows.labels});
    CHECK(error(trainer.gradient(), 0.499) < 1e-5);
    trainer.compute_task_gradients(rows.x, {rows.labels});
    CHECK(error(trainer.task_gradients()[0], 0.499) < 1e-5);
  }
}

TEST_CASE("every architecture sums a large batch as exactly, every task's gradient too") {
  constexpr models::Sizes sizes{};
  const Rows<float> rows(100'000, sizes.input_dim, sizes.num_tasks, 50);
  const Rows<double> exact(100'000, sizes.input_dim, sizes.num_tasks, 50);
  const auto trunks = models::all_trunks<double>();
  for (std::size_t i = 0; i < trunks.size(); ++i) {
    INFO(trunks[i].name);
    Model<float> model = models::make(models::all_trunks<float>()[i].trunk);
    Model<double> reference = models::make(trunks[i].trunk);
    ParamBuffer<double> values(reference.values().shared_table());
    std::ranges::copy(model.values().flat(), values.flat().begin());
    reference.load(values);
    const std::vector<Head> heads(static_cast<std::size_t>(sizes.num_tasks));
    Trainer<float> trainer(model, heads, SGD{});
    Trainer<double> trusted(reference, heads, SGD{});
    trainer.compute_gradient(rows.x, {rows.labels});
    trusted.compute_gradient(exact.x, {exact.labels});
    CHECK(error(trainer.gradient(), trusted.gradient()) < 1e-5);
    trainer.compute_task_gradients(rows.x, {rows.labels});
    trusted.compute_task_gradients(exact.x, {exact.labels});
    CHECK(error(trainer.task_gradients()[1], trusted.task_gradients()[1]) < 1e-5);
  }
}

TEST_CASE("an average of slow shares does not stand still") {
  const auto parameters = one_parameter();
  ParamBuffer<float> value(parameters);
  WeightAverage<float> average(parameters, 0.999999);
  double exact = 0, weight = 0;
  for (int i = 0; i < 3'000'000; ++i) {
    value.flat()[0] = i < 1'500'000 ? 1.0f : 1.01f;
    average.update(value);
    exact = exact * 0.999999 + static_cast<double>(value.flat()[0]);
    weight = weight * 0.999999 + 1;
  }
  CHECK(std::abs(average.values().flat()[0] / (exact / weight) - 1) < 1e-6);
}

TEST_CASE("a mean of very many gradients is as exact") {
  const auto parameters = one_parameter();
  ParamBuffer<float> gradient(parameters);
  GradientMean<float> mean(parameters);
  constexpr int count = 4'000'000;
  for (int i = 0; i < count; ++i) {
    gradient.flat()[0] = i < count / 2 ? 1.0f : 1.001f;
    mean.add(gradient);
  }
  CHECK(std::abs(mean.values().flat()[0] / 1.0005 - 1) < 1e-6);
}
