// 50 steps of every architecture and every way to train it, in float and double. The first line is
// the instruction set, which the bits depend on; then there is a line per case:
//
//   <scalar> <case> <parameters> <logits>
//
// both FNV-1a of 64 bits in 16 hex digits: over the names and numbers of all tensors, in the order
// of the table, after the last step, and over the logits of all 96 rows scored with a Scorer. The
// lines "inputs-..." are the data instead: <features> <labels>; when they differ, nothing else
// means anything. On stderr, the same case with the hash of the 50 losses that step returned (as
// double), the first and the last of them.
//
// An argument runs only the cases whose "<scalar> <case>" contains it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <plait/methods.hpp>
#include <plait/plait.hpp>

using namespace plait;

// ---------------------------------------------------------------------------------------------
// 1. The API: everything that knows how a model is described, built, trained, read and scored.
// ---------------------------------------------------------------------------------------------

constexpr Index input_dim = 20;
constexpr Index num_tasks = 3;
constexpr Index num_rows = 96;
constexpr Index odd_rows = 91;  // of every second step, so that a tile has 27 rows instead of 32
constexpr Index tile_rows = 32;
constexpr int num_steps = 50;
constexpr std::uint64_t model_seed = 7;

TowersConfig towers() { return {.hidden = {{11}}}; }
TowersConfig auxiliary_towers() { return {.hidden = {{11}}, .small = {{5}}}; }

// Calls visit(name, numbers) for every parameter tensor, in the order of the table.
template <class S, class Visit>
void for_each_tensor(const Model<S>& model, const Visit& visit) {
  for (const ParamEntry& entry : model.table().entries())
    visit(entry.name, model.values().of(entry.id));
}

// The ranges of all tensors whose names start so.
template <class S>
std::vector<ParamRange> ranges_of(const Model<S>& model, std::string_view prefix) {
  std::vector<ParamRange> result;
  for (const ParamEntry& entry : model.table().entries())
    if (entry.name.starts_with(prefix)) result.push_back({entry.id.offset, entry.id.size()});
  return result;
}

// Logits of all rows; of requests of 32 rows with a user's columns, for the second.
template <class S>
Matrix<S> score(const Model<S>& model, View3<const S> x) {
  const Scorer scorer(model);
  auto context = scorer.context();
  Matrix<S> logits(x.batch(), model.out_shape().dim);
  context.score(x, logits);
  return logits;
}
template <class S>
Matrix<S> score_shared(const Model<S>& model, const std::vector<Index>& user_columns,
                       const Matrix<S>& users, const Matrix<S>& candidates) {
  const Scorer<S> scorer(model, {.shared_inputs = user_columns});
  auto context = scorer.context(24);  // tiles of 24 and 8 rows
  Matrix<S> logits(candidates.rows(), model.out_shape().dim);
  const Index rows = candidates.rows() / users.rows();
  for (Index u = 0; u < users.rows(); ++u)
    context.score(users.middleRows(u, 1), candidates.middleRows(u * rows, rows),
                  logits.middleRows(u * rows, rows));
  return logits;
}

std::vector<Head> plain_heads() {
  return {{}, {.kind = HeadKind::regression, .weight = 0.5}, {.pos_weight = 2}};
}
std::vector<Head> auxiliary_heads() { return with_auxiliary(plain_heads(), 0.3); }
std::vector<Head> grouped_heads() {
  return {{}, {.kind = HeadKind::regression, .weight = 0.5}, {.kind = HeadKind::listwise}};
}

