// Draws reach the layers inside levels, gates and towers, each with a stream of its own.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/counter_random.hpp"
#include "plait/layers/linear.hpp"
#include "plait/layers/sequential.hpp"
#include "plait/model/model.hpp"
#include "plait/model/registry.hpp"  // all architectures
#include "plait/testing/build.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"

using namespace plait;

namespace {

// What the layers of one pass were asked, in the order of their calls.
struct Seen {
  std::vector<std::uint64_t> streams;
  std::vector<Index> first_rows;
  bool drops = false;
};

// A linear layer that takes down what it is asked.
struct Listening {
  Index width = 2;
  Seen* seen = nullptr;

  template <class S>
  class Layer {
   public:
    using Scalar = S;
    struct Workspace {};
    Layer(ParamTable& table, const std::string& name, Index input_dim, const Listening& config)
        : linear_(table, name, input_dim, config.width), seen_(config.seen) {}
    Shape in_shape() const { return linear_.in_shape(); }
    Shape out_shape() const { return linear_.out_shape(); }
    bool draws() const { return true; }
    void forward(ParamView<S> theta, View3<const S> x, View3<S> y, Workspace*, Scratch& scratch,
                 const ForwardOptions& options = {}) const {
      linear_.forward(theta, x, y, nullptr, scratch);
      seen_->streams.push_back(options.draws ? stream_of(options.draws).bits() : 0);
      seen_->first_rows.push_back(options.first_row);
      seen_->drops = seen_->drops || options.expert_dropout.rate > 0;
    }
    void backward(ParamView<S> theta, View3<const S> x, View3<const S> y, View3<const S> dy,
                  View3<S> dx, const Workspace&, GradView<S> grad, Scratch& scratch) const {
      linear_.backward(theta, x, y, dy, dx, {}, grad, scratch);
    }

   private:
    Linear<S> linear_;
    Seen* seen_;
  };
};

constexpr ForwardOptions asked{
    .expert_dropout = {.rate = 0.3, .seed = 1}, .draws = {.seed = 5, .step = 2}, .first_row = 21};

// Of a model with such towers, how many layers drew.
void check_streams(const Trunk<double>& trunk, Seen& seen, std::size_t layers, Body tower) {
  INFO(trunk.name());
  const auto run = [&](const Trunk<double>& of, const Body& hidden, const ForwardOptions& options) {
    seen = {};
    const Model<double> model(of, {.hidden = {hidden}, .small = {hidden}}, 3);
    CHECK(model.network().draws());
    const auto x = data::normal<double>(4, 5, 1);
    Matrix<double> logits(4, model.out_shape().dim);
    Scratch scratch;
    model.network().forward(model.values(), View3<const double>(x), View3<double>(logits), nullptr,
                            scratch, options);
    return seen;
  };
  const Seen first = run(trunk, tower, asked);
  CHECK(first.streams.size() == layers);
  CHECK(std::set(first.streams.begin(), first.streams.end()).size() == layers);
  CHECK(std::ranges::all_of(first.first_rows, [](Index row) { return row == 21; }));
  CHECK_FALSE(first.drops);
  CHECK(run(trunk, tower, asked).streams == first.streams);
  ForwardOptions other = asked;
  other.draws.step = 3;
  const Seen next = run(trunk, tower, other);
  for (std::size_t i = 0; i < layers; ++i) CHECK(next.streams[i] != first.streams[i]);
  // None without draws.
  CHECK(run(trunk, tower, {}).streams == std::vector<std::uint64_t>(layers, 0));
}

}  // namespace

TEST_CASE("draws inside: every expert, gate and tower has a stream of its own") {
  Seen seen;
  const Body body = Listening{2, &seen};
  // Two tasks, with a tower and a small one each.
  check_streams(SharedBottom{.input_dim = 5, .num_tasks = 2, .expert = body}, seen, 1 + 4, body);
  check_streams(SingleTask{.input_dim = 5, .num_tasks = 2, .expert = body}, seen, 2 + 4, body);
  check_streams(CrossStitch{.input_dim = 5, .num_tasks = 2, .levels = {body, body}}, seen, 4 + 4,
                body);
  check_streams(
      MMoE{
          .input_dim = 5, .num_tasks = 2, .num_experts = 3, .expert = body, .gate = {.body = body}},
      seen, 3 + 2 + 4, body);
  check_streams(PLE{.input_dim = 5,
                    .num_tasks = 2,
                    .levels = {body, body},
                    .task_experts = {2},
                    .shared_experts = 1,
                    .gates = {{.body = body}}},
                seen, 2 * 5 + 3 + 2 + 4, body);
  check_streams(AdaTT{.input_dim = 5,
                      .num_tasks = 2,
                      .levels = {body, body},
                      .task_experts = {1},
                      .shared_experts = 1,
                      .gates = {{.body = body}}},
                seen, 2 * 3 + 3 + 2 + 4, body);
}

TEST_CASE("draws inside: trunks that are layers of their own hand them on, too") {
  Seen seen;
  const Body body = Listening{2, &seen};
  check_streams(
      AsymmetricSharing{.input_dim = 5, .num_tasks = 2, .expert = body, .sources = {{}, {0}}}, seen,
      2 + 4, body);
  check_streams(CustomizedSharing{.input_dim = 5, .num_tasks = 2, .expert = body}, seen, 3 + 4,
                body);
  check_streams(Sluice{.input_dim = 5, .num_tasks = 2, .levels = {body, body}}, seen, 4 + 4, body);
  check_streams(
      SoftOrdering{
          .input_dim = 5, .num_tasks = 2, .encoder = body, .depth = 2, .task_encoders = true},
      seen, 2 + 4, body);
  check_streams(AdaShare{.input_dim = 5, .num_tasks = 2, .stem = body, .blocks = {3}}, seen, 1 + 4,
                body);
}

TEST_CASE("draws inside: a network draws when anything inside does") {
  Seen seen;
  const Body body = Listening{2, &seen};
  const auto draws = [](const Trunk<double>& trunk, TowersConfig towers = {}) {
    return Model<double>(trunk, std::move(towers), 3).network().draws();
  };
  const MMoE plain{.input_dim = 5, .num_tasks = 2, .num_experts = 3, .expert = {2}};
  CHECK_FALSE(draws(plain));
  CHECK(draws(plain, {.hidden = {body}}));
  CHECK(draws(plain, {.hidden = {{}}, .small = {body}}));
  MMoE gate = plain;
  gate.gate.body = body;
  CHECK(draws(gate));
  MMoE expert = plain;
  expert.expert = body;
  CHECK(draws(expert));
  const PLE above{.input_dim = 5, .num_tasks = 2, .levels = {{3}, body}};
  CHECK(draws(above));
}

TEST_CASE("draws inside: paths do not meet those of other layers") {
  // Stacks one after the other, with sequences inside: no two of their places are the same.
  std::set<std::uint64_t> streams;
  std::size_t count = 0;
  const auto add = [&](const Draws& draws) {
    streams.insert(stream_of(draws).bits());
    ++count;
  };
  for (Index layer = 0; layer < 6; ++layer) {
    const Draws outer{.seed = 1, .step = 0, .layer = layer};
    add(outer);
    for (Index a = 0; a < 40; ++a) {
      Draws inner = outer.inside(a);
      add(inner);
      for (Index b = 0; b < 40; ++b)
        for (Index place = 0; place < 3; ++place) {
          Draws most = inner.inside(b);
          most.layer = place;
          add(most);
        }
    }
  }
  CHECK(streams.size() == count);
  // What does not draw has no place.
  CHECK(Draws{}.inside(3).path == 0);
}
