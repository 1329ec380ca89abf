// Which set runs, and what a limit changes and leaves.
#include "plait/core/instruction_set.hpp"

#include <algorithm>
#include <memory>

#include "plait/kernels/linear.hpp"
#include "plait/kernels/packed_weights.hpp"
#include "support/catch.hpp"
#include "support/data.hpp"
#include "support/models.hpp"
#include "support/score.hpp"

namespace {

using namespace plait;

constexpr auto all_sets = {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512};

// The set that ran before runs again afterwards.
class Restored {
 public:
  Restored() = default;
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;
  ~Restored() { limit_instruction_set(before_); }

 private:
  InstructionSet before_ = instruction_set();
};

// One weight [37, 29], packed for the set that runs.
template <class Scalar>
struct Packed {
  ParamId id;
  ParamBuffer<Scalar> values;
  PackedWeights<Scalar> mirror;

  Packed() : Packed(table()) {}
  const PackedWeight<Scalar>& packed() const { return *mirror.view(values).packed(id, id.rows); }

 private:
  static ParamTable table() {
    ParamTable result;
    result.add_weight("weight", 37, 29, Init::uniform(1));
    return result;
  }
  explicit Packed(ParamTable table)
      : id(table.at("weight").id),
        values(std::make_shared<const ParamTable>(std::move(table))),
        mirror(values.table()) {
    Random random(3);
    initialise(values, random);
    mirror.pack(values);
  }
};

// The weight's products for 21 rows, packed before or on the way.
template <class Scalar>
Matrix<Scalar> product(const Packed<Scalar>& weight, bool packed_before) {
  const auto x = data::normal<Scalar>(21, weight.id.cols, 5);
  Matrix<Scalar> y(21, weight.id.rows);
  if (packed_before) {
    kernels::linear<Scalar>(x, weight.packed(), nullptr, y);
  } else {
    kernels::linear<Scalar>(x, weight.values.view().matrix(weight.id), nullptr, y);
  }
  return y;
}

}  // namespace

TEST_CASE("instruction set: a limit leaves the largest of what is asked, compiled and there") {
  const Restored restored;
  const InstructionSet machine = limit_instruction_set(InstructionSet::avx512);
  CHECK(machine >= least_instruction_set);
  CHECK(machine <= most_instruction_set);
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (machine >= InstructionSet::avx2) CHECK(__builtin_cpu_supports("avx2"));
  if (machine == InstructionSet::avx512) CHECK(__builtin_cpu_supports("avx512f"));
#endif
  for (const InstructionSet first : all_sets)
    for (const InstructionSet asked : {first, InstructionSet::avx512, first}) {
      const InstructionSet set = limit_instruction_set(asked);
      CHECK(set == (std::max)(least_instruction_set, (std::min)(asked, machine)));
      CHECK(instruction_set() == set);
    }
}

TEST_CASE("instruction set: names") {
  CHECK(name(InstructionSet::avx2) == "AVX2");
  CHECK(name(InstructionSet::avx512) == "AVX-512");
#if defined(__x86_64__)
  CHECK(name(InstructionSet::baseline) == "SSE2");
#elif defined(__ARM_NEON)
  CHECK(name(InstructionSet::baseline) == "NEON");
#else
  CHECK(name(InstructionSet::baseline) == "128 bits");
#endif
}

TEMPLATE_TEST_CASE("instruction set: a packed weight keeps the set that it is packed for", "",
                   float, double) {
  const Restored restored;
  for (const InstructionSet set : all_sets) {
    if (limit_instruction_set(set) != set) continue;
    INFO(name(set));
    const Packed<TestType> weight;
    CHECK(weight.packed().set == set);
    const auto expected = product(weight, true);
    CHECK((product(weight, false).array() == expected.array()).all());
    for (const InstructionSet other : all_sets) {
      limit_instruction_set(other);
      CHECK((product(weight, true).array() == expected.array()).all());
    }
    limit_instruction_set(set);
  }
}

TEST_CASE(
    "instruction set: a scorer goes on under another limit, and a new one is of the limit's") {
  const Restored restored;
  const models::Sizes sizes;
  const auto x = data::normal<float>(50, sizes.input_dim, 3);
  for (const auto& architecture : models::all_trunks<float>(sizes)) {
    INFO(architecture.name);
    limit_instruction_set(InstructionSet::avx512);
    const auto model = models::make(architecture.trunk, sizes);
    const Scorer before(model);
    const auto scored = [&](const Scorer<float>& scorer) {
      Matrix<float> logits(50, sizes.num_tasks);
      scorer.context().score(x, logits);
      return logits;
    };
    const auto expected = scored(before);
    const float scale = expected.cwiseAbs().maxCoeff();

    limit_instruction_set(InstructionSet::baseline);
    CHECK((scored(before) - expected).cwiseAbs().maxCoeff() <= 1e-5f * scale);
    const auto of_baseline = scored(Scorer(model));
    CHECK((of_baseline - expected).cwiseAbs().maxCoeff() <= 1e-5f * scale);
    CHECK((models::forward(model, x).array() == of_baseline.array()).all());

    limit_instruction_set(InstructionSet::avx512);
    CHECK((scored(before).array() == expected.array()).all());
  }
}
