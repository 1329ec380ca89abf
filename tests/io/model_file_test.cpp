#include "plait/io/model_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "changed_parts.hpp"
#include "plait/layers/linear.hpp"
#include "plait/serve/scorer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/every_kind.hpp"
#include "support/files.hpp"
#include "support/models.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using files::Parts;
using files::replacing;
using plait::FormatError;
using plait::Head;
using plait::Index;
using plait::Model;
using plait::Trunk;

template <class Scalar>
plait::Tensor<Scalar> rows(plait::Shape shape, Index count = 4) {
  plait::Tensor<Scalar> x(count, shape.slots, shape.dim);
  plait::Random random(3);
  for (Index b = 0; b < count; ++b)
    for (Index s = 0; s < shape.slots; ++s)
      for (Index d = 0; d < shape.dim; ++d)
        x.view()(b, s, d) = static_cast<Scalar>(random.symmetric(1));
  return x;
}

template <class Scalar>
std::vector<Scalar> score(const Model<Scalar>& model, plait::View3<const Scalar> x) {
  std::vector<Scalar> result(static_cast<std::size_t>(x.batch() * model.out_shape().dim));
  const plait::Scorer<Scalar> scorer(model);
  scorer.context().score(x,
                         plait::View3<Scalar>(result.data(), x.batch(), 1, model.out_shape().dim));
  return result;
}

template <class Scalar>
plait::LoadedModel<Scalar> check_round_trip(const Trunk<Scalar>& trunk,
                                            const plait::TowersConfig& towers = {.hidden = {{3}}},
                                            const plait::Registry<Scalar>& registry = {}) {
  INFO(trunk.name());
  const files::Directory directory;
  const Model<Scalar> model(trunk, towers, 5);
  const auto x = rows<Scalar>(model.in_shape());
  const std::string path = directory / "model";
  plait::save(model, path, {}, x);

  const auto loaded = plait::load<Scalar>(path, registry);
  CHECK(loaded.model.trunk_config().name() == trunk.name());
  CHECK(std::ranges::equal(loaded.model.values().flat(), model.values().flat()));
  CHECK(score<Scalar>(loaded.model, x) == score<Scalar>(model, x));

  const std::string again = directory / "again";
  plait::save(loaded.model, again, {}, x);
  CHECK((files::contents(again) == files::contents(path)));
  return loaded;
}

template <class Scalar>
void check_all_architectures() {
  const auto trunks = models::all_trunks<Scalar>();
  for (const auto& [name, trunk] : trunks) check_round_trip<Scalar>(trunk);
  CHECK(trunks.size() == plait::Registry<Scalar>().trunks().size());
}

Model<float> small_model() {
  return {plait::AdaTT{.input_dim = 2, .num_tasks = 2, .levels = {{3}, {2}}}, {.hidden = {{2}}}, 1};
}

std::string saved(const Model<float>& model, const plait::SaveOptions& options = {},
                  plait::View3<const float> x = {}) {
  const files::Directory directory;
  plait::save(model, directory / "model", options, x);
  return files::contents(directory / "model");
}
std::string saved_with_rows() {
  const auto model = small_model();
  const auto x = rows<float>(model.in_shape());
  return saved(model, {}, x);
}

template <class Scalar>
plait::LoadedModel<Scalar> load(const std::string& bytes) {
  return plait::load<Scalar>(files::reader(bytes));
}