// How a step is made: each is called once with model and trainer, and returns the step, a function
// of x and targets to the loss.
struct PlainStep {
  template <class S>
  auto operator()(const Model<S>&, Trainer<S>& trainer) const {
    return [&trainer](const auto& x, const auto& targets) { return trainer.step(x, targets); };
  }
};
template <class Method>
struct BalancedStep {
  Method method = {};
  template <class S>
  auto operator()(const Model<S>& model, Trainer<S>& trainer) const {
    GradientBalancer<S> balancer(method, trainer.num_tasks(), model.values().shared_table(),
                                 trainer.shared(), /*seed=*/3);
    return [&trainer, balancer](const auto& x, const auto& targets) mutable {
      return trainer.step(x, targets, balancer);
    };
  }
};
template <class Method>
struct WeightedStep {
  Method method = {};
  std::string layer = {};  // prefix of the names of a layer's tensors; empty: no layer
  template <class S>
  auto operator()(const Model<S>& model, Trainer<S>& trainer) const {
    LossWeighting weighting(method, trainer.num_tasks(), /*seed=*/3);
    const auto ranges = layer.empty() ? std::vector<ParamRange>() : ranges_of(model, layer);
    return [&trainer, weighting, ranges](const auto& x, const auto& targets) mutable {
      return trainer.step(x, targets, weighting, ranges);
    };
  }
};

// The losses of all steps. `groups` may be empty.
template <class S, class MakeStep>
std::vector<double> train(Model<S>& model, const std::vector<Head>& heads, const Rule<S>& rule,
                          const TrainerOptions& options, const MakeStep& make_step,
                          View3<const S> x, std::type_identity_t<View3<const S>> labels,
                          std::span<const std::int64_t> groups) {
  Trainer<S> trainer(model, heads, rule, options);
  auto step = make_step(model, trainer);
  const Targets<S> targets{.labels = labels, .groups = groups};
  std::vector<double> losses;
  for (int i = 0; i < num_steps; ++i) {
    const Index rows = i % 2 == 0 ? num_rows : odd_rows;
    losses.push_back(step(x.rows(0, rows), targets.rows(0, rows)));
  }
  return losses;
}

// ---------------------------------------------------------------------------------------------
// 2. Data and hashes.
// ---------------------------------------------------------------------------------------------

class Hash {
 public:
  void add(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) state_ = (state_ ^ bytes[i]) * 0x100000001b3u;
  }
  template <class T>
  void add(std::span<const T> numbers) {
    add(numbers.data(), numbers.size_bytes());
  }
  unsigned long long value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

template <class S>
unsigned long long hash_of(const Matrix<S>& numbers) {
  Hash hash;
  hash.add(std::span<const S>(numbers.data(), static_cast<std::size_t>(numbers.size())));
  return hash.value();
}
unsigned long long hash_of(const std::vector<double>& numbers) {
  Hash hash;
  hash.add(std::span<const double>(numbers));
  return hash.value();
}
template <class S>
unsigned long long hash_of_parameters(const Model<S>& model) {
  Hash hash;
  for_each_tensor(model, [&](const std::string& name, const auto& numbers) {
    hash.add(name.data(), name.size());
    hash.add(std::span<const S>(numbers));
  });
  return hash.value();
}

// Equal on every compiler: additions, comparisons and products with powers of two, which no
// contraction to FMA changes.
template <class S>
struct Data {
  Index slots;
  Matrix<S> x;  // [row, slot * input_dim]
  Matrix<S> labels;
  std::vector<std::int64_t> groups;

  explicit Data(Index input_slots)
      : slots(input_slots), x(num_rows, input_slots * input_dim), labels(num_rows, num_tasks) {
    Random random(1);
    std::vector<double> row(static_cast<std::size_t>(x.cols()));
    std::int64_t group = 0;
    for (Index b = 0; b < num_rows; ++b) {
      for (double& number : row) number = random.normal();
      for (Index d = 0; d < x.cols(); ++d)
        x(b, d) = static_cast<S>(row[static_cast<std::size_t>(d)]);
      const bool flipped = random.uniform() < 0.125;
      labels(b, 0) = (row[0] + row[1] > std::abs(row[2])) != flipped ? S(1) : S(0);
      labels(b, 1) = static_cast<S>(0.5 * row[0] - std::abs(row[2]) + 0.25 * random.normal());
      labels(b, 2) = row[3] > row[4] ? S(1) : S(0);
      if (random.uniform() < 0.25) ++group;  // groups of any size
      groups.push_back(group);
    }
  }
  View3<const S> input() const { return {x.data(), num_rows, slots, input_dim}; }
};

