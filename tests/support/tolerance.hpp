// How far a result may be from a worked number.
#pragma once

namespace fixtures {

// Absolute: worked numbers are of order 1.
template <class Scalar>
inline constexpr double tolerance = sizeof(Scalar) == sizeof(float) ? 1e-5 : 1e-10;

}  // namespace fixtures
