// StaticChoice: what DSelect-k gates of static routing, whose choice is a parameter, pay until they
// have chosen, and for codes that are no expert's: layers/dselect_penalty.hpp has the terms.
//
//   Ω = Σ over selectors (λ Σ_e -r(e) ln(r(e) + 10⁻⁶) + ρ / Σ_e r(e))
//
// The number of experts and γ are to be those of the gates. Gates that choose per example pay by
// the row, which is a term of data. Products are computed in the scalar.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "plait/core/error.hpp"
#include "plait/core/fields.hpp"
#include "plait/kernels/dselect.hpp"
#include "plait/kernels/reduce.hpp"
#include "plait/layers/dselect_penalty.hpp"
#include "plait/penalties/penalty.hpp"

namespace plait {

struct StaticChoice {
  double entropy = 0;    // λ
  double reachable = 1;  // ρ
  Index num_experts = 0;
  double gamma = 1;
  std::string parameters = "*.z";

  static constexpr std::string_view name = "StaticChoice";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("entropy", entropy);
    visit("reachable", reachable);
    visit("num_experts", num_experts);
    visit("gamma", gamma);
    visit("parameters", parameters);
  }
  // Throws ConfigError for choices among another number of experts.
  void validate(PenaltyParams of) const {
    detail::require_penalty_weight("StaticChoice", "entropy", entropy);
    detail::require_penalty_weight("StaticChoice", "reachable", reachable);
    require_config(gamma >= 1e-6 && gamma <= 1e6, "StaticChoice", "gamma", text(gamma),
                   "from 1e-6 to 1e6");
    require_config(num_experts >= 2 && num_experts <= 1'000'000, "StaticChoice", "num_experts",
                   text(num_experts), "2 to 1000000");
    for (const ParamId id : of)
      require_config(id.cols == kernels::code_bits(num_experts), "StaticChoice", "parameters",
                     text(id.cols, " numbers a selector"),
                     text(kernels::code_bits(num_experts), ", of ", num_experts, " experts"));
  }
  template <class S>
  double add(PenaltyParams of, const ParamBuffer<S>& theta, ParamBuffer<S>& gradient,
             std::span<const double>, Scratch& scratch) const {
    double value = 0;
    for (const ParamId id : of) {
      const Scratch::Frame frame(scratch);
      const auto dz = scratch.take<S>(1, 1, id.size());
      value += dselect_penalty<S>({.entropy = entropy, .reachable = reachable}, num_experts,
                                  static_cast<S>(gamma), {theta.of(id).data(), 1, 1, id.size()}, dz,
                                  scratch);
      kernels::add(id.size(), dz.data(), gradient.of(id).data());
    }
    return value;
  }
};

}  // namespace plait