// The message of the FormatError that loading the changed file gives.
std::string refusal(const std::string& bytes, const std::function<void(Parts&)>& change) {
  const std::string changed = files::resealed(bytes, change);
  try {
    load<float>(changed);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("model file: every architecture comes back bit for bit, in float") {
  check_all_architectures<float>();
}
TEST_CASE("model file: every architecture comes back bit for bit, in double") {
  check_all_architectures<double>();
}

TEST_CASE("model file: settings away from their defaults come back") {
  const std::vector<plait::GateConfig> gates{
      {.body = {{4}, plait::Activation::gelu_tanh, false}, .bias = false, .temperature = 0.5}, {}};
  check_round_trip<double>(plait::AdaTT{.input_dim = 4,
                                        .num_tasks = 3,
                                        .levels = {{{5, 4}, plait::Activation::silu}, {3}},
                                        .task_experts = {1, 2, 1},
                                        .shared_experts = 0,
                                        .residual = false,
                                        .gates = gates,
                                        .separate_inputs = true});
  check_round_trip<double>(
      plait::PLE{.input_dim = 4,
                 .num_tasks = 3,
                 .levels = {plait::MLPConfig({5}, plait::Activation::silu, true, 0.25), {3}},
                 .gates = {{.noise = plait::GateNoise{.top = 2}}, {.noise = plait::GateNoise{}}}});
  check_round_trip<double>(plait::CrossStitch{.input_dim = 4,
                                              .num_tasks = 2,
                                              .levels = {{3}},
                                              .stitch = plait::Stitch::uniform,
                                              .diagonal = 0.1,
                                              .separate_inputs = true});
  check_round_trip<double>(plait::AsymmetricSharing{.input_dim = 4,
                                                    .num_tasks = 3,
                                                    .expert = {3},
                                                    .sources = {{2}, {}, {0, 1}},
                                                    .fusion = plait::Fusion::mean,
                                                    .stop_gradient = false});
  check_round_trip<double>(plait::Sluice{.input_dim = 4,
                                         .num_tasks = 3,
                                         .levels = {{6}, {3}},
                                         .subspaces = 3,
                                         .skips = false,
                                         .alphas = plait::SluiceInit::balanced,
                                         .betas = plait::SluiceInit::balanced});
  check_round_trip<double>(plait::SoftOrdering{.input_dim = 4,
                                               .num_tasks = 3,
                                               .encoder = {5, 3},
                                               .depth = 3,
                                               .activation = plait::Activation::silu,
                                               .task_encoders = false});
  check_round_trip<double>(plait::SNR{.input_dim = 4,
                                      .num_tasks = 3,
                                      .num_experts = 2,
                                      .levels = {5, 3},
                                      .connection = plait::SNRConnection::aver,
                                      .gates = {.beta = 0.5, .gamma = -0.2, .zeta = 1.3}});
  check_round_trip<double>(plait::LearningToBranch{
      .input_dim = 4,
      .num_tasks = 3,
      .num_experts = 2,
      .levels = {5, 3},
      .branches = {.temperature = {.start = 2, .rate = 0.5, .every = 7, .least = 0.2},
                   .warmup_steps = 9}});
  check_round_trip<double>(
      plait::AdaShare{.input_dim = 4,
                      .num_tasks = 3,
                      .stem = {5, 3},
                      .blocks = {2, 6},
                      .policy = {.temperature = {.start = 2, .rate = 0.5, .every = 7, .least = 0.2},
                                 .hard = true,
                                 .warmup_steps = 9,
                                 .curriculum_steps = 4}});
  check_round_trip<double>(plait::BranchedNetwork{
      .input_dim = 4, .num_tasks = 3, .levels = {{5}, {3}}, .groups = {{0, 0, 1}, {0, 1, 2}}});
  // Experts without layers: the trunk has gates only.
  check_round_trip<double>(plait::MMoE{.input_dim = 4, .num_tasks = 2, .num_experts = 3});
  // Small towers.
  const plait::SharedBottom bottom{.input_dim = 4, .num_tasks = 2, .expert = {3}};
  const auto loaded = check_round_trip<float>(bottom, {.hidden = {{4}, {}}, .small = {{2}}});
  CHECK(loaded.model.num_tasks() == 4);
}

TEST_CASE("model file: heads and the user's metadata come back") {
  const Model<float> model(
      plait::MMoE{.input_dim = 3, .num_tasks = 3, .num_experts = 2, .expert = {4}},
      {.outputs = {1, 5, 1}}, 1);
  const std::vector<Head> heads{
      {.pos_weight = 2.5, .weight = 0.1, .name = "clïck"},
      {.kind = plait::HeadKind::multiclass, .classes = 5, .name = "\"quoted\""},
      {.kind = plait::HeadKind::regression}};
  const files::Directory directory;
  const std::string path = directory / "model";
  plait::save(model, path, {.heads = heads, .metadata = {{"run", "7"}, {"data", ""}}});
  const auto loaded = plait::load<float>(path);
  REQUIRE(loaded.heads.size() == 3);
  for (std::size_t t = 0; t < heads.size(); ++t) {
    CHECK(loaded.heads[t].kind == heads[t].kind);
    CHECK(loaded.heads[t].classes == heads[t].classes);
    CHECK(loaded.heads[t].pos_weight == heads[t].pos_weight);
    CHECK(loaded.heads[t].weight == heads[t].weight);
    CHECK(loaded.heads[t].name == heads[t].name);
  }
  CHECK(loaded.metadata == plait::Metadata{{"run", "7"}, {"data", ""}});

  CHECK_THROWS_WITH(plait::save(model, path, {.heads = {{}, {}, {}}}),
                    "plait::save: head 1: got 1 logits, expected 5 as its tower");
  CHECK_THROWS_WITH(plait::save(model, path, {.heads = {{}}}),
                    "plait::save: heads: got 1, expected 3, one per task");
  CHECK_THROWS_WITH(plait::save(model, path, {.metadata = {{"plait.x", ""}}}),
                    "plait::save: metadata key: got 'plait.x', expected one that does not start "
                    "with plait.");
  CHECK(plait::load<float>(path).heads.size() == 3);
}

TEST_CASE("model file: every kind of head comes back with all its settings") {
  auto heads = every_kind::heads();
  heads[0].in_space = 2;
  heads[1].out_of_space = 0.25;
  std::vector<Index> outputs;
  for (const Head& head : heads) outputs.push_back(head.width());
  const Model<float> model(
      plait::MMoE{.input_dim = 3, .num_tasks = std::ssize(heads), .num_experts = 2, .expert = {4}},
      {.outputs = outputs}, 1);
  const files::Directory directory;
  plait::save(model, directory / "model", {.heads = heads});
  const auto loaded = plait::load<float>(directory / "model");
  REQUIRE(loaded.heads.size() == heads.size());
  for (std::size_t t = 0; t < heads.size(); ++t) {
    CAPTURE(heads[t].name);
    CHECK(loaded.heads[t].kind == heads[t].kind);
    CHECK(loaded.heads[t].classes == heads[t].classes);
    CHECK(loaded.heads[t].pos_weight == heads[t].pos_weight);
    CHECK(loaded.heads[t].delta == heads[t].delta);
    CHECK(loaded.heads[t].gamma == heads[t].gamma);
    CHECK(loaded.heads[t].alpha == heads[t].alpha);
    CHECK(loaded.heads[t].given == heads[t].given);
    CHECK(loaded.heads[t].labels_of == heads[t].labels_of);
    CHECK(loaded.heads[t].in_space == heads[t].in_space);
    CHECK(loaded.heads[t].out_of_space == heads[t].out_of_space);
    CHECK(loaded.heads[t].weight == heads[t].weight);
    CHECK(loaded.heads[t].name == heads[t].name);
  }
  plait::save(loaded.model, directory / "again", {.heads = loaded.heads});
  CHECK((files::contents(directory / "again") == files::contents(directory / "model")));
}

TEST_CASE("model file: heads that say too much or the impossible are refused") {
  const auto bytes = saved(small_model(), {.heads = {{}, {.kind = plait::HeadKind::huber}}});
  const auto with = [&](const std::string& what, const std::string& by) {
    return refusal(bytes, replacing("plait.heads", what, by));
  };
  const std::string second = R"("name":""}])";  // the end of the second head
  const std::string from = "plait::memory: plait.heads";
  REQUIRE(with(second, R"("name":"","delta":2.0}])") == "accepted");
  CHECK(with(second, R"("name":"","delta":1.0}])") ==
        from + "[1].delta: got its default, expected it left out");
  CHECK(with(second, R"("name":"","given":null}])")
            .starts_with(from + "[1].given: got null, expected a whole number from 0 to "));
  CHECK(with(second, R"("name":"","beta":2.0}])") == from + "[1]: got 6 fields, expected 5");
  CHECK(with(second, R"("name":"","given":0}])") ==
        from +
            ": got plait::load: given of task1: got task 0, expected none unless conditional, "
            "expected what can be built");
  CHECK(with("huber", "quantile") == from + "[1].kind: got \"quantile\", expected a known name");
}

TEST_CASE("model file: float files load as double and the reverse") {
  const auto bytes = saved_with_rows();
  const auto wide = load<double>(bytes);
  CHECK(std::ranges::equal(wide.model.values().flat(), small_model().values().flat()));

  const files::Directory directory;
  const auto x = rows<double>(wide.model.in_shape());
  plait::save(wide.model, directory / "wide", {}, x);
  const auto narrow = plait::load<float>(directory / "wide");
  CHECK(std::ranges::equal(narrow.model.values().flat(), small_model().values().flat()));
}

TEST_CASE("model file: what it is not is refused") {
  const auto bytes = saved_with_rows();
  const std::string from = "plait::memory: ";
  const auto set = [](const char* key, const std::string& value) {
    return [=](Parts& parts) { parts.meta(key) = value; };
  };
  REQUIRE(refusal(bytes, [](Parts&) {}) == "accepted");
  CHECK(refusal(bytes, set("plait.format", "plait.model.2")) ==
        from + "plait.format: got 'plait.model.2', expected 'plait.model.1'");
  CHECK(refusal(bytes, set("plait.architecture", "Transformer")) ==
        from + "plait.architecture: got 'Transformer', expected one that is registered");
  CHECK(refusal(bytes, set("plait.config", "{")) ==
        from + "plait.config: got another text, expected JSON as plait writes it");
  CHECK(refusal(bytes, set("plait.config", "[]")) ==
        from + "plait.config: got [], expected an object");
  CHECK(refusal(bytes, replacing("plait.config", "\"input_dim\":2", "\"input_dim\":2,\"x\":1")) ==
        from + "plait.config: got 9 fields, expected 8");
  CHECK(refusal(bytes, replacing("plait.config", "\"input_dim\":2,", "")) ==
        from + "plait.config: got no input_dim, expected it");
  CHECK(refusal(bytes, replacing("plait.config", "\"input_dim\":2,",
                                 "\"input_dim\":2,"
                                 "\"input_dim\":2,")) ==
        from + "plait.config: got another text, expected JSON as plait writes it");
  CHECK(refusal(bytes, replacing("plait.config", "relu", "mish")) ==
        from + "plait.config.levels[0].activation: got \"mish\", expected a known name");
  CHECK(refusal(bytes, replacing("plait.config", "\"bias\":true", "\"bias\":1")) ==
        from + "plait.config.levels[0].bias: got 1, expected true or false");
  CHECK(refusal(bytes, replacing("plait.config", "\"input_dim\":2", "\"input_dim\":-2"))
            .starts_with(from + "plait.config.input_dim: got -2, expected a whole number from 0"));
  CHECK(refusal(bytes, replacing("plait.config", "\"input_dim\":2", "\"input_dim\":3"))
            .starts_with(from + "tensors: got 'mtl_arch.experts.0.0.mlp_net.0.weight' of shape "
                                "[3, 2] instead of [3, 3]"));
  CHECK(refusal(bytes, replacing("plait.config", "\"num_tasks\":2", "\"num_tasks\":0"))
            .starts_with(from + "plait.config: got plait::AdaTT: num_tasks: got 0"));
  CHECK(refusal(bytes, replacing("plait.towers", "\"outputs\":[1]", "\"outputs\":[1,1,1]"))
            .starts_with(from + "plait.config: got plait::Towers: outputs: got 3 entries"));
  CHECK(refusal(bytes, set("plait.heads", "{}")) == from + "plait.heads: got {}, expected a list");
  CHECK(refusal(bytes,
                set("plait.heads", R"([{"kind":"binary","classes":1,"pos_weight":1.0,"weight":1.0,)"
                                   R"("name":""}])")) ==
        from +
            "plait.heads: got plait::load: heads: got 1, expected 2, one per task, expected "
            "what can be built");
  CHECK(refusal(bytes, [](Parts& parts) {
          parts.header.tensors.back().name = "plait.other";
        }).starts_with(from + "tensors: got unexpected 'plait.other'"));

  CHECK_THROWS_WITH(load<float>(files::raw("{}", 0)),
                    from +
                        "metadata: got no plait.format, expected a model file (for other "
                        "safetensors files see load_state_dict)");
  CHECK_THROWS_AS(plait::load<float>("/no/such/file"), plait::FileError);
}

TEST_CASE("model file: only the text that is written is read") {
  const auto bytes = saved(small_model());
  const std::string from =
      "plait::memory: plait.config: got another text, expected JSON as plait "
      "writes it";
  const auto with = [&](const std::string& what, const std::string& by) {
    return refusal(bytes, replacing("plait.config", what, by));
  };
  CHECK(with("\"input_dim\":2,\"num_tasks\":2", "\"num_tasks\":2,\"input_dim\":2") == from);
  CHECK(with("\"temperature\":1.0", "\"temperature\":1") == from);
  CHECK(with("\"temperature\":1.0", "\"temperature\":1.00") == from);
  CHECK(with("\"input_dim\":2,", "\"input_dim\": 2,") == from);
  CHECK(refusal(bytes, replacing("plait.towers", "\"outputs\":[1]",
                                 "\"outputs\":[1],\"has_small\":true,\"small\":[]")) ==
        "plait::memory: plait.towers: got another text, expected JSON as plait writes it");
}

TEST_CASE("model file: nesting without end is refused before it is taken apart") {
  const auto bytes = saved(small_model());
  const auto times = [](std::size_t count, const std::string& what) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += what;
    return all;
  };
  constexpr std::size_t many = 100'000;
  for (const std::string key : {"plait.config", "plait.towers", "plait.heads"})
    for (const std::string& deep :
         {times(many, "["), times(many, "[") + times(many, "]"), times(many, "{\"a\":"),
          times(many, "{\"a\":") + "0" + times(many, "}"), times(many / 2, "[{\"dims\":"),
          "[" + times(many, "[") + times(many, "]") + ",1]", times(1'000'000, "[")}) {
      CAPTURE(key, deep.substr(0, 20));
      CHECK(refusal(bytes, [&](Parts& parts) { parts.meta(key) = deep; }) ==
            "plait::memory: " + key +
                ": got values nested more deeply, expected at most 200 within each other");
    }
  // Deep, within bounds, and where something else belongs: told, cut.
  const std::string message = refusal(bytes, [&](Parts& parts) {
    parts.meta("plait.heads") = times(190, "{\"a\":") + "0" + times(190, "}");
  });
  CHECK(message.starts_with("plait::memory: plait.heads: got {\"a\":{"));
  CHECK(message.ends_with("..., expected a list"));
  CHECK(message.size() < 200);
}

TEST_CASE("model file: sizes that its tensors do not bear out are refused before they cost") {
  const auto bytes = saved(small_model());
  const auto with = [&](const char* key, const std::string& what, const std::string& by) {
    return refusal(bytes, replacing(key, what, by));
  };
  const std::string from = "plait::memory: plait.config: got plait::";
  CHECK(with("plait.config", "\"num_tasks\":2", "\"num_tasks\":100")
            .starts_with(from + "AdaTT: num_tasks: got 100, expected at most "));
  CHECK(with("plait.config", "\"task_experts\":[1]", "\"task_experts\":[99]")
            .starts_with(from + "AdaTT: experts: got 99, expected at most "));
  CHECK(with("plait.config", "\"shared_experts\":1", "\"shared_experts\":99")
            .starts_with(from + "AdaTT: routes: got 101, expected at most "));
  CHECK(with("plait.config", "\"input_dim\":2", "\"input_dim\":1000000000000")
            .starts_with("plait::memory: plait.config.input_dim: got 1000000000000, expected a "
                         "whole number from 0 to "));
  std::string many = "1";
  for (int i = 0; i < 30; ++i) many += ",1";
  const auto too_many = ContainsSubstring("one tensor more, expected at most ");
  CHECK_THAT(with("plait.towers", "\"dims\":[2]", "\"dims\":[" + many + "]"), too_many);
  CHECK_THAT(with("plait.towers", "\"outputs\":[1]",
                  "\"outputs\":[1],\"has_small\":true,\"small\":[{\"dims\":[" + many +
                      "],\"activation\":\"relu\",\"bias\":true}]"),
             too_many);
  CHECK_THAT(with("plait.config", "\"body\":{\"dims\":[]", "\"body\":{\"dims\":[" + many + "]"),
             too_many);
  CHECK_THAT(
      with("plait.config", "\"levels\":[{\"dims\":[3]", "\"levels\":[{\"dims\":[" + many + "]"),
      too_many);
}

namespace {

// A model of 2 tasks with `levels` levels where the architecture has them, and a file that has
// `tensors` tensors more than it should, of one number each: room for hostile sizes.
std::string with_room(const Trunk<float>& trunk, Index tensors) {
  const files::Directory directory;
  plait::save(Model<float>(trunk, {}, 1), directory / "model");
  return files::resealed(files::contents(directory / "model"), [&](Parts& parts) {
    for (Index i = 0; i < tensors; ++i) {
      plait::TensorInfo tensor;
      tensor.name = "z" + std::to_string(i);
      tensor.shape = {1};
      parts.header.tensors.push_back(tensor);
      parts.data.emplace_back(sizeof(float), '\0');
    }
  });
}

// Loads the file with another description, which must be refused. Returns the bytes of all
// allocations meanwhile, a measure of the work as well.
std::size_t cost_of_refusing(const std::string& bytes, const char* key, const std::string& json) {
  const std::string changed = files::resealed(bytes, [&](Parts& parts) { parts.meta(key) = json; });
  auto reader = files::reader(changed);
  const std::size_t before = allocations::bytes();
  try {
    plait::load<float>(std::move(reader));
    FAIL("accepted " << json.substr(0, 200));
  } catch (const FormatError&) {
  }
  return allocations::bytes() - before;
}

std::string repeated(const std::string& element, Index count) {
  std::string list = "[";
  for (Index i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + element;
  return list + "]";
}

}  // namespace

TEST_CASE("model file: hostile sizes of every architecture cost no more than the file") {
  constexpr Index room = 4000;  // tensors, numbers, and entries of lists
  const std::string n = std::to_string(room);
  const std::string one = R"({"dims":[1],"activation":"relu","bias":true})";
  const std::string none = R"({"dims":[],"activation":"relu","bias":true})";
  const std::string deep =
      R"({"dims":)" + repeated("1", room) + R"(,"activation":"relu","bias":true})";
  const auto gate = [](const std::string& body) {
    return R"({"body":)" + body + R"(,"bias":true,"temperature":1.0})";
  };
  const std::string gates = R"(,"gates":[)" + gate(none) + "]";
  const std::string deep_gates = R"(,"gates":[)" + gate(deep) + "]";
  const std::string same = R"(,"separate_inputs":false})";
  const auto sizes = [](const std::string& tasks) {
    return R"({"input_dim":1,"num_tasks":)" + tasks;
  };
  const std::string many_levels = R"(,"levels":)" + repeated(none, room);
  const std::string two_levels = R"(,"levels":)" + repeated(none, 2);
  const std::string stitch = R"(,"stitch":"near_identity","diagonal":0.9)";
  const std::string skips = R"(,"skips":true,"alphas":"balanced","betas":"balanced"})";
  const std::string relu = R"(,"activation":"relu","task_encoders":true})";
  const std::string drawn =
      R"(,"connection":"trans","gates":{"beta":0.7,"gamma":-0.1,"zeta":1.1}})";
  const std::string chosen =
      R"(,"branches":{"temperature":{"start":5,"rate":0.9,"every":10,"least":0.1},"warmup_steps":0}})";
  const std::string skipped =
      R"(,"policy":{"temperature":{"start":5,"rate":0.9,"every":10,)"
      R"("least":0.1},"hard":false,"warmup_steps":0,"curriculum_steps":0}})";
  std::string others = "[";  // every task sees all before it
  for (int t = 0; t < 60; ++t) {
    others += t == 0 ? "[" : ",[";
    for (int i = 0; i < t; ++i) others += (i == 0 ? "" : ",") + std::to_string(i);
    others += "]";
  }
  others += "]";

  struct Hostile {
    const char* architecture;
    std::vector<std::string> configs;
  };
  const std::vector<Hostile> all{
      {"SingleTask",
       {sizes(n) + R"(,"expert":)" + none + "}", sizes("2") + R"(,"expert":)" + deep + "}"}},
      {"SharedBottom",
       {sizes(n) + R"(,"expert":)" + none + "}", sizes("2") + R"(,"expert":)" + deep + "}"}},
      {"CustomizedSharing",
       {sizes(n) + R"(,"expert":)" + none + "}", sizes("2") + R"(,"expert":)" + deep + "}"}},
      {"AsymmetricSharing",
       {sizes(n) + R"(,"expert":)" + none + R"(,"sources":)" + repeated("[]", room) +
            R"(,"fusion":"sum","stop_gradient":true})",
        sizes("60") + R"(,"expert":)" + none + R"(,"sources":)" + others +
            R"(,"fusion":"concat","stop_gradient":true})",
        sizes("2") + R"(,"expert":)" + none + R"(,"sources":[[],)" + repeated("0", room) +
            R"(],"fusion":"concat","stop_gradient":true})"}},
      {"CrossStitch",
       {sizes(n) + two_levels + stitch + same, sizes("2") + many_levels + stitch + same,
        sizes("40") + many_levels + stitch + same}},
      {"MMoE",
       {sizes("2") + R"(,"num_experts":)" + n + R"(,"expert":)" + none + R"(,"gate":)" +
            gate(none) + "}",
        sizes(n) + R"(,"num_experts":2,"expert":)" + none + R"(,"gate":)" + gate(deep) + "}"}},
      {"MLMMoE",
       {sizes("2") + R"(,"num_experts":)" + n + two_levels + gates + "}",
        sizes("2") + R"(,"num_experts":2)" + many_levels + gates + "}",
        sizes("1") + R"(,"num_experts":1)" + many_levels + deep_gates + "}"}},
      {"CGC",
       {sizes(n) + R"(,"expert":)" + none + R"(,"task_experts":[1],"shared_experts":1,"gate":)" +
            gate(none) + same,
        sizes("2") + R"(,"expert":)" + none + R"(,"task_experts":[)" + n +
            R"(],"shared_experts":0,"gate":)" + gate(none) + same}},
      {"PLE",
       {sizes(n) + two_levels + R"(,"task_experts":[1],"shared_experts":0)" + gates + same,
        sizes("2") + two_levels + R"(,"task_experts":[1],"shared_experts":)" + n + gates + same,
        sizes("1") + many_levels + R"(,"task_experts":[1],"shared_experts":0)" + deep_gates +
            same}},
      {"AdaTTSp",
       {sizes(n) + two_levels + R"(,"task_experts":1,"residual":true)" + gates + same,
        sizes("2") + two_levels + R"(,"task_experts":)" + n + R"(,"residual":true)" + gates + same,
        sizes("1") + many_levels + R"(,"task_experts":1,"residual":true)" + deep_gates + same}},
      {"AdaTT",
       {sizes(n) + two_levels + R"(,"task_experts":[1],"shared_experts":1,"residual":true)" +
            gates + same,
        sizes("2") + two_levels + R"(,"task_experts":[)" + n +
            R"(],"shared_experts":0,"residual":true)" + gates + same,
        sizes("1") + many_levels + R"(,"task_experts":[1],"shared_experts":0,"residual":true)" +
            deep_gates + same}},
      {"MTAN",
       {sizes(n) + R"(,"levels":[1,1]})", sizes("2") + R"(,"levels":)" + repeated("1", room) + "}",
        sizes("2") + R"(,"levels":[)" + n + "]}"}},
      {"Sluice",
       {sizes(n) + two_levels + R"(,"subspaces":1)" + skips,
        sizes("2") + two_levels + R"(,"subspaces":)" + n + skips,
        sizes("40") + R"(,"levels":[{"dims":[)" + n +
            R"(],"activation":"relu","bias":true}],"subspaces":)" + n + skips,
        sizes("40") + many_levels + R"(,"subspaces":1)" + skips}},
      {"SoftOrdering",
       {sizes(n) + R"(,"encoder":)" + none + R"(,"depth":2)" + relu,
        sizes("2") + R"(,"encoder":)" + one + R"(,"depth":)" + n + relu,
        sizes("2") + R"(,"encoder":)" + deep + R"(,"depth":1)" + relu}},
      {"SNR",
       {sizes(n) + R"(,"num_experts":1,"levels":[1])" + drawn,
        sizes("2") + R"(,"num_experts":)" + n + R"(,"levels":[1,1])" + drawn,
        sizes("2") + R"(,"num_experts":1,"levels":)" + repeated("1", room) + drawn,
        sizes("2") + R"(,"num_experts":1,"levels":[)" + n + "]" + drawn}},
      {"LearningToBranch",
       {sizes(n) + R"(,"num_experts":1,"levels":[1,1])" + chosen,
        sizes("2") + R"(,"num_experts":)" + n + R"(,"levels":[1,1])" + chosen,
        sizes("2") + R"(,"num_experts":1,"levels":)" + repeated("1", room) + chosen,
        sizes("2") + R"(,"num_experts":1,"levels":[)" + n + "]" + chosen}},
      {"AdaShare",
       {sizes(n) + R"(,"stem":)" + one + R"(,"blocks":[1,1])" + skipped,
        sizes("2") + R"(,"stem":)" + none + R"(,"blocks":)" + repeated("1", room) + skipped,
        sizes("2") + R"(,"stem":)" + deep + R"(,"blocks":[1])" + skipped,
        sizes("2") + R"(,"stem":)" + none + R"(,"blocks":[)" + n + "]" + skipped}},
      {"BranchedNetwork",
       {sizes(n) + R"(,"levels":)" + repeated(none, 1) + R"(,"groups":[)" + repeated("0", room) +
            "]}",
        sizes("2") + many_levels + R"(,"groups":)" + repeated("[0,0]", room) + "}",
        sizes("2") + R"(,"levels":)" + repeated(deep, 1) + R"(,"groups":[[0,1]]})",
        sizes("2") + R"(,"levels":)" + repeated(none, 1) + R"(,"groups":[[0,)" + n + "]]}"}}};
  REQUIRE(all.size() == plait::Registry<float>().trunks().size());
  models::Sizes tiny{.input_dim = 1, .num_tasks = 2, .first = 1, .second = 1};
  for (const auto& named : models::all_trunks<float>(tiny)) {
    const std::string bytes = with_room(named.trunk, room);
    const auto hostile =
        std::ranges::find_if(all, [&](const Hostile& h) { return h.architecture == named.name; });
    REQUIRE(hostile != all.end());
    for (const std::string& config : hostile->configs) {
      INFO(named.name << ' ' << config.substr(0, 300));
      const std::size_t cost = cost_of_refusing(bytes, "plait.config", config);
      CHECK(cost <= 100 * (bytes.size() + config.size()));
    }
    for (const std::string& hidden : {deep, one}) {
      const std::string towers = R"({"hidden":[)" + none +
                                 R"(],"outputs":[1],"has_small":true,"small":)" +
                                 repeated(hidden, hidden == deep ? 1 : room) + "}";
      CHECK(cost_of_refusing(bytes, "plait.towers", towers) <=
            100 * (bytes.size() + towers.size()));
    }
  }
}

namespace {

// A body of one's own: a linear layer on another body.
template <class S>
class ToppedLayer;

struct Topped {
  plait::Body inner{};
  Index width = 1;
  bool bias = true;

  template <class S>
  using Layer = ToppedLayer<S>;
  static constexpr std::string_view name = "topped";
  void fields(plait::FieldVisitor& visit) {
    visit("inner", inner);
    visit("width", width);
    visit.unless_default("bias", bias, true);
  }
};

template <class S>
class ToppedLayer : public plait::Sequential<S> {
 public:
  ToppedLayer(plait::ParamTable& table, const std::string& name, Index input_dim,
              const Topped& config)
      : plait::Sequential<S>(layers(table, name, input_dim, config)) {}

 private:
  static std::vector<plait::Network<S>> layers(plait::ParamTable& table, const std::string& name,
                                               Index input_dim, const Topped& config) {
    plait::Network<S> inner = config.inner.build<S>(table, name + ".inner", input_dim);
    const Index width = inner.out_shape().dim;
    return {inner, plait::Linear<S>(table, name + ".top", width, config.width, config.bias)};
  }
};

// A trunk of one's own.
struct Bottom {
  Index inputs = 0;
  Index tasks = 0;
  plait::Body bottom{};

  static constexpr std::string_view name = "bottom";
  void fields(plait::FieldVisitor& visit) {
    visit("inputs", inputs);
    visit("tasks", tasks);
    visit("bottom", bottom);
  }
  plait::Plan plan(plait::ParamTable& table, const std::string& prefix) const {
    return plait::SharedBottom{.input_dim = inputs, .num_tasks = tasks, .expert = bottom}.plan(
        table, prefix);
  }
};

struct NamelessTrunk {
  plait::Plan plan(plait::ParamTable& table, const std::string& prefix) const {
    return Bottom{2, 2, {3}}.plan(table, prefix);
  }
};
struct TrunkWithoutFields : NamelessTrunk {
  static constexpr std::string_view name = "without fields";
};
struct BodyWithoutFields {
  template <class S>
  using Layer = plait::MLP<S>;
  static constexpr std::string_view name = "without fields";
  operator plait::MLPConfig() const { return {3}; }
};

plait::Body nested(int times) {
  plait::Body result{2};
  for (int i = 0; i < times; ++i) result = Topped{.inner = result, .width = 2};
  return result;
}

}  // namespace

TEST_CASE("model file: trunks and bodies of one's own come back by their names") {
  const Bottom trunk{3, 2, Topped{.inner = Topped{.inner = {5}, .width = 3}, .width = 4}};
  const plait::TowersConfig towers{.hidden = {Topped{.inner = {}, .width = 2, .bias = false}, {4}}};
  plait::Registry<float> registry;
  registry.add_trunk(Bottom{}).add_body(Topped{.width = 7, .bias = false});
  const auto loaded = check_round_trip<float>(trunk, towers, registry);
  const auto* same = loaded.model.trunk_config().target<Bottom>();
  REQUIRE(same != nullptr);
  REQUIRE(same->bottom.target<Topped>() != nullptr);
  CHECK(same->bottom.target<Topped>()->width == 4);
  CHECK(same->bottom.target<Topped>()->bias);

  const files::Directory directory;
  const std::string path = directory / "model";
  plait::save(Model<float>(trunk, towers, 1), path);
  CHECK_THROWS_WITH(plait::load<float>(path),
                    "plait::" + path +
                        ": plait.architecture: got 'bottom', expected one that is "
                        "registered");
  CHECK_THROWS_WITH(plait::load<float>(path, plait::Registry<float>().add_trunk(Bottom{})),
                    "plait::" + path +
                        ": plait.config.bottom: got plait::Body: name: got 'topped', expected one "
                        "that is registered, expected what can be read");
}

TEST_CASE("model file: what could not be loaded is not saved") {
  const files::Directory directory;
  const std::string path = directory / "model";
  const auto refuses = [&](const Trunk<float>& trunk, const plait::TowersConfig& towers,
                           const std::string& what) {
    CHECK_THROWS_WITH(plait::save(Model<float>(trunk, towers, 1), path), ContainsSubstring(what));
    CHECK_THROWS_AS(plait::save(Model<float>(trunk, towers, 1), path), plait::ConfigError);
    CHECK_FALSE(std::filesystem::exists(path));
  };
  refuses(NamelessTrunk{}, {}, "plait::save: trunk: got a description without a name");
  refuses(TrunkWithoutFields{}, {}, "plait::Trunk: description: got one without fields");
  refuses(Bottom{2, 2, BodyWithoutFields{}}, {},
          "plait::Body: description: got one without name or fields");
  refuses(Bottom{2, 2, {3}}, {.hidden = {BodyWithoutFields{}}},
          "plait::Body: description: got one without name or fields");
  refuses(Bottom{2, 2, nested(300)}, {}, "plait::save: a setting: got nested more deeply");
  const Model<float> model(Bottom{2, 1, {3}}, {}, 1);
  CHECK_THROWS_WITH(
      plait::save(model, path, {.heads = {{.name = "\xff"}}}),
      ContainsSubstring("plait::save: a setting: got ") && ContainsSubstring("expected UTF-8"));
}

TEST_CASE("model file: bodies within bodies end somewhere") {
  plait::Registry<float> registry;
  registry.add_trunk(Bottom{}).add_body(Topped{});
  check_round_trip<float>(Bottom{2, 2, nested(100)}, {}, registry);

  const files::Directory directory;
  plait::save(Model<float>(Bottom{2, 2, nested(1)}, {}, 1), directory / "model");
  const std::string open = R"({"body":"topped","inner":)";
  const std::string shut = R"(,"width":2})";
  const std::string plain = R"({"dims":[2],"activation":"relu","bias":true})";
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += open;
  deep += plain;
  for (int i = 0; i < 100'000; ++i) deep += shut;
  const std::string changed = files::resealed(files::contents(directory / "model"),
                                              replacing("plait.config", open + plain + shut, deep));
  CHECK_THROWS_WITH(plait::load<float>(files::reader(changed), registry),
                    ContainsSubstring("plait.config: got values nested more deeply"));
}

TEST_CASE("model file: files of the first version are read, and written again as they were") {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PLAIT_SEED_FILES)) {
    INFO(entry.path().filename().string());
    const std::string bytes = files::contents(entry.path().string());
    const auto loaded = load<float>(bytes);
    const files::Directory directory;
    plait::save(loaded.model, directory / "again",
                {.heads = loaded.heads, .metadata = loaded.metadata});
    // Whatever the version, and without the rows of their self-tests.
    const auto plain = [](const std::string& file) {
      return files::resealed(file, [](Parts& parts) {
        parts.meta("plait.version") = "0.1.0";
        while (parts.header.tensors.back().name.starts_with("plait.self_test")) {
          parts.header.tensors.pop_back();
          parts.data.pop_back();
        }
      });
    };
    CHECK((plain(files::contents(directory / "again")) == plain(bytes)));
    ++count;
  }
  CHECK(count == 12);
}

TEST_CASE("model file: self-test rows are replayed") {
  const auto bytes = saved_with_rows();
  const auto numbers = [](Parts& parts, const std::string& name) -> float* {
    for (std::size_t i = 0; i < parts.data.size(); ++i)
      if (parts.header.tensors[i].name == name)
        return reinterpret_cast<float*>(parts.data[i].data());
    throw std::runtime_error("no " + name);
  };
  // The largest difference is told.
  const std::string message = refusal(bytes, [&](Parts& parts) {
    float* logits = numbers(parts, "plait.self_test.logits");
    logits[0] += 0.25f;
    logits[3] -= 0.5f;
  });
  CAPTURE(message);
  CHECK(message.starts_with("plait::memory: self-test: got logits that differ by "));
  CHECK(std::abs(std::stod(message.substr(message.find(" by ") + 4)) - 0.5) < 1e-6);
  CHECK_THAT(message, ContainsSubstring(" (row 1, column 1), expected at most 2.4"));
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[0] = std::nanf("");
          numbers(parts, "plait.self_test.logits")[1] += 1e-6f;
        }).starts_with("plait::memory: self-test: got logits that differ by nan"));
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[1] = std::numeric_limits<float>::infinity();
        }).starts_with("plait::memory: self-test: got logits that differ by inf"));
  // Rounding passes.
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[0] += 1e-5f;
        }) == "accepted");
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[0] += 5e-5f;
        }).starts_with("plait::memory: self-test: got logits that differ by "));
  // A parameter that is not the saved one gives other logits.
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "task_modules.0.1.bias")[0] += 1;
        }).starts_with("plait::memory: self-test: got logits that differ by 1"));
  CHECK(refusal(bytes, [&](Parts& parts) {
          parts.header.tensors.pop_back();
          parts.data.pop_back();
        }) == "plait::memory: self-test: got one of its two tensors, expected both or none");
  CHECK(refusal(bytes, [&](Parts& parts) { parts.header.tensors.back().shape = {8}; }) ==
        "plait::memory: 'plait.self_test.logits': got F32 [8], expected floating-point "
        "[4, 1, 2]");

  const auto model = small_model();
  const auto wrong = rows<float>({1, 3});
  CHECK_THROWS_AS(saved(model, {}, wrong), plait::ShapeError);
}

