// Nothing allocates after the first call, at production sizes: counted by a replaced operator new
// and by Eigen's own hook.
#include "plait/optim/adam.hpp"
#include "plait/serve/scorer.hpp"
#include "plait/train/trainer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"

using namespace plait;

namespace {

constexpr models::Sizes production{
    .input_dim = 256, .num_tasks = 3, .first = 256, .second = 128, .tower = 64};
constexpr Index batch = 512;

// Allocations during a call. Eigen's hook aborts the test through its assertion.
template <class F>
std::size_t count_allocations(const F& f) {
  const std::size_t before = allocations::count();
  Eigen::internal::set_is_malloc_allowed(false);
  f();
  Eigen::internal::set_is_malloc_allowed(true);
  return allocations::count() - before;
}

}  // namespace

TEST_CASE("the counters count") {
  const std::size_t before = allocations::count();
  const Tensor<float> tensor(1, 1, 100);
  CHECK(tensor.view().data() != nullptr);
  CHECK(allocations::count() == before + 1);
}

TEST_CASE("training and scoring allocate nothing after the first call") {
  const auto x = data::normal<float>(batch, production.input_dim, 1);
  const auto labels = data::binary<float>(batch, production.num_tasks, 2);
  const auto mask = data::binary<float>(batch, production.num_tasks, 3);
  for (const auto& architecture : models::all_trunks<float>(production)) {
    INFO(architecture.name);
    auto model = models::make(architecture.trunk, production);
    Trainer trainer(model, data::binary_heads(production.num_tasks), Adam{},
                    {.optimizer = {.clip_norm = 1.0}, .lanes = 2});
    trainer.step(x, labels, mask);
    CHECK(count_allocations([&] {
            trainer.step(x, labels, mask);
            trainer.step(x, labels);
          }) == 0);

    Matrix<float> logits(batch, production.num_tasks);
    trainer.score(x, logits);
    CHECK(count_allocations([&] { trainer.score(x, logits); }) == 0);
    const Scorer plain(model);
    auto context = plain.context();
    CHECK(count_allocations([&] { context.score(x, logits); }) == 0);
    const Scorer scorer(model, {.shared_inputs = {0, 1, 2}});
    auto split = scorer.context();
    const Matrix<float> request = x.topLeftCorner(1, 3);
    const Matrix<float> rows = x.rightCols(x.cols() - 3);
    CHECK(count_allocations([&] {
            split.score(x, logits);
            split.score(request, rows, logits);
          }) == 0);
    const auto one = View3<const float>(x).rows(0, 1);
    CHECK(count_allocations([&] { context.score(one, View3<float>(logits).rows(0, 1)); }) == 0);
  }
}

TEST_CASE("double precision allocates nothing either") {
  const auto x = data::normal<double>(batch, production.input_dim, 1);
  const auto labels = data::binary<double>(batch, production.num_tasks, 2);
  auto model = models::make<double>(AdaTT{.input_dim = production.input_dim,
                                          .num_tasks = production.num_tasks,
                                          .levels = production.levels(),
                                          .task_experts = {2},
                                          .shared_experts = 3},
                                    production);
  Trainer trainer(model, data::binary_heads(production.num_tasks), Adam{});
  trainer.step(x, labels);
  CHECK(count_allocations([&] { trainer.step(x, labels); }) == 0);
}

TEST_CASE("a training step's memory does not grow with the batch") {
  const models::Sizes sizes;
  const auto bytes = [&](Index rows) {
    auto model = models::make<float>(
        AdaTT{.input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
        sizes);
    const auto x = data::normal<float>(rows, sizes.input_dim, 1);
    const auto labels = data::binary<float>(rows, sizes.num_tasks, 2);
    Trainer trainer(model, data::binary_heads(sizes.num_tasks), Adam{});
    const std::size_t before = allocations::bytes();
    trainer.step(x, labels);
    return allocations::bytes() - before;
  };
  CHECK(bytes(8192) == bytes(128));
  // Beyond 64 tiles a lane's gradient is added up in double, in one more buffer.
  CHECK(bytes(131072) == bytes(65536));
  const auto model = models::make<float>(
      AdaTT{.input_dim = sizes.input_dim, .num_tasks = sizes.num_tasks, .levels = sizes.levels()},
      sizes);
  const auto sums = static_cast<std::size_t>(model.table().buffer_size()) * sizeof(double);
  CHECK(bytes(65536) - bytes(128) <= sums + 64);
}
