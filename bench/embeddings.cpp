// Tables: 26 of them, 1 GiB together, one feature each, uniform ids.
//
//   lookup/<dim>/<bag>/<batch>/plait    sums of every feature's bags into the network's input
//   lookup/<dim>/<bag>/<batch>/bytes    the same from rows of 8 bits
//   lookup/<dim>/<bag>/<batch>/gather   the floor: the rows are read where they lie and added up
//                                       (of bags of one: copied), by the plainest loop there is
//   lookup/<dim>/<bag>/<batch>/torch    nn.EmbeddingBag per feature and a concatenation
//
//   step/<dim>/<bag>/<batch>/rowwise    lookup, sort, sum and row-wise Adagrad of what was touched
//   step/<dim>/<bag>/<batch>/adagrad    the same with Adagrad, a state as large as the tables
//   step/<dim>/<bag>/<batch>/lazy_adam  the same with LazyAdam, two of them
//   step/<dim>/<bag>/<batch>/torch      EmbeddingBag(sparse=True) forward, backward and Adagrad
//
//   adatt/<batch>/features              a training step of the reference AdaTT on 16 features of 16
//   adatt/<batch>/dense                 the same on a dense input, its gradient computed as well
//
//   request/<candidates>/once           looking up 8 features of the user once and 8 of the items
//   request/<candidates>/per_row        looking up all 16 for every candidate
//
// Ids of eight batches by turns, so that the rows of small batches are not in the nearest cache.
// Bytes are those of the rows that are read, and for steps read and written.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/random.hpp"
#include "plait/embeddings.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/agree.hpp"
#include "support/contest.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/program.hpp"
#include "support/torch_embeddings.hpp"
#include "support/torch_models.hpp"

namespace {

using namespace bench;
using Tables = plait::EmbeddingTables<float>;

constexpr Index num_features = 26;
constexpr std::size_t num_batches = 8;
constexpr double rate = 0.05;

Index rows_of(Index dim) { return (Index{1} << 30) / (num_features * dim * 4); }

plait::EmbeddingConfig config_of(Index dim) {
  plait::EmbeddingConfig config;
  for (Index f = 0; f < num_features; ++f) {
    config.tables.push_back({.name = std::to_string(f), .rows = rows_of(dim), .dim = dim});
    config.features.push_back({.name = std::to_string(f)});
  }
  return config;
}

struct Ids {
  Ids(Index features, Index rows, Index batch, Index bag, std::uint64_t seed) : size(batch) {
    plait::Random random(seed);
    for (Index f = 0; f < features; ++f) {
      ids.emplace_back();
      for (Index i = 0; i < batch * bag; ++i)
        ids.back().push_back(random.bits() % static_cast<std::uint64_t>(rows));
    }
    for (Index b = 0; bag > 1 && b <= batch; ++b) offsets.push_back(b * bag);
    for (const auto& of_feature : ids) bags.push_back({of_feature, offsets});
  }
  plait::FeatureBatch<float> view() const { return {{size, bags}, {}}; }

  Index size;
  BagIds ids;
  std::vector<std::int64_t> offsets;
  std::vector<plait::SparseFeature> bags;
};

std::vector<Ids> some_batches(Index features, Index rows, Index batch, Index bag) {
  std::vector<Ids> batches;
  for (std::size_t i = 0; i < num_batches; ++i)
    batches.emplace_back(features, rows, batch, bag, 10 + i);
  return batches;
}

// 0 to num_batches - 1, over and over.
class Turn {
 public:
  std::size_t operator()() { return next_++ % num_batches; }