// ---------------------------------------------------------------------------------------------
// 3. What a case runs.
// ---------------------------------------------------------------------------------------------

std::string filter;

template <class S>
std::string label(const char* name) {
  return std::string(sizeof(S) == 4 ? "float " : "double ") + name;
}
bool wanted(const std::string& line) { return line.find(filter) != std::string::npos; }
void print(const std::string& line, unsigned long long first, unsigned long long second) {
  std::printf("%s %016llx %016llx\n", line.c_str(), first, second);
  std::fflush(stdout);
}
void print_losses(const std::string& line, const std::vector<double>& losses) {
  std::fprintf(stderr, "%s %016llx %.6f -> %.6f\n", line.c_str(), hash_of(losses), losses.front(),
               losses.back());
}

struct Training {
  std::vector<Head> heads = plain_heads();
  TrainerOptions options = {.tile_rows = tile_rows};
  bool grouped = false;
};

// A model that was made, trained with a plan.
template <class S, class MakeStep>
void run_model(const char* name, Model<S> model, const Training& plan, const Rule<S>& rule,
               const MakeStep& make_step) {
  const std::string line = label<S>(name);
  if (!wanted(line)) return;
  const Data<S> data(model.in_shape().slots);
  const auto losses =
      train(model, plan.heads, rule, plan.options, make_step, data.input(), data.labels,
            plan.grouped ? data.groups : std::span<const std::int64_t>());
  const unsigned long long parameters = hash_of_parameters(model);
  print(line, parameters, hash_of(score<S>(model.serving(), data.input())));
  print_losses(line, losses);
}

template <class S, class MakeStep = PlainStep>
void run(const char* name, const Trunk<S>& trunk, const Training& plan = {},
         const std::type_identity_t<Rule<S>>& rule = Adam{}, const MakeStep& make_step = {}) {
  run_model(name, Model<S>(trunk, towers(), model_seed), plan, rule, make_step);
}

// The second hash is of logits scored with a user's columns apart.
template <class S>
void run_shared_inputs(const char* name, const Trunk<S>& trunk) {
  const std::string line = label<S>(name);
  if (!wanted(line)) return;
  const std::vector<Index> user_columns = {0, 3, 4, 7, 11, 12, 19};
  Model<S> model(trunk, towers(), model_seed);
  const Data<S> data(1);
  const auto losses = train<S>(model, plain_heads(), Adam{}, {.tile_rows = tile_rows}, PlainStep{},
                               data.input(), data.labels, {});
  const Index requests = 3;
  Matrix<S> users(requests, std::ssize(user_columns));
  Matrix<S> candidates(num_rows, input_dim - users.cols());
  Index user = 0;
  Index own = 0;
  for (Index d = 0; d < input_dim; ++d) {
    if (user < users.cols() && user_columns[static_cast<std::size_t>(user)] == d) {
      for (Index u = 0; u < requests; ++u) users(u, user) = data.x(u * num_rows / requests, d);
      ++user;
    } else {
      candidates.col(own++) = data.x.col(d);
    }
  }
  print(line, hash_of_parameters(model),
        hash_of(score_shared<S>(model, user_columns, users, candidates)));
  print_losses(line, losses);
}

template <class S>
void run_inputs(const char* name, Index slots) {
  const std::string line = label<S>(name);
  if (!wanted(line)) return;
  const Data<S> data(slots);
  print(line, hash_of(data.x), hash_of(data.labels));
}

// ---------------------------------------------------------------------------------------------
// 4. The architectures, one function each.
// ---------------------------------------------------------------------------------------------

template <class S>
auto single_task() {
  return Trunk<S>(SingleTask{.input_dim = input_dim, .num_tasks = num_tasks, .expert = {24, 13}});
}

template <class S>
auto shared_bottom() {
  return Trunk<S>(SharedBottom{.input_dim = input_dim, .num_tasks = num_tasks, .expert = {24, 13}});
}

