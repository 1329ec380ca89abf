// A model's logits, for tests that compare them.
#pragma once
#include "plait/core/scratch.hpp"
#include "plait/core/view.hpp"
#include "plait/model/model.hpp"
#include "plait/serve/scorer.hpp"

namespace models {

// By a Scorer of its own.
template <class Scalar>
plait::Matrix<Scalar> score(const plait::Model<Scalar>& model, const plait::Matrix<Scalar>& x) {
  plait::Matrix<Scalar> logits(x.rows(), model.out_shape().dim);
  const plait::Scorer<Scalar> scorer(model);
  scorer.context().score(x, logits);
  return logits;
}

// By the network's forward in one piece, on weights that are not packed.
template <class Scalar>
plait::Matrix<Scalar> forward(const plait::Model<Scalar>& model, const plait::Matrix<Scalar>& x) {
  plait::Matrix<Scalar> logits(x.rows(), model.out_shape().dim);
  plait::Scratch scratch;
  model.network().forward(model.values(), x, logits, nullptr, scratch);
  return logits;
}

}  // namespace models
