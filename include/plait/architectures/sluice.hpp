// Sluice network: a network per task; after every level the subspaces of all tasks are recombined,
// and a task's output mixes its levels.                         x [B, 1, D] -> y [B, T, H]
//
//   h^l_t = expert^l_t(x̃^{l-1}_t),   x̃^0_t = x                          l = 1 ... L
//   x̃^l_i = Σ_j α^l_ij h^l_j          i, j: the K = T S subspaces; task t's are t S ... t S + S - 1
//   y_t = Σ_l β_tl x̃^l_t             or x̃^L_t without skips
//
// Subspace q of a task are the columns q H_l / S ... of its state. With S = 1 and β = e_L, or no
// skips, this is cross-stitch. The source's layers are LSTMs; its code reshapes column by column,
// so that a "subspace" there interleaves tasks, and starts α for S = 2 from a pattern whose rows
// add up to T: neither is followed. Its penalty that keeps subspaces orthogonal is
// penalties/orthogonal_subspaces.hpp.
// Parameters: experts.{l}.{t}.mlp_net.{2j}.weight|bias, alphas.{l} [K, K] (row = target) and, with
// skips, betas [T, L].
// Source: Ruder et al., "Latent Multi-task Architecture Learning", AAAI 2019;
// sebastianruder/sluice-networks predictors.py.
#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "plait/core/fields.hpp"
#include "plait/layers/body.hpp"

namespace plait {

// How weights over n things start: each 1/n, or 0.9 for one's own subspace or the last level and
// the rest shared evenly among the others.
enum class SluiceInit { balanced, imbalanced };
template <>
struct EnumNames<SluiceInit> {
  static constexpr std::array<std::string_view, 2> names{"balanced", "imbalanced"};
};

template <class Scalar>
class SluiceLayer;  // architectures/sluice_layer.hpp

struct Sluice {
  Index input_dim = 0;
  Index num_tasks = 0;
  std::vector<Body> levels{};  // one expert description per level; equally wide ones for skips
  Index subspaces = 2;         // S of every level, which divides its width
  bool skips = true;           // β
  SluiceInit alphas = SluiceInit::imbalanced;
  SluiceInit betas = SluiceInit::imbalanced;

  template <class S>
  using Layer = SluiceLayer<S>;
  static constexpr std::string_view name = "Sluice";
  PLAIT_COLD void fields(FieldVisitor& visit) {
    visit("input_dim", input_dim);
    visit("num_tasks", num_tasks);
    visit("levels", levels);
    visit("subspaces", subspaces);
    visit("skips", skips);
    visit("alphas", alphas);
    visit("betas", betas);
  }
};

}  // namespace plait
