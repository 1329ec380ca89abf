// predict: what the logits of all tasks say.
#pragma once
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/core/view.hpp"
#include "plait/core/view_argument.hpp"
#include "plait/kernels/activation.hpp"
#include "plait/losses/head.hpp"
#include "plait/losses/joint_logit.hpp"

namespace plait {

namespace detail {

template <class Scalar, class Logits, class Out>
concept Predicts =
    std::convertible_to<Logits, View3<const Scalar>> && std::convertible_to<Out, View3<Scalar>>;
template <class Logits, class Out>
concept PredictsNeither = !Predicts<float, Logits, Out> && !Predicts<double, Logits, Out>;

template <class Scalar>
void predict(std::span<const Head> heads, View3<const Scalar> logits, View3<Scalar> out) {
  const Index width = head_offsets(heads).back();
  const auto require = [&](const char* argument, View3<const Scalar> view) {
    if (view.batch() != logits.batch() || view.slots() != 1 || view.dim() != width)
      throw ShapeError("predict", argument,
                       text("[", view.batch(), ", ", view.slots(), ", ", view.dim(), "]"),
                       text("[", logits.batch(), ", 1, ", width, "]"));
  };
  require("logits", logits);
  require("out", out);

  for (Index b = 0; b < logits.batch(); ++b) {
    // From the last task to the first: a conditional one reads the logits of earlier ones, which
    // may be overwritten.
    const Scalar* z = logits.row(b) + width;
    Scalar* y = out.row(b) + width;
    for (Index t = std::ssize(heads) - 1; t >= 0; --t) {
      with_loss(heads[static_cast<std::size_t>(t)], [&]<class Loss>(const Loss& loss) {
        z -= loss.width();
        y -= loss.width();
        if constexpr (std::is_same_v<Loss, ConditionalLoss>) {
          *y = static_cast<Scalar>(sigmoid(joint_logit(heads, t, z)));
        } else {
          loss.predict(z, y);
        }
      });
    }
  }
}

}  // namespace detail

// Turns logits [batch, 1, C] into predictions out [batch, 1, C], each head's as its kind says (see
// HeadKind). A conditional head predicts the joint event; P(event | given) is σ of its logit. In
// place when out is logits. Throws ShapeError when a shape does not fit the heads. Two functions
// and no template, so that matrices convert.
inline void predict(std::span<const Head> heads, View3<const float> logits, View3<float> out) {
  detail::predict(heads, logits, out);
}
inline void predict(std::span<const Head> heads, View3<const double> logits, View3<double> out) {
  detail::predict(heads, logits, out);
}
// What neither takes: says why.
template <class Logits, class Out>
requires detail::PredictsNeither<Logits, Out>
void predict(std::span<const Head>, Logits&& logits, Out&& out) {
  using Scalar = std::conditional_t<std::convertible_to<Out, View3<double>>, double, float>;
  ViewArgument<const Scalar>(std::forward<Logits>(logits));
  ViewArgument<Scalar>(std::forward<Out>(out));
}

}  // namespace plait
