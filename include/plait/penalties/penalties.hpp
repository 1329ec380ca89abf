// Penalties: those of one model, by name, with what they remember and what they last were.
//
//   Penalties<float> penalties(model.values().shared_table(),
//                              {{"sparse connections", L0{.weight = 1e-4}}});
//   trainer.set_penalties(&penalties);
//
// A part of a checkpoint (io/checkpoint_part.hpp). A value. Not thread-safe. add and update
// allocate in their first call only, but for what a penalty's header says.
#pragma once
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/core/glob.hpp"
#include "plait/core/param_buffer.hpp"
#include "plait/core/representable.hpp"
#include "plait/core/scratch.hpp"
#include "plait/methods/method_state.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

struct NamedPenalty {
  std::string name;
  Penalty penalty;
};

template <class Scalar_>
class Penalties {
 public:
  using Scalar = Scalar_;

  // Throws ConfigError for a name that is empty or there twice, a pattern that no parameter's name
  // matches, settings that Scalar cannot hold, and what a penalty refuses.
  PLAIT_COLD Penalties(std::shared_ptr<const ParamTable> table, std::vector<NamedPenalty> penalties)
      : table_(std::move(table)) {
    for (NamedPenalty& named : penalties) {
      require_config(!named.name.empty(), "Penalties", "name", in_quotes(named.name),
                     "one that is not empty");
      for (const Term& other : terms_)
        require_config(named.name != other.name, "Penalties", "name", in_quotes(named.name),
                       "one that is not taken");
      Term term{std::move(named.name), std::move(named.penalty), {}, {}, {}};
      for (const ParamEntry& entry : table_->entries())
        if (glob_match(term.penalty.parameters(), entry.name)) term.of.push_back(entry.id);
      require_config(!term.of.empty(), "Penalties", "parameters of " + in_quotes(term.name),
                     in_quotes(term.penalty.parameters()), "a pattern that matches a parameter");
      detail::RepresentableFields<Scalar> representable("Penalties");
      representable.of(" of " + in_quotes(term.name));
      term.penalty.settings(representable);
      term.penalty.validate(term.of);
      const std::vector<double> numbers = term.penalty.initial_numbers(term.of);
      term.first_number = state_.numbers.size();
      term.numbers = numbers.size();
      state_.numbers.insert(state_.numbers.end(), numbers.begin(), numbers.end());
      terms_.push_back(std::move(term));
    }
    values_.resize(terms_.size());
  }

  const std::shared_ptr<const ParamTable>& shared_table() const { return table_; }
  Index size() const { return std::ssize(terms_); }
  const std::string& name(Index k) const { return at(k).name; }
  // Ω_k as they last were, weights included; 0 before the first add.
  std::span<const double> values() const { return values_; }

  // Returns Σ_k Ω_k(theta), and adds its gradient. Throws ShapeError for buffers of other
  // parameters. A value that is not finite is returned as it is; what it added, Trainer::apply
  // refuses.
  double add(const ParamBuffer<Scalar>& theta, ParamBuffer<Scalar>& gradient) {
    check(theta, "theta");
    check(gradient, "gradient");
    double total = 0;
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      const Term& term = terms_[k];
      values_[k] = term.penalty.add(term.of, theta, gradient, numbers_of(term), scratch_);
      total += values_[k];
    }
    return total;
  }
  // After a step, with the parameters that it has led to.
  void update(const ParamBuffer<Scalar>& theta) {
    check(theta, "theta");
    ++state_.steps;
    for (const Term& term : terms_)
      term.penalty.update(term.of, theta, state_.steps, numbers_of(term), scratch_);
  }

  // Steps, and the numbers of all, one penalty after the other.
  const MethodState& state() const { return state_; }
  // Goes on from a state of the same penalties. Throws ConfigError for one of more or fewer
  // numbers, numbers that are not finite and steps that are no count; nothing has changed then.
  void restore(MethodState state) {
    require_config(state.numbers.size() == state_.numbers.size(), "Penalties", "numbers",
                   text(state.numbers.size()), text(state_.numbers.size()));
    require_config(state.steps >= 0 && state.steps <= largest_count, "Penalties", "steps",
                   text(state.steps), "a count up to 2^53");
    for (const double number : state.numbers)
      require_config(std::isfinite(number), "Penalties", "numbers", text(number), "finite ones");
    state_ = std::move(state);
  }

  // What training depends on, by name, to be read: what a checkpoint compares.
  PLAIT_COLD void settings(FieldVisitor& visit) const {
    for (const Term& term : terms_) {
      Settings fields{term.penalty};
      visit(term.name.c_str(), fields);
    }
  }

 private:
  struct Term {
    std::string name;
    Penalty penalty;
    std::vector<ParamId> of;
    std::size_t first_number, numbers;  // of the state's
  };
  struct Settings {
    const Penalty& penalty;
    void fields(FieldVisitor& visit) {
      std::string kind(penalty.name());
      visit("penalty", kind);
      penalty.settings(visit);
    }
  };

  std::span<double> numbers_of(const Term& term) {
    return std::span(state_.numbers).subspan(term.first_number, term.numbers);
  }
  const Term& at(Index k) const { return terms_[static_cast<std::size_t>(k)]; }
  void check(const ParamBuffer<Scalar>& buffer, const char* argument) const {
    require_schema("Penalties", argument, buffer.shared_table(), table_);
  }

  std::shared_ptr<const ParamTable> table_;
  std::vector<Term> terms_;
  std::vector<double> values_;
  MethodState state_;
  Scratch scratch_;
};

}  // namespace plait
