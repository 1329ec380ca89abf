namespace PLAIT_SET {

template <class Scalar>
Scalar at(Function f, Scalar v) {
  namespace simd = plait::simd::PLAIT_SET;
  constexpr auto width = static_cast<std::size_t>(simd::width<Scalar>);
  static std::size_t place = 0;
  place = (place + 1) % width;
  Scalar numbers[width] = {};
  numbers[place] = v;
  const simd::Packet<Scalar> p = simd::load(numbers);
  switch (f) {
    case Function::sigmoid:
      simd::store(numbers, simd::sigmoid<Scalar>(p));
      break;
    case Function::tanh:
      simd::store(numbers, simd::tanh<Scalar>(p));
      break;
    case Function::decay:
      simd::store(numbers, simd::decay<Scalar>(p));
      break;
    case Function::normal_distribution:
      simd::store(numbers, simd::normal_distribution<Scalar>(p));
      break;
  }
  return numbers[place];
}

}  // namespace PLAIT_SET