TEST_CASE("model file: a logit of one scale is no excuse for those of another") {
  const auto changed_biases = [](float first, float second) {
    auto model = small_model();
    const plait::Tensor<float> x = rows<float>(model.in_shape());
    model.values_of("task_modules.0.1.bias")[0] = first;
    model.values_of("task_modules.1.1.bias")[0] = second;
    return saved(model, {}, x);
  };
  // Logits [row][column] of four rows and two columns.
  const auto after = [](const std::string& bytes, std::size_t which, float by) {
    return refusal(bytes, [&](Parts& parts) {
      REQUIRE(parts.header.tensors.back().name == "plait.self_test.logits");
      reinterpret_cast<float*>(parts.data.back().data())[which] += by;
    });
  };
  const std::string differ = "plait::memory: self-test: got logits that differ by ";
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float scale : {1e6f, 1e30f, -3e38f, infinity, -infinity}) {
    CAPTURE(scale);
    const std::string first = changed_biases(scale, 0), second = changed_biases(0, scale);
    CHECK(after(first, 0, 0) == "accepted");
    for (const std::size_t row : {0u, 3u}) {
      CHECK(after(first, 2 * row + 1, 1).starts_with(differ));
      CHECK(after(first, 2 * row + 1, 1e-3f).starts_with(differ));
      CHECK(after(second, 2 * row, 1e-3f).starts_with(differ));
      CHECK(after(first, 2 * row + 1, 1e-5f) == "accepted");
    }
  }
  CHECK(after(changed_biases(1e6f, 0), 0, 5) == "accepted");  // 2.4e-5 of it is 24
  CHECK(after(changed_biases(1e6f, 0), 0, 50).starts_with(differ));

  // One row of a column that is larger than the others.
  auto model = small_model();
  plait::Tensor<float> x = rows<float>(model.in_shape());
  for (Index d = 0; d < x.dim(); ++d) x.view()(1, 0, d) *= 1e7f;
  const std::string bytes = saved(model, {}, x);
  CHECK(after(bytes, 0, 0) == "accepted");
  for (const std::size_t which : {0u, 1u, 4u, 5u, 6u, 7u})
    CHECK(after(bytes, which, 1e-3f).starts_with(differ));
  for (const float stored : {infinity, -infinity, std::nanf("")})
    CHECK(after(bytes, 2, stored).starts_with(differ));
}

