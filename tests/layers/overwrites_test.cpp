// The first gradient to reach a weight overwrites it: nobody zeroes the buffer, and nobody reads
// the zeros. No result shows that, so the kernel that writes weights' gradients is replaced by one
// that counts, before any layer sees it; which makes this a program of its own.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "plait/kernels/linear.hpp"
#include "plait/kernels/reference.hpp"

namespace {

plait::Index overwritten = 0;
plait::Index added_to = 0;

}  // namespace

namespace plait::kernels {

template <>
inline void linear_backward_params<float>(View3<const float> x, View3<const float> dy,
                                          const GradSlot<float>& dweight, float* dbias) {
  ++(dweight.overwrite ? overwritten : added_to);
  reference::linear_backward_params<float>(x, dy, dweight, dbias);
}

}  // namespace plait::kernels

#include "plait/model/model.hpp"
#include "plait/testing/data.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace plait;

TEST_CASE("overwrites: every weight of every model, once, and none of them afterwards") {
  Index in_all = 0;
  for (const auto& [name, trunk] : models::all_trunks<float>()) {
    INFO(name);
    constexpr Index batch = 16;
    const Model<float> model(trunk, {.hidden = {{3}}, .small = {{}}}, 1);
    Random random(2);
    const auto x = testing::normal_tensor<float>(batch, model.in_shape(), random);
    const auto dy = testing::normal_tensor<float>(batch, model.out_shape(), random);
    Tensor<float> y(batch, 1, model.out_shape().dim);
    Sequential<float>::Workspace workspace;
    Scratch scratch;
    // Policies that are drawn have a gradient, too.
    const ForwardOptions options{.draws = {.step = name == AdaShare::name ? 0 : -1}};
    model.network().forward(model.values(), x, y, &workspace, scratch, options);

    ParamBuffer<float> grad(model.shared_table());
    for (const auto& entry : model.table().entries())
      std::ranges::fill(grad.of(entry.id), std::numeric_limits<float>::quiet_NaN());
    std::vector<std::uint8_t> unclaimed(model.table().entries().size(), 1);
    const auto view = GradView<float>::from_anything(grad.flat().data(), unclaimed.data());
    const auto backward = [&] {
      overwritten = added_to = 0;
      model.network().backward(model.values(), x, y.view(), dy.view(), {}, workspace, view,
                               scratch);
    };
    if (name == LearningToBranch::name) continue;  // no gradient where its branches do not lead
    const Index weights =
        std::ranges::count_if(model.table().entries(), [](const auto& e) { return e.is_weight; });
    // Of layers that all three tasks call, or all tasks at both depths, and a block of two.
    const Index again = name == MTAN::name           ? 2
                        : name == SoftOrdering::name ? 10
                        : name == AdaShare::name     ? 4
                                                     : 0;
    backward();
    CHECK(overwritten == weights);
    CHECK(added_to == again);
    CHECK(std::ranges::count(unclaimed, std::uint8_t{1}) == 0);
    CHECK(std::ranges::none_of(grad.flat(), [](float g) { return g != g; }));
    in_all += overwritten;
    backward();  // as the next tile does
    CHECK(overwritten == 0);
    CHECK(added_to == weights + again);
  }
  CHECK(in_all == 344);  // with every compiler
}
