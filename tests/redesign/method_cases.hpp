// What both programs run of the methods: every one for some steps on random gradients or losses, to
// one line of hashes. Each program says in `api` how its headers are used.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plait/core/random.hpp"
#include "redesign/hash.hpp"

namespace redesign {

using plait::Index;

inline void print(const char* name, std::size_t bytes, const Hash& hash) {
  std::printf("%s %zu %016llx\n", name, bytes, static_cast<unsigned long long>(hash.value()));
}

template <class S, class Method>
void balance(const char* name, const Method& method) {
  const Index tasks = 4;
  auto table = std::make_shared<plait::ParamTable>();
  table->add_vector("shared", 50, plait::Init::constant(0));
  table->add_vector("other", 21, plait::Init::constant(0));
  table->add_vector("private", 10, plait::Init::constant(0));
  const std::vector<plait::ParamRange> shared{{0, 64}, {64, 32}};
  auto balancer = api::balancer<S>(method, tasks, table, shared, /*seed=*/3);
  plait::Random random(1);
  Hash hash;
  for (int step = 0; step < 6; ++step) {
    std::vector<plait::ParamBuffer<S>> gradients;
    std::vector<double> losses;
    for (Index t = 0; t < tasks; ++t) {
      gradients.emplace_back(table);
      for (const auto& entry : table->entries())
        for (S& number : gradients.back().of(entry.id)) number = static_cast<S>(random.normal());
      losses.push_back(0.5 + random.uniform());
    }
    if (step == 4) gradients[1].set_zero();
    plait::ParamBuffer<S> out(table);
    balancer.combine(gradients, losses, out);
    hash.add<S>(out.flat());
    hash.add<double>(balancer.weights());
  }
  print(name, sizeof(S), hash);
}

template <class S>
void balance_all() {
  balance<S>("EqualWeights", plait::EqualWeights{});
  balance<S>("PCGrad", plait::PCGrad{});
  balance<S>("GradVac", plait::GradVac{});
  balance<S>("MGDA", plait::MGDA{});
  balance<S>("CAGrad", plait::CAGrad{});
  balance<S>("IMTLG", plait::IMTLG{});
  balance<S>("NashMTL", plait::NashMTL{});
  balance<S>("FairGrad", plait::FairGrad{});
  balance<S>("AlignedMTL", plait::AlignedMTL{});
  balance<S>("UPGrad", plait::UPGrad{});
  balance<S>("DBMTL", plait::DBMTL{});
  balance<S>("GradDrop", plait::GradDrop{});
}

template <class Method>
void weigh(const char* name, const Method& method) {
  const Index tasks = 3;
  auto weighting = api::weighting(method, tasks, /*seed=*/3);
  plait::Random random(2);
  Hash hash;
  for (int step = 0; step < 12; ++step) {
    std::vector<double> losses, norms;
    for (Index t = 0; t < tasks; ++t) {
      losses.push_back(step == 5 && t == 1 ? 0 : 0.5 + random.uniform());
      norms.push_back(0.1 + random.uniform());
    }
    hash.add<double>(weighting.weigh(losses));
    weighting.update(losses, norms);
    if (step % 4 == 3) weighting.end_epoch();
  }
  print(name, sizeof(double), hash);
}

}  // namespace redesign
