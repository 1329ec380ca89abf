#if PLAIT_SET_BYTES == 64
namespace sample::avx2 {
inline float wide(float x) { return _mm512_reduce_add_ps(_mm512_set1_ps(x)); }
}  // namespace sample::avx2
#endif

namespace sample::PLAIT_SET {
inline float twice(float x) { return 2 * x; }
}  // namespace sample::PLAIT_SET
