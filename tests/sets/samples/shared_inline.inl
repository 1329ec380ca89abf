#if PLAIT_SET_BYTES == 32
namespace sample {
inline float everybodys(float x) { return 2 * x; }
}  // namespace sample
#endif

#if PLAIT_SET_BYTES > 16
namespace sample::PLAIT_SET {
inline float twice(float x) { return everybodys(x); }
}  // namespace sample::PLAIT_SET
#else
namespace sample::PLAIT_SET {
inline float twice(float x) { return 2 * x; }
}  // namespace sample::PLAIT_SET
#endif
