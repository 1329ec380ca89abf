// Training from ids by the definitions, slowly: the whole batch at once, the gradient of a table as
// large as the table, rules as loops over numbers. Of plait's own it uses what has no part in rows:
// the network, the losses, the optimizer of the network and the methods.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plait/core/glob.hpp"
#include "plait/core/tensor.hpp"
#include "plait/losses/multi_task_loss.hpp"
#include "plait/methods/gradient_balancer.hpp"
#include "plait/methods/loss_weighting.hpp"
#include "plait/model/model.hpp"
#include "plait/optim/adagrad.hpp"
#include "plait/optim/ftrl.hpp"
#include "plait/optim/optimizer.hpp"
#include "plait/optim/sgd.hpp"
#include "plait/sparse/embedding_tables.hpp"
#include "plait/sparse/lazy_adam.hpp"
#include "plait/sparse/rowwise_adagrad.hpp"
#include "plait/sparse/rowwise_adam.hpp"
#include "plait/train/task_reach.hpp"
#include "sparse/batches.hpp"

namespace sparse_test {

using Numbers = std::vector<double>;

// How a row moves: step number, rate, weight decay, and its numbers.
struct SlowRule {
  Index state_size;  // for rows of `dim` numbers
  std::function<void(double n, double rate, double decay, std::span<double> w,
                     std::span<const double> g, std::span<double> state)>
      move;
};

inline SlowRule slow(const plait::SGD&, Index) {
  return {0, [](double, double rate, double decay, auto w, auto g, auto) {
            for (std::size_t d = 0; d < w.size(); ++d) w[d] -= rate * (g[d] + decay * w[d]);
          }};
}
inline SlowRule slow(const plait::Adagrad& rule, Index dim) {
  return {dim, [=](double n, double rate, double decay, auto w, auto g, auto s) {
            const double decayed = rate / (1 + (n - 1) * rule.learning_rate_decay);
            for (std::size_t d = 0; d < w.size(); ++d) {
              const double q = g[d] + decay * w[d];
              s[d] += q * q;
              w[d] -= decayed * q / (std::sqrt(s[d]) + rule.epsilon);
            }
          }};
}
inline SlowRule slow(const plait::RowwiseAdagrad& rule, Index) {
  return {1, [=](double, double rate, double decay, auto w, auto g, auto m) {
            const bool l2 = rule.decay == plait::RowDecay::l2;
            double squares = 0;
            for (std::size_t d = 0; d < w.size(); ++d)
              squares += std::pow(g[d] + (l2 ? decay * w[d] : 0), 2);
            m[0] += squares / static_cast<double>(w.size());
            const double k = rate / (std::sqrt(m[0]) + rule.epsilon);
            for (std::size_t d = 0; d < w.size(); ++d)
              w[d] = (1 - (l2 ? k : rate) * decay) * w[d] - k * g[d];
          }};
}
inline SlowRule slow(const plait::LazyAdam& rule, Index dim) {
  return {2 * dim, [=](double n, double rate, double decay, auto w, auto g, auto state) {
            const auto m = state.first(w.size()), v = state.subspan(w.size());
            for (std::size_t d = 0; d < w.size(); ++d) {
              m[d] += (1 - rule.beta1) * (g[d] - m[d]);
              v[d] += (1 - rule.beta2) * (g[d] * g[d] - v[d]);
              w[d] *= 1 - rate * decay;
              w[d] -= rate * std::sqrt(1 - std::pow(rule.beta2, n)) /
                      (1 - std::pow(rule.beta1, n)) * m[d] / (std::sqrt(v[d]) + rule.epsilon);
            }
          }};
}
inline SlowRule slow(const plait::RowwiseAdam& rule, Index dim) {
  return {dim + 1, [=](double n, double rate, double decay, auto w, auto g, auto state) {
            double& v = state[w.size()];
            double squares = 0;
            for (const double number : g) squares += number * number;
            v = rule.beta2 * v + (1 - rule.beta2) * squares / static_cast<double>(w.size());
            for (std::size_t d = 0; d < w.size(); ++d) {
              state[d] = rule.beta1 * state[d] + (1 - rule.beta1) * g[d];
              w[d] -= rate * (state[d] / (1 - std::pow(rule.beta1, n)) /
                                  (std::sqrt(v / (1 - std::pow(rule.beta2, n))) + rule.epsilon) +
                              decay * w[d]);
            }
          }};
}
inline SlowRule slow(const plait::FTRL& rule, Index dim) {
  return {2 * dim, [=](double, double rate, double decay, auto w, auto g, auto state) {
            const auto sign = [](double x) { return static_cast<double>((x > 0) - (x < 0)); };
            for (std::size_t d = 0; d < w.size(); ++d) {
              double& z = state[d];
              double& a = state[w.size() + d];
              const double q = g[d] + decay * w[d];
              if (a == 0) z = -w[d] * (rule.beta / rate + rule.l2) - sign(w[d]) * rule.l1;
              z += q - (std::sqrt(a + q * q) - std::sqrt(a)) / rate * w[d];
              a += q * q;
              w[d] = std::abs(z) <= rule.l1
                         ? 0
                         : -(z - sign(z) * rule.l1) / ((rule.beta + std::sqrt(a)) / rate + rule.l2);
            }
          }};
}

struct SlowOptions {
  plait::OptimizerOptions optimizer = {};  // of both: clipping, schedule; groups of the network
  std::vector<plait::ParamSettings> tables = {};
  plait::ExpertDropout dropout = {};
};

class SlowTrainer {
 public:
  template <class R>
  SlowTrainer(const plait::Model<double>& from, const plait::EmbeddingTables<double>& tables,
              std::vector<plait::Head> heads, const plait::Rule<double>& rule, const R& row_rule,
              SlowOptions options)
      : model(from),
        config_(tables.config()),
        loss_(std::move(heads)),
        optimizer_(from.values().shared_table(), rule,
                   {options.optimizer.groups, options.optimizer.schedule, {}}),
        options_(std::move(options)),
        shared_(plait::TaskReach(from.network(), from.table(), loss_.heads()).shared()) {
    for (Index t = 0; t < tables.num_tables(); ++t) {
      const auto of_table = tables.values(t);
      values.emplace_back(of_table.begin(), of_table.end());
      rules_.push_back(slow(row_rule, table(t).dim));
      state.emplace_back(static_cast<std::size_t>(table(t).rows * rules_.back().state_size), 0.0);
    }
    for (Index f = 0; f < tables.layout().num_features(); ++f) {
      table_of_.push_back(tables.layout().table_of(f));
      first_column_.push_back(tables.layout().first_column(f));
    }
    width_ = tables.width();
  }