 private:
  std::size_t next_ = 0;
};

// The rows of a batch, read where they lie.
void gather(const Tables& tables, const Ids& batch, Index bag, plait::Matrix<float>& x) {
  const Index dim = tables.layout().table(0).dim;
  for (Index f = 0; f < num_features; ++f) {
    const float* table = tables.values(f).data();
    const auto& ids = batch.ids[static_cast<std::size_t>(f)];
    for (Index b = 0; b < batch.size; ++b) {
      float* to = x.row(b).data() + f * dim;
      const auto row = [&](Index i) {
        return Eigen::Map<const Eigen::ArrayXf>(
            table + static_cast<Index>(ids[static_cast<std::size_t>(b * bag + i)]) * dim, dim);
      };
      Eigen::Map<Eigen::ArrayXf> sum(to, dim);
      sum = row(0);
      for (Index i = 1; i < bag; ++i) sum += row(i);
    }
  }
}

// Bytes of rows that a batch names.
double row_bytes(Index dim, Index bag, Index batch) {
  return static_cast<double>(num_features * batch * bag * dim) * sizeof(float);
}

Cell look_up(Index dim, Index bag, Index batch) {
  const auto tables = std::make_shared<Tables>(config_of(dim), /*seed=*/1);
  const auto batches =
      std::make_shared<std::vector<Ids>>(some_batches(num_features, rows_of(dim), batch, bag));
  const auto bytes = std::make_shared<plait::ServingTables<float>>(
      plait::ServingTables<float>::quantised(*tables));
  const auto x = std::make_shared<plait::Matrix<float>>(batch, tables->width());
  plait::Matrix<float> expected(batch, tables->width());
  gather(*tables, batches->front(), bag, expected);
  tables->lookup(batches->front().view(), *x);
  require_agreement("lookup", *x, expected, 1e-5);
  bytes->lookup(bytes->layout(), batches->front().view(), *x);
  require_agreement("lookup of bytes", *x, expected, 1e-2);

  Cell cell;
  cell.demand = {.bytes = row_bytes(dim, bag, batch), .working_set = 1 << 30};
  cell.calls.push_back(
      [=, turn = Turn()]() mutable { tables->lookup((*batches)[turn()].view(), *x); });
  cell.calls.push_back([=, turn = Turn()]() mutable {
    bytes->lookup(bytes->layout(), (*batches)[turn()].view(), *x);
  });
  cell.calls.push_back(
      [=, turn = Turn()]() mutable { gather(*tables, (*batches)[turn()], bag, *x); });
  if constexpr (has_torch) {
    const auto theirs = std::make_shared<TorchTables>(num_features, rows_of(dim), dim, rate);
    for (Index f = 0; f < num_features; ++f)
      for (const std::uint64_t id : batches->front().ids[static_cast<std::size_t>(f)])
        theirs->set_row(static_cast<int>(f), static_cast<std::int64_t>(id),
                        tables->row(f, static_cast<Index>(id)).data());
    const auto their_batches =
        std::make_shared<std::vector<std::shared_ptr<const TorchTables::Batch>>>();
    for (const Ids& ids : *batches) their_batches->push_back(theirs->batch(ids.ids, bag));
    require_agreement("LibTorch's lookup", theirs->lookup(*their_batches->front()), expected, 1e-5);
    cell.calls.push_back(
        [=, turn = Turn()]() mutable { theirs->look_up(*(*their_batches)[turn()]); });
  }
  return cell;
}

// Tables with a rule, and the gradient of their sums.
struct Moved {
  Moved(Index dim, Index batch, plait::RowRule<float> rule)
      : tables(Tables::zeros(config_of(dim))), optimizer(tables, std::move(rule)) {
    for (Index t = 0; t < num_features; ++t) {  // all pages are there before anything is timed
      std::ranges::fill(tables.values(t), 0.5F);
      std::ranges::fill(optimizer.state(t), 0.0F);
    }
    const plait::View3<float> to = optimizer.gradient(batch);
    const plait::Matrix<float> dy = random_matrix(batch, tables.width());
    plait::kernels::copy<float>(dy, to);
  }
  void step(const Ids& batch, plait::Matrix<float>& x) {
    const plait::FeatureBatch<float> view = batch.view();
    const Index end = batch.size;
    optimizer.lookup(view, x);
    optimizer.finish_rows(view, optimizer.gradient(batch.size));
    optimizer.collect(view, {&end, 1}, nullptr);
    optimizer.move({.number = ++steps}, nullptr);
  }