TEST_CASE("model file: a file with another activation is refused") {
  using plait::Activation;
  const auto saved_as = [](Activation f) {
    Model<float> model(
        plait::AdaTT{
            .input_dim = 8, .num_tasks = 2, .levels = {plait::Body({16}, f), plait::Body({8}, f)}},
        {.hidden = {plait::Body({8}, f)}}, 1);
    // Activations of size 1, as training makes them: near 0 the forms of GELU are equal.
    for (const auto& entry : model.table().entries())
      for (float& number : model.values_of(entry.id)) number *= 3;
    const files::Directory directory;
    const auto x = rows<float>(model.in_shape(), 8);
    plait::save(model, directory / "model", {}, x);
    return files::contents(directory / "model");
  };
  const auto one_of_level_0 = [&](Activation f, const std::string& from, const std::string& to) {
    return refusal(saved_as(f), replacing("plait.config", '"' + from + '"', '"' + to + '"'));
  };
  const std::string message = "plait::memory: self-test: got logits that differ by ";
  CHECK(one_of_level_0(Activation::gelu, "gelu", "gelu_tanh").starts_with(message));
  CHECK(one_of_level_0(Activation::gelu_tanh, "gelu_tanh", "gelu").starts_with(message));
  CHECK(one_of_level_0(Activation::relu, "relu", "leaky_relu").starts_with(message));
  CHECK(one_of_level_0(Activation::gelu, "gelu", "silu").starts_with(message));
  const auto tower = [&](Activation f, const std::string& from, const std::string& to) {
    return refusal(saved_as(f), replacing("plait.towers", '"' + from + '"', '"' + to + '"'));
  };
  CHECK(tower(Activation::gelu, "gelu", "gelu_tanh").starts_with(message));
  CHECK(tower(Activation::relu, "relu", "leaky_relu").starts_with(message));
}

