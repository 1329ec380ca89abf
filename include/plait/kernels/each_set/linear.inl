namespace plait::kernels::PLAIT_SET {

namespace detail {

inline simd::Finish finish_of(Activation f) {
  return f == Activation::relu ? simd::Finish::relu : simd::Finish::none;
}
// The activations that the product does not apply itself.
template <class Scalar>
void finish_linear(Activation f, View3<Scalar> y) {
  if (f != Activation::relu) activate(f, y);
}

}  // namespace detail

template <class Scalar>
void linear(View3<const Scalar> x, MatrixMap<const Scalar> weight, const Scalar* bias,
            View3<Scalar> y, Activation f) {
  simd::multiply_transposed(y.batch(), y.dim(), x.dim(),
                            simd::Left<Scalar, false>{x.data(), x.batch_stride()}, weight.data(),
                            weight.outerStride(), simd::Start<Scalar>{bias, 0},
                            detail::finish_of(f), y.data(), y.batch_stride());
  detail::finish_linear(f, y);
}

template <class Scalar>
void linear(View3<const Scalar> x, const PackedWeight<Scalar>& weight, const Scalar* bias,
            View3<Scalar> y, Activation f) {
  const simd::Start<Scalar> start{weight.start == nullptr ? bias : weight.start, 0};
  if (weight.format == PackedFormat::full) {
    simd::multiply_packed<simd::Numbers>(
        y.batch(), y.dim(), weight.inputs, simd::Left<Scalar, false>{x.data(), x.batch_stride()},
        weight.panels, weight.inputs, 0, start, detail::finish_of(f), y.data(), y.batch_stride());
  } else if constexpr (std::is_same_v<Scalar, float>) {
    multiply_bf16(weight.set, weight, x, start, detail::finish_of(f), y);
  }
  detail::finish_linear(f, y);
}

template <class Scalar>
void linear_backward_input(View3<const Scalar> dy, MatrixMap<const Scalar> weight, View3<Scalar> dx,
                           bool adds) {
  simd::multiply_rows(
      dx.batch(), dx.dim(), dy.dim(), simd::Left<Scalar, false>{dy.data(), dy.batch_stride()},
      weight.data(), weight.outerStride(),
      adds ? simd::Start<Scalar>{dx.data(), dx.batch_stride()} : simd::Start<Scalar>{},
      simd::Finish::none, dx.data(), dx.batch_stride());
}

template <class Scalar>
void linear_backward_params(View3<const Scalar> x, View3<const Scalar> dy,
                            const GradSlot<Scalar>& dweight, Scalar* dbias) {
  for (Index first = 0; first == 0 || first < x.batch(); first += simd::panel_depth) {
    const Index rows = (std::min)(simd::panel_depth, x.batch() - first);
    const bool overwrites = dweight.overwrite && first == 0;
    const simd::Left<Scalar, true> left{dy.data() + first * dy.batch_stride(), dy.batch_stride()};
    simd::multiply_rows(dweight.rows, dweight.cols, rows, left, x.data() + first * x.batch_stride(),
                        x.batch_stride(), simd::Start<Scalar>{},
                        overwrites ? simd::Finish::none : simd::Finish::add, dweight.data,
                        dweight.cols);
  }
  if (dbias != nullptr) add_batch_sums<Scalar>(dy, dbias);
}

}  // namespace plait::kernels::PLAIT_SET
