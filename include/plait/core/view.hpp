// View3: a trivially copyable window on numbers laid out as [batch, slot, dim].
//
// A slot holds one feature vector per sample: one task's state, one expert's output, or the single
// input of a model. dim is contiguous; batch and slot have strides, so that a view may be a range
// of rows, one slot, a range of columns, or one slot seen as many (broadcast, stride 0).
#pragma once
#include <concepts>
#include <type_traits>

#include "plait/core/config.hpp"
#include "plait/core/eigen.hpp"

namespace plait {

// Row-major matrix: the layout of every batch, as in PyTorch.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Scalar>
using Vector = Eigen::Matrix<Scalar, 1, Eigen::Dynamic, Eigen::RowMajor>;

// Eigen maps on memory that plait does not own; T may be const.
template <class T>
using MatrixMap = Eigen::Map<
    std::conditional_t<std::is_const_v<T>, const Matrix<std::remove_const_t<T>>, Matrix<T>>,
    Eigen::Unaligned, Eigen::OuterStride<>>;
template <class T>
using VectorMap = Eigen::Map<
    std::conditional_t<std::is_const_v<T>, const Vector<std::remove_const_t<T>>, Vector<T>>>;

// Number of slots and width of each: what a layer reads or writes per sample.
struct Shape {
  Index slots = 1;
  Index dim = 0;
  bool operator==(const Shape&) const = default;
};

namespace detail {

// One number per row: contiguous whatever the stride between rows.
template <class M>
inline constexpr bool is_column = int(M::ColsAtCompileTime) == 1;

// Eigen matrices, and maps and blocks of them.
template <class M>
concept OwnsNumbers = std::is_base_of_v<Eigen::PlainObjectBase<std::remove_cv_t<M>>, M>;
template <class M, int Access>
concept MapsNumbers = std::is_base_of_v<Eigen::MapBase<std::remove_cv_t<M>, Access>, M>;

// Rows of contiguous numbers of this type.
template <class M, class Scalar>
concept ContiguousRows = std::same_as<typename M::Scalar, Scalar> &&
    (is_column<M> || (bool(M::IsRowMajor) && int(M::InnerStrideAtCompileTime) == 1));

template <class M, class Scalar>
concept ReadableRows = (OwnsNumbers<M> ||
                        MapsNumbers<M, Eigen::ReadOnlyAccessors>)&&ContiguousRows<M, Scalar>;
template <class M, class Scalar>
concept WritableRows = ((OwnsNumbers<M> && !std::is_const_v<M>) ||
                        MapsNumbers<M, Eigen::WriteAccessors>)&&ContiguousRows<M, Scalar>;

}  // namespace detail

template <class T>
class View3 {
 public:
  using Scalar = std::remove_const_t<T>;

  // No view at all: `if (view)` is false, as for no other view, however small. Passed where an
  // argument is optional.
  View3() = default;

  // Contiguous [batch, slots, dim].
  View3(T* data, Index batch, Index slots, Index dim)
      : View3(data, batch, slots, dim, slots * dim, dim) {}

  View3(T* data, Index batch, Index slots, Index dim, Index batch_stride, Index slot_stride)
      : data_(data),
        batch_(batch),
        slots_(slots),
        dim_(dim),
        batch_stride_(batch_stride),
        slot_stride_(slot_stride) {}

  // An Eigen matrix, map or block [batch, dim] as one slot, its rows contiguous: row-major, or a
  // column vector. What it shows must outlive the view; a temporary matrix lives to the end of the
  // call that it is an argument of, and no longer.
  template <detail::ReadableRows<Scalar> M>
  requires std::is_const_v<T> View3(const M& matrix) : View3(matrix.data(), matrix) {}
  // Written through: a matrix, or a map or block by value.
  template <class M>
  requires(!std::is_const_v<T> && detail::WritableRows<std::remove_reference_t<M>, Scalar> &&
           (std::is_lvalue_reference_v<M> || !detail::OwnsNumbers<M>)) View3(M&& matrix)
      : View3(matrix.data(), matrix) {}

  operator View3<const T>() const requires(!std::is_const_v<T>) {
    return {data_, batch_, slots_, dim_, batch_stride_, slot_stride_};
  }

  explicit operator bool() const { return slots_ > 0; }
  T* data() const { return data_; }
  Index batch() const { return batch_; }
  Index slots() const { return slots_; }
  Index dim() const { return dim_; }
  Index batch_stride() const { return batch_stride_; }
  Index slot_stride() const { return slot_stride_; }
  Shape shape() const { return {slots_, dim_}; }

  // First of the dim contiguous numbers of one sample's slot.
  T* row(Index b, Index s = 0) const {
    PLAIT_ASSERT(0 <= b && b < batch_ && 0 <= s && s < slots_);
    return data_ + b * batch_stride_ + s * slot_stride_;
  }
  T& operator()(Index b, Index s, Index d) const {
    PLAIT_ASSERT(0 <= d && d < dim_);
    return row(b, s)[d];
  }

  // Sub-views; none copies.
  View3 rows(Index first, Index count) const {
    PLAIT_ASSERT(0 <= first && 0 <= count && first + count <= batch_);
    return {data_ + first * batch_stride_, count, slots_, dim_, batch_stride_, slot_stride_};
  }
  View3 slot_range(Index first, Index count) const {
    PLAIT_ASSERT(0 <= first && 0 <= count && first + count <= slots_);
    return {data_ + first * slot_stride_, batch_, count, dim_, batch_stride_, slot_stride_};
  }
  View3 slot(Index s) const { return slot_range(s, 1); }
  View3 columns(Index first, Index count) const {
    PLAIT_ASSERT(0 <= first && 0 <= count && first + count <= dim_);
    return {data_ + first, batch_, slots_, count, batch_stride_, slot_stride_};
  }
  // One slot seen as `count` equal slots (stride 0). Read-only by type: writes would collide.
  View3<const Scalar> broadcast(Index count) const {
    PLAIT_ASSERT(slots_ == 1);
    return {data_, batch_, count, dim_, batch_stride_, 0};
  }

  // Eigen maps: one slot as [batch, dim], one sample as [slot, dim].
  MatrixMap<T> of_slot(Index s) const {
    PLAIT_ASSERT(0 <= s && s < slots_);
    return {data_ + s * slot_stride_, batch_, dim_, Eigen::OuterStride<>(batch_stride_)};
  }
  MatrixMap<T> of_sample(Index b) const {
    PLAIT_ASSERT(0 <= b && b < batch_);
    return {data_ + b * batch_stride_, slots_, dim_, Eigen::OuterStride<>(slot_stride_)};
  }

 private:
  template <class M>
  View3(T* data, const M& matrix)
      : View3(data, matrix.rows(), 1, matrix.cols(),
              detail::is_column<M> ? matrix.innerStride() : matrix.outerStride(), 0) {}

  T* data_ = nullptr;
  Index batch_ = 0;
  Index slots_ = 0;
  Index dim_ = 0;
  Index batch_stride_ = 0;
  Index slot_stride_ = 0;
};

// Read-only argument of a function that deduces Scalar from another argument; accepts mutable
// views.
template <class Scalar>
using ConstView3 = View3<const std::type_identity_t<Scalar>>;

static_assert(std::is_trivially_copyable_v<View3<float>>);
static_assert(std::is_trivially_copyable_v<View3<const double>>);

}  // namespace plait