  Tables tables;
  plait::TableOptimizer<float> optimizer;
  Index steps = 0;
};

Cell move(Index dim, Index bag, Index batch) {
  const auto batches =
      std::make_shared<std::vector<Ids>>(some_batches(num_features, rows_of(dim), batch, bag));
  const auto x = std::make_shared<plait::Matrix<float>>(batch, num_features * dim);
  const auto dy = std::make_shared<plait::Matrix<float>>(random_matrix(batch, num_features * dim));
  Cell cell;
  cell.demand = {.bytes = 2 * row_bytes(dim, bag, batch), .working_set = 1 << 30};
  std::vector<std::shared_ptr<Moved>> ours;
  for (const plait::RowRule<float>& rule :
       {plait::RowRule<float>(plait::RowwiseAdagrad{.learning_rate = rate}),
        plait::RowRule<float>(plait::Adagrad{.learning_rate = rate}),
        plait::RowRule<float>(plait::LazyAdam{})}) {
    const auto moved = std::make_shared<Moved>(dim, batch, rule);
    ours.push_back(moved);
    cell.calls.push_back([=, turn = Turn()]() mutable { moved->step((*batches)[turn()], *x); });
  }
  if constexpr (has_torch) {
    const auto theirs = std::make_shared<TorchTables>(num_features, rows_of(dim), dim, rate);
    theirs->fill(0.5F);
    const auto their_batches =
        std::make_shared<std::vector<std::shared_ptr<const TorchTables::Batch>>>();
    for (const Ids& ids : *batches) their_batches->push_back(theirs->batch(ids.ids, bag));
    for (std::size_t i = 0; i < 2; ++i) {
      ours[1]->step((*batches)[i], *x);
      theirs->step(*(*their_batches)[i], *dy);
    }
    const auto id = static_cast<Index>(batches->front().ids[0][0]);
    const plait::Matrix<float> row =
        Eigen::Map<const plait::Matrix<float>>(ours[1]->tables.row(0, id).data(), 1, dim);
    require_agreement("a row after two steps", row, theirs->row(0, id), 1e-4);
    cell.calls.push_back(
        [=, turn = Turn()]() mutable { theirs->step(*(*their_batches)[turn()], *dy); });
  }
  return cell;
}

// A dense input as tables would be: copied, its gradient computed and thrown away.
class DenseInput final : public plait::InputTables<float> {
 public:
  explicit DenseInput(Index width) : width_(width) {}
  Index width() const override { return width_; }
  void check(const plait::FeatureBatch<float>&, const char*) const override {}
  void lookup(const plait::FeatureBatch<float>& batch, plait::View3<float> x) const override {
    plait::kernels::copy<float>(batch.dense, x);
  }
  plait::View3<float> gradient(Index batch) override {
    dx_.resize(batch, 1, width_);
    return dx_;
  }
  double finish_rows(const plait::FeatureBatch<float>&, plait::View3<float>) const override {
    return 0;
  }
  void collect(const plait::FeatureBatch<float>&, std::span<const Index>,
               plait::Executor*) override {}
  bool has_finite_norm(double, plait::Executor*) override { return true; }
  double squared_norm(plait::Executor*) override { return 0; }
  bool move(const plait::TableStep&, plait::Executor*) override { return true; }
  void settings(plait::FieldVisitor&) const override {}
  std::vector<plait::TableNumbers<float>> numbers() override { return {}; }
  std::string_view rule_name() const override { return {}; }
  void mark_moved(std::shared_ptr<const void>) override {}
  const std::shared_ptr<const void>& marked_since() const override { return none_; }

