// ViewArgument: a View3 as an argument of what users call. It takes what a View3 takes, and tells
// in a line what is wrong with a matrix that is not one, where overloads would be listed otherwise.
#pragma once
#include <concepts>
#include <type_traits>
#include <utility>

#include "plait/core/eigen.hpp"
#include "plait/core/view.hpp"

namespace plait {

namespace detail {

// Matrices, maps, blocks and expressions.
template <class M>
concept EigenNumbers =
    std::is_base_of_v<Eigen::EigenBase<std::remove_cvref_t<M>>, std::remove_cvref_t<M>>;

}  // namespace detail

template <class T>
class ViewArgument : public View3<T> {
 public:
  using View3<T>::View3;
  ViewArgument() = default;

  template <std::convertible_to<View3<T>> A>
  ViewArgument(A&& view) : View3<T>(std::forward<A>(view)) {}

  // Viable, so that it is chosen, and wrong: column-major, of another scalar, an expression; to
  // write to, const or a temporary.
  template <detail::EigenNumbers M>
  requires(!std::convertible_to<M, View3<T>>) ViewArgument(M&&) {
    constexpr bool reads = std::convertible_to<M, View3<const std::remove_const_t<T>>>;
    static_assert(reads,
                  "expected a row-major matrix of the model's scalar: use plait::Matrix<float> "
                  "(or <double>), or .eval() of an expression");
    static_assert(!reads || std::is_const_v<T>,
                  "expected a matrix that can be written to: a plait::Matrix<float> (or <double>) "
                  "that is neither const nor a temporary");
  }
};

static_assert(std::is_trivially_copyable_v<ViewArgument<const float>>);

}  // namespace plait