  // One step, by a weighting or a balancer where there is one; returns the total loss before it.
  double step(const Batch<double>& batch, const plait::Targets<double>& targets,
              plait::LossWeighting* weighting = nullptr,
              plait::GradientBalancer<double>* balancer = nullptr) {
    const Index rows = batch.rows();
    plait::Tensor<double> x(rows, 1, width_), y(rows, 1, loss_.width()), dy(rows, 1, loss_.width());
    look_up(batch, x);
    Numbers normaliser;
    loss_.normaliser(targets, normaliser);
    if (std::ranges::all_of(normaliser, [](double mass) { return mass == 0; })) return 0;

    plait::ForwardOptions forward{options_.dropout};
    forward.expert_dropout.step = optimizer_.steps();
    plait::Sequential<double>::Workspace workspace;
    plait::Scratch scratch;
    model.network().forward(model.values(), x, y, &workspace, scratch, forward);

    const auto tasks = static_cast<std::size_t>(loss_.num_tasks());
    Numbers losses(tasks, 0.0);
    std::vector<plait::ParamBuffer<double>> gradients;
    std::vector<plait::Tensor<double>> dxs;
    for (std::size_t t = 0; t < tasks; ++t) {
      loss_.evaluate_task(static_cast<Index>(t), y, targets, normaliser, dy, losses);
      gradients.emplace_back(model.values().shared_table());
      dxs.emplace_back(rows, 1, width_);
      model.network().backward(model.values(), x, y, dy, dxs.back(), workspace,
                               plait::GradView<double>(gradients.back().flat().data()), scratch);
    }
    const double total = loss_.total(losses);
    for (std::size_t t = 0; t < tasks; ++t) losses[t] *= loss_.heads()[t].weight;

    plait::ParamBuffer<double> gradient(model.values().shared_table());
    Numbers weights(tasks, 1.0);
    if (balancer != nullptr) {
      balancer->combine(gradients, losses, gradient);
    } else {
      Numbers norms;
      for (const auto& of_task : gradients) norms.push_back(std::sqrt(squares(of_task)));
      if (weighting != nullptr) {
        const auto given = weighting->weigh(losses);
        weights.assign(given.begin(), given.end());
        weighting->update(losses, norms);
      }
      for (std::size_t t = 0; t < tasks; ++t)
        for (std::size_t i = 0; i < gradient.flat().size(); ++i)
          gradient.flat()[i] += weights[t] * gradients[t].flat()[i];
    }
    plait::Tensor<double> dx(rows, 1, width_);
    for (std::size_t t = 0; t < tasks; ++t)
      for (Index i = 0; i < rows * width_; ++i)
        dx.view().data()[i] += weights[t] * dxs[t].view().data()[i];
    move(gradient, row_gradients(batch, dx));
    return total;
  }

  plait::Model<double> model;
  std::vector<Numbers> values;  // [tables]
  std::vector<Numbers> state;

 private:
  const plait::TableConfig& table(Index t) const {
    return config_.tables[static_cast<std::size_t>(t)];
  }

  double squares(const plait::ParamBuffer<double>& gradient) const {
    double sum = 0;
    for (const plait::ParamRange& range : shared_)
      for (Index i = 0; i < range.size; ++i)
        sum += std::pow(gradient.flat()[static_cast<std::size_t>(range.offset + i)], 2);
    return sum;
  }