 private:
  std::shared_ptr<const void> none_;
  Index width_;
  plait::Tensor<float> dx_;
};

Reference adatt() {
  for (const Reference& reference : all_references())
    if (reference.architecture == Architecture::adatt) return reference;
  throw std::runtime_error("no AdaTT among the reference models");
}

Cell train_adatt(Index batch) {
  constexpr Index features = 16;
  static_assert(features * 16 == sizes::input);
  plait::EmbeddingConfig config;
  for (Index f = 0; f < features; ++f) {
    config.tables.push_back({.name = std::to_string(f), .rows = 100000, .dim = 16});
    config.features.push_back({.name = std::to_string(f)});
  }
  struct Sides {
    Sides(plait::EmbeddingConfig c, plait::Model<float> m)
        : tables(std::move(c), 1), model(m), dense_model(std::move(m)) {}
    Tables tables;
    plait::TableOptimizer<float> rows{tables, plait::RowwiseAdagrad{}};
    DenseInput input{sizes::input};
    plait::Model<float> model;
    plait::Model<float> dense_model;
    std::vector<plait::Head> heads = std::vector<plait::Head>(sizes::tasks);
    plait::Trainer<float> trainer{model, rows, heads, plait::Adam{}};
    plait::Trainer<float> dense_trainer{dense_model, input, heads, plait::Adam{}};
  };
  const auto sides = std::make_shared<Sides>(std::move(config), adatt().model());
  const auto batches = std::make_shared<std::vector<Ids>>(some_batches(features, 100000, batch, 1));
  const auto x = std::make_shared<plait::Matrix<float>>(random_matrix(batch, sizes::input));
  const auto labels = std::make_shared<plait::Matrix<float>>(random_labels(batch));
  Cell cell;
  cell.demand = {.flops = 2 * adatt().work.training() * static_cast<double>(batch),
                 .working_set = 1 << 25};
  cell.calls.push_back(
      [=, turn = Turn()]() mutable { sides->trainer.step((*batches)[turn()].view(), *labels); });
  cell.calls.push_back([=] {
    sides->dense_trainer.step(plait::FeatureBatch<float>{plait::SparseBatch(batch, {}), *x},
                              *labels);
  });
  return cell;
}

Cell request(Index candidates) {
  constexpr Index each = 8;
  plait::EmbeddingConfig config;
  for (Index f = 0; f < 2 * each; ++f) {
    config.tables.push_back({.name = std::to_string(f), .rows = 200000, .dim = 32});
    config.features.push_back(
        {.name = std::to_string(f), .side = f < each ? plait::Side::user : plait::Side::item});
  }
  const auto tables = std::make_shared<Tables>(config, 1);
  const auto user = std::make_shared<std::vector<Ids>>(some_batches(each, 200000, 1, 20));
  const auto items = std::make_shared<std::vector<Ids>>(some_batches(each, 200000, candidates, 1));
  // The user's bags again for every candidate.
  struct Whole {
    std::vector<std::vector<std::uint64_t>> ids;
    std::vector<std::int64_t> offsets;
    std::vector<plait::SparseFeature> bags;
  };
  const auto whole = std::make_shared<std::vector<Whole>>(num_batches);
  for (std::size_t i = 0; i < num_batches; ++i) {
    Whole& w = (*whole)[i];
    for (Index b = 0; b <= candidates; ++b) w.offsets.push_back(b * 20);
    for (const auto& bag : (*user)[i].ids) {
      w.ids.emplace_back();
      for (Index b = 0; b < candidates; ++b)
        w.ids.back().insert(w.ids.back().end(), bag.begin(), bag.end());
    }
    for (const auto& ids : w.ids) w.bags.push_back({ids, w.offsets});
    for (const auto& bag : (*items)[i].bags) w.bags.push_back(bag);
  }
  const auto layout = std::make_shared<plait::EmbeddingLayout>(tables->layout());
  const auto user_layout =
      std::make_shared<plait::EmbeddingLayout>(layout->part(plait::Side::user));
  const auto item_layout =
      std::make_shared<plait::EmbeddingLayout>(layout->part(plait::Side::item));
  const auto serving = std::make_shared<plait::ServingTables<float>>(tables);
  const auto of_user = std::make_shared<plait::Matrix<float>>(1, user_layout->width());
  const auto of_items = std::make_shared<plait::Matrix<float>>(candidates, item_layout->width());
  const auto of_rows = std::make_shared<plait::Matrix<float>>(candidates, layout->width());
  Cell cell;
  cell.demand = {.bytes = static_cast<double>(candidates * each * 32) * sizeof(float),
                 .working_set = 1 << 28};
  cell.calls.push_back([=, turn = Turn()]() mutable {
    const std::size_t i = turn();
    serving->lookup(*user_layout, (*user)[i].view(), *of_user);
    serving->lookup(*item_layout, (*items)[i].view(), *of_items);
  });
  cell.calls.push_back([=, turn = Turn()]() mutable {
    serving->lookup(*layout, {{candidates, (*whole)[turn()].bags}, {}}, *of_rows);
  });
  return cell;
}

void add_contests() {
  stay_on_one_core();
  std::vector<std::string> lookups = {"plait", "bytes", "gather"};
  std::vector<std::string> steps = {"rowwise", "adagrad", "lazy_adam"};
  if constexpr (has_torch) {
    benchmark::AddCustomContext("torch", prepare_torch(measure_peak<float>()));
    lookups.push_back("torch");
    steps.push_back("torch");
  }
  for (const Index dim : {16, 32, 64, 128})
    for (const Index bag : {1, 20})
      for (const Index batch : {256, 1024, 4096}) {
        const std::string sizes =
            std::to_string(dim) + "/" + std::to_string(bag) + "/" + std::to_string(batch);
        add_contest("lookup/" + sizes, lookups, [=] { return look_up(dim, bag, batch); });
        add_contest("step/" + sizes, steps, [=] { return move(dim, bag, batch); });
      }
  for (const Index batch : {256, 1024, 4096})
    add_contest("adatt/" + std::to_string(batch), {"features", "dense"},
                [=] { return train_adatt(batch); });
  add_contest("request/200", {"once", "per_row"}, [] { return request(200); });
}

}  // namespace

int main(int argc, char** argv) { return bench::run(argc, argv, add_contests); }