TEST_CASE("model file: numbers stored in fewer bits pass their self-test, wrong ones do not") {
  const auto bytes = saved_with_rows();
  const auto halve = [](Parts& parts, const auto& is_to_be) {
    for (std::size_t i = 0; i < parts.data.size(); ++i) {
      plait::TensorInfo& tensor = parts.header.tensors[i];
      if (!is_to_be(tensor.name)) continue;
      std::string shorter;
      for (std::size_t k = 0; k < parts.data[i].size(); k += sizeof(float)) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, parts.data[i].data() + k, sizeof bits);
        bits += 0x8000;  // to nearest
        shorter += static_cast<char>(bits >> 16 & 0xff);
        shorter += static_cast<char>(bits >> 24 & 0xff);
      }
      tensor.dtype = plait::DType::bf16;
      parts.data[i] = shorter;
    }
  };
  const auto all = [](const std::string&) { return true; };
  const auto logits = [](const std::string& name) { return name == "plait.self_test.logits"; };
  const auto parameters = [](const std::string& name) { return !name.starts_with("plait."); };
  CHECK(refusal(bytes, [&](Parts& parts) { halve(parts, all); }) == "accepted");
  CHECK(refusal(bytes, [&](Parts& parts) { halve(parts, logits); }) == "accepted");
  CHECK(refusal(bytes, [&](Parts& parts) { halve(parts, parameters); }) == "accepted");
  CHECK(refusal(bytes, [&](Parts& parts) {
          for (std::size_t i = 0; i < parts.data.size(); ++i)
            if (logits(parts.header.tensors[i].name))
              reinterpret_cast<float*>(parts.data[i].data())[0] += 0.1f;
          halve(parts, all);
        }).starts_with("plait::memory: self-test: got logits that differ by 0."));
}