  // run(row b, column, table, first number of the table's row, coefficient) for every id.
  template <class Run>
  void for_each_id(const Batch<double>& batch, const Run& run) const {
    for (std::size_t f = 0; f < config_.features.size(); ++f) {
      const Bags& bags = batch.bags()[f];
      for (Index b = 0; b < batch.rows(); ++b) {
        const auto row = static_cast<std::size_t>(b);
        const std::size_t begin =
            bags.offsets.empty() ? row : static_cast<std::size_t>(bags.offsets[row]);
        const std::size_t end =
            bags.offsets.empty() ? row + 1 : static_cast<std::size_t>(bags.offsets[row + 1]);
        for (std::size_t i = begin; i < end; ++i) {
          double coefficient = bags.weights.empty() ? 1 : double{bags.weights[i]};
          if (config_.features[f].pooling == plait::Pooling::mean)
            coefficient = 1 / static_cast<double>(end - begin);
          const auto t = static_cast<std::size_t>(table_of_[f]);
          run(b, first_column_[f], t,
              static_cast<std::size_t>(bags.ids[i]) *
                  static_cast<std::size_t>(config_.tables[t].dim),
              coefficient);
        }
      }
    }
  }

  void look_up(const Batch<double>& batch, plait::View3<double> x) const {
    for (Index b = 0; b < batch.rows(); ++b)
      for (Index c = 0; c < batch.dense().cols(); ++c) x(b, 0, c) = batch.dense()(b, c);
    for_each_id(batch, [&](Index b, Index column, std::size_t t, std::size_t at, double c) {
      for (Index d = 0; d < config_.tables[t].dim; ++d)
        x(b, 0, column + d) += c * values[t][at + static_cast<std::size_t>(d)];
    });
  }

  // [tables], and the rows that were named.
  struct RowGradients {
    std::vector<Numbers> numbers;
    std::vector<std::vector<bool>> named;
  };
  RowGradients row_gradients(const Batch<double>& batch, plait::View3<const double> dx) const {
    RowGradients result;
    for (const Numbers& of_table : values) {
      result.numbers.emplace_back(of_table.size(), 0.0);
      result.named.emplace_back(of_table.size(), false);
    }
    for_each_id(batch, [&](Index b, Index column, std::size_t t, std::size_t at, double c) {
      result.named[t][at] = true;
      for (Index d = 0; d < config_.tables[t].dim; ++d)
        result.numbers[t][at + static_cast<std::size_t>(d)] += c * dx(b, 0, column + d);
    });
    return result;
  }

  void move(plait::ParamBuffer<double>& gradient, RowGradients rows) {
    const double factor = options_.optimizer.schedule.factor(optimizer_.steps());
    if (options_.optimizer.clip_norm) {
      double squares = 0;
      for (const plait::ParamEntry& entry : gradient.table().entries())
        if (!is_frozen(entry.name))
          for (const double g : gradient.of(entry.id)) squares += g * g;
      for (std::size_t t = 0; t < values.size(); ++t)
        if (!options_.tables[t].frozen)
          for (const double g : rows.numbers[t]) squares += g * g;
      const double scale =
          std::min(1.0, *options_.optimizer.clip_norm / (std::sqrt(squares) + 1e-6));
      for (double& g : gradient.flat()) g *= scale;
      for (Numbers& of_table : rows.numbers)
        for (double& g : of_table) g *= scale;
    }
    plait::ParamBuffer<double> moved = model.values();
    optimizer_.step(moved, gradient);
    model.load(moved);
    for (std::size_t t = 0; t < values.size(); ++t) {
      if (options_.tables[t].frozen) continue;
      const auto dim = static_cast<std::size_t>(config_.tables[t].dim);
      const auto size = static_cast<std::size_t>(rules_[t].state_size);
      for (std::size_t at = 0; at < values[t].size(); at += dim)
        if (rows.named[t][at])
          rules_[t].move(static_cast<double>(optimizer_.steps()),
                         options_.tables[t].learning_rate * factor, options_.tables[t].weight_decay,
                         std::span(values[t]).subspan(at, dim),
                         std::span<const double>(rows.numbers[t]).subspan(at, dim),
                         std::span(state[t]).subspan(at / dim * size, size));
    }
  }

  bool is_frozen(const std::string& name) const {
    bool frozen = false;
    for (const plait::ParamGroup& group : options_.optimizer.groups)
      if (plait::glob_match(group.pattern, name)) frozen = group.frozen.value_or(frozen);
    return frozen;
  }

  plait::EmbeddingConfig config_;
  plait::MultiTaskLoss<double> loss_;
  plait::Optimizer<double> optimizer_;
  SlowOptions options_;
  std::vector<plait::ParamRange> shared_;
  std::vector<SlowRule> rules_;
  std::vector<Index> table_of_, first_column_;
  Index width_ = 0;
};

}  // namespace sparse_test