template <class S>
auto asymmetric_concat() {
  return Trunk<S>(AsymmetricSharing{.input_dim = input_dim,
                                    .num_tasks = num_tasks,
                                    .expert = {24, 13},
                                    .sources = {{}, {0}, {0, 1}},
                                    .fusion = Fusion::concat,
                                    .stop_gradient = true});
}

template <class S>
auto asymmetric_sum() {
  return Trunk<S>(AsymmetricSharing{.input_dim = input_dim,
                                    .num_tasks = num_tasks,
                                    .expert = {24, 13},
                                    .sources = {{}, {0}, {0, 1}},
                                    .fusion = Fusion::sum,
                                    .stop_gradient = false});
}

template <class S>
auto customized_sharing() {
  return Trunk<S>(
      CustomizedSharing{.input_dim = input_dim, .num_tasks = num_tasks, .expert = {24, 13}});
}

template <class S>
auto cross_stitch_near_identity() {
  return Trunk<S>(CrossStitch{.input_dim = input_dim,
                              .num_tasks = num_tasks,
                              .levels = {{24}, {13}},
                              .stitch = Stitch::near_identity});
}

template <class S>
auto cross_stitch_uniform_separate() {
  return Trunk<S>(CrossStitch{.input_dim = input_dim,
                              .num_tasks = num_tasks,
                              .levels = {{24}, {13}},
                              .stitch = Stitch::uniform,
                              .separate_inputs = true});
}

template <class S>
auto mmoe() {
  return Trunk<S>(
      MMoE{.input_dim = input_dim, .num_tasks = num_tasks, .num_experts = 5, .expert = {24, 13}});
}

template <class S>
auto ml_mmoe() {
  return Trunk<S>(MLMMoE{.input_dim = input_dim,
                         .num_tasks = num_tasks,
                         .num_experts = 5,
                         .levels = {{24}, {13}},
                         .gates = {{.body = {9}}}});
}

template <class S>
auto cgc() {
  return Trunk<S>(CGC{.input_dim = input_dim,
                      .num_tasks = num_tasks,
                      .expert = {24, 13},
                      .task_experts = {2},
                      .shared_experts = 1});
}

template <class S>
auto ple() {
  return Trunk<S>(PLE{.input_dim = input_dim,
                      .num_tasks = num_tasks,
                      .levels = {{24}, {13}},
                      .task_experts = {2},
                      .shared_experts = 2});
}

template <class S>
auto ple_without_shared() {
  return Trunk<S>(PLE{.input_dim = input_dim,
                      .num_tasks = num_tasks,
                      .levels = {{24}, {13}},
                      .task_experts = {2, 3, 1},
                      .shared_experts = 0});
}

template <class S>
auto adatt_sp() {
  return Trunk<S>(AdaTTSp{
      .input_dim = input_dim, .num_tasks = num_tasks, .levels = {{24}, {13}}, .task_experts = 2});
}

// The trunk of all the extras.
template <class S>
auto adatt() {
  return Trunk<S>(AdaTT{.input_dim = input_dim,
                        .num_tasks = num_tasks,
                        .levels = {{24}, {13}},
                        .task_experts = {2},
                        .shared_experts = 1});
}

template <class S>
auto adatt_one_each() {
  return Trunk<S>(AdaTT{.input_dim = input_dim,
                        .num_tasks = num_tasks,
                        .levels = {{24}, {13}},
                        .task_experts = {1},
                        .shared_experts = 1});
}

template <class S>
auto adatt_no_residual_gelu() {
  return Trunk<S>(
      AdaTT{.input_dim = input_dim,
            .num_tasks = num_tasks,
            .levels = {MLPConfig({24}, Activation::gelu), MLPConfig({13}, Activation::gelu)},
            .task_experts = {2},
            .shared_experts = 1,
            .residual = false});
}

// ---------------------------------------------------------------------------------------------
// 5. The extras, one function each.
// ---------------------------------------------------------------------------------------------

template <class S>
void expert_dropout() {
  run("adatt-expert-dropout", adatt<S>(),
      {.options = {.tile_rows = tile_rows, .expert_dropout = 0.2, .seed = 5}});
}

