// What entry points take: matrices, their rows and columns, maps, views, tensors, nothing.
#include <vector>

#include "plait/inspect/expert_watch.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/predict.hpp"
#include "plait/metrics/task_metrics.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"

void right_arguments(plait::Model<float>& model, plait::Trainer<float>& trainer,
                     plait::ScoringContext<float>& context, plait::TaskMetrics& metrics,
                     plait::ExpertWatch<float>& watch, const std::vector<plait::Head>& heads) {
  plait::Matrix<float> x(2, 2), y(2, 2);
  const plait::Matrix<float> constant(2, 2);
  plait::Matrix<double> of_double(2, 2);
  plait::Tensor<float> tensor(2, 1, 2);
  const plait::View3<float> view = y;

  context.score(x, y);
  context.score(constant, view);
  context.score(tensor, tensor);
  context.score(x.topRows(1), y.middleRows(1, 1));
  context.score(x.leftCols(1), y.col(0));
  context.score(view.of_slot(0), view.of_slot(0));
  context.score({x.data(), 2, 1, 2}, {y.data(), 2, 1, 2, 2, 2});
  context.score((x * 2).eval(), y);
  context.score(x.leftCols(1), x, y);
  context.score(plait::Matrix<float>(of_double.cast<float>()), y);

  trainer.step(x, y);
  trainer.step(x, constant, {}, y.col(0));
  trainer.step(x, {.labels = y, .mask = view, .weights = y.col(0)});
  trainer.compute_gradient(view, {constant, {}, tensor});
  trainer.score(constant, tensor);

  plait::predict(heads, x, y);
  plait::predict(heads, constant, view);
  plait::predict(heads, of_double, of_double);
  plait::predict(heads, tensor, y.topRows(2));

  metrics.add<float>(x, {y});
  metrics.add(view, plait::Targets<float>{constant});
  watch.add(tensor);
  plait::save(model, "model", {}, x);
  plait::save(model, "model");
}
