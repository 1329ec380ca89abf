// Body: an MLP, or one's own.
#include "plait/layers/body.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "plait/architectures/mmoe.hpp"
#include "plait/testing/build.hpp"
#include "support/bare.hpp"
#include "support/catch.hpp"
#include "support/field_list.hpp"

using namespace plait;
using support::FieldList;

namespace {

// An MLP with a name and a field, whose layer may be wrong on request.
struct Named {
  Index width = 1;
  Index slots = 1;  // of the layer that it builds

  template <class S>
  struct Layer : Bare<MLP<S>> {
    Layer(ParamTable& table, const std::string& prefix, Index input_dim, const Named& config)
        : Bare<MLP<S>>(table, prefix, input_dim, MLPConfig{config.width}), slots(config.slots) {}
    Shape in_shape() const { return {slots, Bare<MLP<S>>::in_shape().dim}; }
    Index slots;
  };
  static constexpr std::string_view name = "named";
  void fields(FieldVisitor& visit) { visit("width", width); }
};
struct Widened : Named {
  template <class S>
  struct Layer : Named::Layer<S> {
    Layer(ParamTable& table, const std::string& prefix, Index input_dim, const Widened& config)
        : Named::Layer<S>(table, prefix, input_dim + 1, config) {}
  };
};

static_assert(DescribesBody<Named, float> && DescribesBody<BareMLP, double>);
static_assert(!DescribesBody<MMoE, float> && !DescribesBody<int, float>);

}  // namespace

TEST_CASE("body: as an MLP's configuration") {
  CHECK(Body().mlp()->dims.empty());
  CHECK(Body{256, 128}.mlp()->dims == std::vector<Index>{256, 128});
  const Body silu{{4}, Activation::silu, false};
  CHECK(silu.mlp()->activation == Activation::silu);
  CHECK_FALSE(silu.mlp()->bias);
  CHECK(Body(MLPConfig{3}).mlp()->dims == std::vector<Index>{3});
  CHECK(Body{4}.name().empty());
  CHECK(Body{4}.target<Named>() == nullptr);
  CHECK(testing::build<float>(1, Body(), 3).layer.is_identity());
  CHECK(testing::build<float>(1, Body{4}, 3).layer.target<MLP<float>>() != nullptr);
}

TEST_CASE("body: one's own") {
  const Body own = Named{.width = 5};
  CHECK(own.mlp() == nullptr);
  CHECK(own.name() == "named");
  REQUIRE(own.target<Named>() != nullptr);
  CHECK(own.target<Named>()->width == 5);
  CHECK(own.target<BareMLP>() == nullptr);
  CHECK(Body(BareMLP{{3}}).name().empty());
  const auto built = testing::build<double>(3, own, 4, "expert");
  CHECK(built.layer.target<Named::Layer<double>>() != nullptr);
  CHECK(built.layer.out_shape() == Shape{1, 5});
  CHECK(built.theta.table().contains("expert.mlp_net.0.weight"));
  const auto mlp = testing::build<double>(3, Body{5}, 4, "expert");
  CHECK(std::ranges::equal(built.theta.flat(), mlp.theta.flat()));
}

TEST_CASE("body: a layer with other slots or another input is refused") {
  CHECK_THROWS_WITH(testing::build<float>(1, Named{.width = 2, .slots = 2}, 3, "e"),
                    "plait::Body: e: got other slots or another input, expected 1 slot of 3");
  Widened widened;
  widened.width = 2;
  CHECK_THROWS_AS(testing::build<float>(1, widened, 3, "e"), ConfigError);
}

TEST_CASE("body: fields are written and read") {
  CHECK(support::written(Body{{4, 3}, Activation::silu, false}) == FieldList{{"activation", "silu"},
                                                                             {"bias", "0"},
                                                                             {"dims.0", "4"},
                                                                             {"dims.1", "3"},
                                                                             {"dims.size", "2"}});
  const FieldList dropping = support::written(Body{{4}, Activation::relu, true, 0.25});
  CHECK(dropping == FieldList{{"activation", "relu"},
                              {"bias", "1"},
                              {"dims.0", "4"},
                              {"dims.size", "1"},
                              {"dropout", "0.25"}});
  CHECK(support::read(dropping, Body{3}).mlp()->dropout == 0.25);
  CHECK(support::read(support::written(Body{4}), Body{{3}, Activation::relu, true, 0.5})
            .mlp()
            ->dropout == 0);
  CHECK(support::written(Body(Named{.width = 5})) == FieldList{{"body", "named"}, {"width", "5"}});

  Bodies bodies;
  bodies.add(Named{});
  const Body own = support::read({{"body", "named"}, {"width", "7"}}, Body{3}, &bodies);
  REQUIRE(own.target<Named>() != nullptr);
  CHECK(own.target<Named>()->width == 7);
  CHECK(bodies.find("named")->target<Named>()->width == 1);  // the prototype stays
  const Body mlp =
      support::read(support::written(Body{{4}, Activation::tanh}), Body(Named{}), &bodies);
  REQUIRE(mlp.mlp() != nullptr);
  CHECK(mlp.mlp()->dims == std::vector<Index>{4});
  CHECK(mlp.mlp()->activation == Activation::tanh);
}

TEST_CASE("body: what cannot be saved or is not known") {
  CHECK_THROWS_WITH(support::written(Body(BareMLP{{3}})),
                    "plait::Body: description: got one without name or fields, expected both, to "
                    "be saved");
  const FieldList named{{"body", "named"}, {"width", "7"}};
  CHECK_THROWS_WITH(support::read(named, Body()),
                    "plait::Body: name: got 'named', expected one that is registered");
  const Bodies empty;
  CHECK(empty.find("named") == nullptr);
  CHECK_THROWS_AS(support::read(named, Body(), &empty), ConfigError);
  Bodies bodies;
  bodies.add(Named{});
  CHECK_THROWS_WITH(bodies.add(Named{}),
                    "plait::Bodies: name: got 'named', expected one that is not taken");
  CHECK_THROWS_AS(bodies.add(Body{3}), ConfigError);
  CHECK_THROWS_AS(bodies.add(BareMLP{{3}}), ConfigError);
}