template <class S>
void auxiliary() {
  run_model<S>("adatt-auxiliary", Model<S>(adatt<S>(), auxiliary_towers(), model_seed),
               {.heads = auxiliary_heads()}, Adam{}, PlainStep{});
}

template <class S>
void pcgrad() {
  run("adatt-pcgrad", adatt<S>(), {}, Adam{}, BalancedStep<PCGrad>{});
}

template <class S>
void db_mtl() {
  run("adatt-db-mtl", adatt<S>(), {}, Adam{}, BalancedStep<DBMTL>{});
}

template <class S>
void uncertainty() {
  run("adatt-uncertainty", adatt<S>(), {}, Adam{}, WeightedStep<UncertaintyWeights>{});
}

template <class S>
void gradnorm() {
  run("adatt-gradnorm-layer", adatt<S>(), {}, Adam{},
      WeightedStep<GradNorm>{.layer = "mtl_arch.experts.1."});
}

template <class S>
void lanes() {
  ThreadPool pool(2);
  run("adatt-lanes3", adatt<S>(),
      {.options = {.tile_rows = tile_rows, .lanes = 3, .executor = &pool}});
}

template <class S>
void lanes_small_tiles() {  // several tiles per lane
  ThreadPool pool(2);
  run("adatt-lanes3-tile11", adatt<S>(),
      {.options = {.tile_rows = 11, .lanes = 3, .executor = &pool}});
}

template <class S>
void sgd_momentum() {
  run("adatt-sgd-momentum", adatt<S>(), {}, SGD{.learning_rate = 1e-2, .momentum = 0.9});
}

template <class S>
void adamw() {
  run("adatt-adamw", adatt<S>(), {}, AdamW{});
}

template <class S>
void adagrad() {
  run("adatt-adagrad", adatt<S>(), {}, Adagrad{});
}

template <class S>
void rmsprop() {
  run("adatt-rmsprop", adatt<S>(), {}, RMSprop{.learning_rate = 1e-3});
}

template <class S>
void listwise_groups() {
  run("adatt-listwise-groups", adatt<S>(), {.heads = grouped_heads(), .grouped = true});
}

// ---------------------------------------------------------------------------------------------
// 6. All of it.
// ---------------------------------------------------------------------------------------------

template <class S>
void run_all() {
  run_inputs<S>("inputs-1-slot", 1);
  run_inputs<S>("inputs-3-slots", 3);

  run("single-task", single_task<S>());
  run("shared-bottom", shared_bottom<S>());
  run("asymmetric-concat-stop", asymmetric_concat<S>());
  run("asymmetric-sum-through", asymmetric_sum<S>());
  run("customized-sharing", customized_sharing<S>());
  run("cross-stitch-near-identity", cross_stitch_near_identity<S>());
  run("cross-stitch-uniform-separate", cross_stitch_uniform_separate<S>());
  run("mmoe", mmoe<S>());
  run("ml-mmoe-gate-hidden", ml_mmoe<S>());
  run("cgc", cgc<S>());
  run("ple", ple<S>());
  run("ple-without-shared", ple_without_shared<S>());
  run("adatt-sp", adatt_sp<S>());
  run("adatt", adatt<S>());
  run("adatt-one-each", adatt_one_each<S>());
  run("adatt-no-residual-gelu", adatt_no_residual_gelu<S>());

  expert_dropout<S>();
  auxiliary<S>();
  pcgrad<S>();
  db_mtl<S>();
  uncertainty<S>();
  gradnorm<S>();
  lanes<S>();
  lanes_small_tiles<S>();
  sgd_momentum<S>();
  adamw<S>();
  adagrad<S>();
  rmsprop<S>();
  listwise_groups<S>();

  run_shared_inputs("adatt-shared-inputs", adatt<S>());
  run_shared_inputs("mmoe-shared-inputs", mmoe<S>());
}

int main(int argc, char** argv) {
  if (argc > 1) filter = argv[1];
  std::printf("%s\n", std::string(name(instruction_set())).c_str());
  run_all<float>();
  run_all<double>();
}
