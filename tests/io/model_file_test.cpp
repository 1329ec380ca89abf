#include "plait/io/model_file.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <type_traits>
#include <variant>

#include "plait/testing/data.hpp"
#include "support/catch.hpp"
#include "support/every_kind.hpp"
#include "support/files.hpp"
#include "support/models.hpp"

namespace {

using files::Parts;
using plait::FormatError;
using plait::Head;
using plait::Index;
using plait::MLPConfig;
using plait::Model;

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

template <class Scalar, class ModelType>
std::vector<Scalar> score(const ModelType& model, plait::View3<const Scalar> x) {
  std::vector<Scalar> result(static_cast<std::size_t>(x.batch() * model.out_shape().dim));
  plait::ScoringContext(model).score(
      x, plait::View3<Scalar>(result.data(), x.batch(), 1, model.out_shape().dim));
  return result;
}

template <class Trunk>
void check_round_trip(const std::string& name, const typename Trunk::Config& config) {
  using Scalar = typename Trunk::Scalar;
  INFO(name);
  const files::Directory directory;
  const auto model = models::make<Trunk>(config, models::Sizes(), 5);
  const auto x = rows<Scalar>(model.in_shape());
  const std::string path = directory / "model";
  plait::save(model, path, {}, x);

  const auto loaded = plait::load<Scalar>(path);
  const auto* same = std::get_if<Model<Trunk>>(&loaded.model);
  REQUIRE(same != nullptr);
  CHECK(std::ranges::equal(same->values().flat(), model.values().flat()));
  CHECK(score<Scalar>(*same, x) == score<Scalar>(model, x));

  const std::string again = directory / "again";
  plait::save<Scalar>(loaded.model, again, {}, x);
  CHECK((files::contents(again) == files::contents(path)));
}

template <class Scalar>
void check_all_architectures() {
  int count = 0;
  models::for_each_trunk<Scalar>(
      models::Sizes(),
      [&]<class Trunk>(const char* name, std::type_identity<Trunk>, const auto& config) {
        check_round_trip<Trunk>(name, config);
        ++count;
      });
  CHECK(count == static_cast<int>(std::variant_size_v<plait::AnyModel<Scalar>>));
}

using Small = plait::AdaTT<float>;

Model<Small> small_model() {
  const Small::Config config{
      .input_dim = 2, .num_tasks = 2, .levels = {MLPConfig{3}, MLPConfig{2}}};
  return Model<Small>(config, {.hidden = {MLPConfig{2}}}, 1);
}

std::string saved(const Model<Small>& model, const plait::SaveOptions& options = {},
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
  using Gates = plait::GateConfigs<plait::MLP<double>>;
  const Gates gates{{.body = MLPConfig({4}, plait::Activation::gelu_tanh, false),
                     .bias = false,
                     .temperature = 0.5},
                    {}};
  check_round_trip<plait::AdaTT<double>>(
      "AdaTT", {.input_dim = 4,
                .num_tasks = 3,
                .levels = {MLPConfig({5, 4}, plait::Activation::silu), MLPConfig({3})},
                .task_experts = {1, 2, 1},
                .shared_experts = 0,
                .residual = false,
                .gates = gates,
                .separate_inputs = true});
  check_round_trip<plait::CrossStitch<double>>("CrossStitch", {.input_dim = 4,
                                                               .num_tasks = 2,
                                                               .levels = {MLPConfig{3}},
                                                               .stitch = plait::Stitch::uniform,
                                                               .diagonal = 0.1,
                                                               .separate_inputs = true});
  check_round_trip<plait::AsymmetricSharing<double>>("AsymmetricSharing",
                                                     {.input_dim = 4,
                                                      .num_tasks = 3,
                                                      .expert = {3},
                                                      .sources = {{2}, {}, {0, 1}},
                                                      .fusion = plait::Fusion::mean,
                                                      .stop_gradient = false});
  // Experts without layers: the trunk has gates only.
  check_round_trip<plait::MMoE<double>>(
      "MMoE", {.input_dim = 4, .num_tasks = 2, .num_experts = 3, .expert = {}});
}

TEST_CASE("model file: heads and the user's metadata come back") {
  const Model<plait::MMoE<float>> model(
      {.input_dim = 3, .num_tasks = 3, .num_experts = 2, .expert = {4}},
      {.hidden = {MLPConfig{}}, .outputs = {1, 5, 1}}, 1);
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
  const Model<plait::MMoE<float>> model(
      {.input_dim = 3, .num_tasks = std::ssize(heads), .num_experts = 2, .expert = {4}},
      {.hidden = {MLPConfig{}}, .outputs = outputs}, 1);
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
  plait::save<float>(loaded.model, directory / "again", {.heads = loaded.heads});
  CHECK((files::contents(directory / "again") == files::contents(directory / "model")));
}

TEST_CASE("model file: heads that say too much or the impossible are refused") {
  const auto bytes = saved(small_model(), {.heads = {{}, {.kind = plait::HeadKind::huber}}});
  const auto with = [&](const std::string& what, const std::string& by) {
    return refusal(bytes, [&](Parts& parts) {
      std::string& text = parts.meta("plait.heads");
      REQUIRE(text.find(what) != std::string::npos);
      text.replace(text.find(what), what.size(), by);
    });
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
  const auto& model = std::get<Model<plait::AdaTT<double>>>(wide.model);
  CHECK(std::ranges::equal(model.values().flat(), small_model().values().flat()));

  const files::Directory directory;
  plait::save<double>(wide.model, directory / "wide");
  const auto narrow = plait::load<float>(directory / "wide");
  CHECK(std::ranges::equal(std::get<Model<Small>>(narrow.model).values().flat(),
                           small_model().values().flat()));
}

TEST_CASE("model file: what it is not is refused") {
  const auto bytes = saved_with_rows();
  const std::string from = "plait::memory: ";
  const auto set = [](const char* key, const std::string& value) {
    return [=](Parts& parts) { parts.meta(key) = value; };
  };
  const auto replace = [](const char* key, const std::string& what, const std::string& with) {
    return [=](Parts& parts) {
      std::string& text = parts.meta(key);
      REQUIRE(text.find(what) != std::string::npos);
      text.replace(text.find(what), what.size(), with);
    };
  };
  REQUIRE(refusal(bytes, [](Parts&) {}) == "accepted");
  CHECK(refusal(bytes, set("plait.format", "plait.model.2")) ==
        from + "plait.format: got 'plait.model.2', expected 'plait.model.1'");
  CHECK(refusal(bytes, set("plait.architecture", "Transformer")) ==
        from + "plait.architecture: got 'Transformer', expected one that this version knows");
  CHECK(refusal(bytes, set("plait.config", "{")) ==
        from + "plait.config: got another text, expected JSON as plait writes it");
  CHECK(refusal(bytes, set("plait.config", "[]")) ==
        from + "plait.config: got [], expected an object");
  CHECK(refusal(bytes, replace("plait.config", "\"input_dim\":2", "\"input_dim\":2,\"x\":1")) ==
        from + "plait.config: got 9 fields, expected 8");
  CHECK(refusal(bytes, replace("plait.config", "\"input_dim\":2,", "")) ==
        from + "plait.config: got no input_dim, expected it");
  CHECK(refusal(bytes, replace("plait.config", "\"input_dim\":2,",
                               "\"input_dim\":2,"
                               "\"input_dim\":2,")) ==
        from + "plait.config: got another text, expected JSON as plait writes it");
  CHECK(refusal(bytes, replace("plait.config", "relu", "mish")) ==
        from + "plait.config.levels[0].activation: got \"mish\", expected a known name");
  CHECK(refusal(bytes, replace("plait.config", "\"bias\":true", "\"bias\":1")) ==
        from + "plait.config.levels[0].bias: got 1, expected true or false");
  CHECK(refusal(bytes, replace("plait.config", "\"input_dim\":2", "\"input_dim\":-2"))
            .starts_with(from + "plait.config.input_dim: got -2, expected a whole number from 0"));
  CHECK(refusal(bytes, replace("plait.config", "\"input_dim\":2", "\"input_dim\":3"))
            .starts_with(from + "tensors: got 'mtl_arch.experts.0.0.mlp_net.0.weight' of shape "
                                "[3, 2] instead of [3, 3]"));
  CHECK(refusal(bytes, replace("plait.config", "\"num_tasks\":2", "\"num_tasks\":0"))
            .starts_with(from + "plait.config: got plait::AdaTT: num_tasks: got 0"));
  CHECK(refusal(bytes, replace("plait.towers", "\"outputs\":[1]", "\"outputs\":[1,1,1]"))
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

TEST_CASE("model file: sizes that its tensors do not bear out are refused before they cost") {
  const auto bytes = saved(small_model());
  const auto with = [&](const char* key, const std::string& what, const std::string& by) {
    return refusal(bytes, [&](Parts& parts) {
      std::string& text = parts.meta(key);
      REQUIRE(text.find(what) != std::string::npos);
      text.replace(text.find(what), what.size(), by);
    });
  };
  CHECK(with("plait.config", "\"num_tasks\":2", "\"num_tasks\":100")
            .starts_with("plait::memory: tasks: got 100, expected at most "));
  CHECK(with("plait.config", "\"task_experts\":[1]", "\"task_experts\":[99]")
            .starts_with("plait::memory: routes: got "));
  CHECK(with("plait.config", "\"shared_experts\":1", "\"shared_experts\":99")
            .starts_with("plait::memory: routes: got "));
  CHECK(with("plait.config", "\"input_dim\":2", "\"input_dim\":1000000000000")
            .starts_with("plait::memory: plait.config.input_dim: got 1000000000000, expected a "
                         "whole number from 0 to "));
  std::string many = "1";
  for (int i = 0; i < 30; ++i) many += ",1";
  CHECK(with("plait.towers", "\"dims\":[2]", "\"dims\":[" + many + "]")
            .starts_with("plait::memory: layers of towers: got 62, expected at most "));
  CHECK(with("plait.config", "\"body\":{\"dims\":[]", "\"body\":{\"dims\":[" + many + "]")
            .starts_with("plait::memory: layers of gates: got 62, expected at most "));
  CHECK(with("plait.config", "\"levels\":[{\"dims\":[3]", "\"levels\":[{\"dims\":[" + many + "]")
            .find("expected at most ") != std::string::npos);
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
  CHECK(
      message.starts_with("plait::memory: self-test: got logits that differ by 0.5, expected at "
                          "most 0.001"));
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[0] = std::nanf("");
        }).starts_with("plait::memory: self-test: got logits that differ by nan"));
  // Rounding passes.
  CHECK(refusal(bytes, [&](Parts& parts) {
          numbers(parts, "plait.self_test.logits")[0] += 1e-6f;
        }) == "accepted");
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