TEST_CASE("model file: what scoring in bf16 reduces is stored in half the bytes") {
  const files::Directory directory;
  const models::Sizes sizes{
      .input_dim = 64, .num_tasks = 2, .first = 64, .second = 32, .tower = 16};
  for (const auto& [name, trunk] : models::all_trunks<float>(sizes)) {
    INFO(name);
    const auto model = models::make(trunk, sizes);
    const auto x = rows<float>(model.in_shape());
    plait::save(model, directory / "full", {}, x);
    plait::save(model, directory / "half", {.store = plait::Precision::bf16}, x);
    const auto reduced = plait::reduced_weights<float>(model.table(), plait::Precision::bf16);
    std::uint64_t saved = 0;
    for (const auto& entry : model.table().entries())
      if (reduced[static_cast<std::size_t>(entry.id.index)])
        saved += 2 * static_cast<std::uint64_t>(entry.id.size());
    const auto bytes = [&](const char* file) {
      return plait::SafetensorsReader(directory / file).header().tensors.back().end;
    };
    CHECK(bytes("full") - bytes("half") == saved);

    const auto loaded = plait::load<float>(directory / "half").model;
    for (const auto& entry : model.table().entries()) {
      const bool is_rounded = reduced[static_cast<std::size_t>(entry.id.index)];
      const auto before = model.values().of(entry.id);
      const auto after = loaded.values().of(entry.id);
      bool same = true;
      for (std::size_t k = 0; k < before.size(); ++k)
        same =
            same &&
            after[k] == (is_rounded ? plait::bfloat16_to_float(plait::float_to_bfloat16(before[k]))
                                    : before[k]);
      CHECK(same);
    }
    const plait::ScorerOptions in_bf16{.precision = plait::Precision::bf16};
    const plait::Scorer<float> of_loaded(loaded, in_bf16);
    const plait::Scorer<float> of_model(model, in_bf16);
    plait::Tensor<float> a(x.batch(), 1, 2), b(x.batch(), 1, 2);
    of_loaded.context().score(x, a);
    of_model.context().score(x, b);
    CHECK(std::memcmp(a.view().data(), b.view().data(), sizeof(float) * 2 * 4) == 0);
  }
  const auto doubles = models::make(models::all_trunks<double>(sizes).front().trunk, sizes);
  CHECK_THROWS_WITH(plait::save(doubles, directory / "doubles", {.store = plait::Precision::bf16}),
                    "plait::save: store: got bf16 for a model of another scalar than float, "
                    "expected full");
  CHECK(!std::filesystem::exists(directory / "doubles"));
}

TEST_CASE("model file: a failed save leaves the old file") {
  const files::Directory directory;
  const std::string path = directory / "model";
  const auto model = small_model();
  plait::save(model, path);
  const std::string before = files::contents(path);
  CHECK_THROWS_AS(plait::save(model, path, {.metadata = {{"k", "\xff"}}}), plait::ConfigError);
  CHECK((files::contents(path) == before));
  CHECK_THROWS_AS(plait::save(model, "/no/such/directory/model"), plait::FileError);
}
