// ENTRY is a call with a matrix that no view shows as rows of float.
#include <vector>

#include "plait/inspect/expert_watch.hpp"
#include "plait/io/model_file.hpp"
#include "plait/losses/predict.hpp"
#include "plait/metrics/task_metrics.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"

void wrong_argument(plait::Model<float>& model, plait::Trainer<float>& trainer,
                    plait::ScoringContext<float>& context, plait::TaskMetrics& metrics,
                    plait::ExpertWatch<float>& watch, const std::vector<plait::Head>& heads,
                    plait::Matrix<float>& x, plait::Matrix<float>& y) {
  const plait::Matrix<float> constant(2, 2);
  const Eigen::MatrixXf column_major(2, 2);
  const plait::Matrix<double> of_double(2, 2);
  const Eigen::MatrixXi of_int(2, 2);
  (void)model, (void)trainer, (void)context, (void)metrics, (void)watch, (void)heads, (void)x;
  (void)y, (void)constant, (void)column_major, (void)of_double, (void)of_int;
  ENTRY;
}
