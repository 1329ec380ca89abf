// The peers in matrix products: libraries with a sgemm, those that were found when configuring.
#pragma once
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#ifdef PLAIT_BENCH_OPENBLAS
#include <cblas.h>
#endif
#ifdef PLAIT_BENCH_ONEDNN
#include <dnnl.h>
#endif

namespace bench {

using plait::Index;

// A row-major operand, read as its transpose or as it is.
struct Operand {
  const float* data;
  Index stride;
  bool transposed;
};

struct Blas {
  std::string name;
  // c [m, n] = a [m, k] b [k, n], rows of c being n numbers apart.
  void (*product)(Index m, Index n, Index k, Operand a, Operand b, float* c);
};

inline std::vector<Blas> blas_peers() {
  std::vector<Blas> result;
#ifdef PLAIT_BENCH_OPENBLAS
  openblas_set_num_threads(1);
  result.push_back({"openblas", [](Index m, Index n, Index k, Operand a, Operand b, float* c) {
                      const auto flag = [](Operand x) {
                        return x.transposed ? CblasTrans : CblasNoTrans;
                      };
                      const auto size = [](Index i) { return static_cast<blasint>(i); };
                      cblas_sgemm(CblasRowMajor, flag(a), flag(b), size(m), size(n), size(k), 1.0f,
                                  a.data, size(a.stride), b.data, size(b.stride), 0.0f, c, size(n));
                    }});
#endif
#ifdef PLAIT_BENCH_ONEDNN
  result.push_back({"onednn", [](Index m, Index n, Index k, Operand a, Operand b, float* c) {
                      const auto flag = [](Operand x) { return x.transposed ? 'T' : 'N'; };
                      dnnl_sgemm(flag(a), flag(b), m, n, k, 1.0f, a.data, a.stride, b.data,
                                 b.stride, 0.0f, c, n);
                    }});
#endif
  return result;
}

}  // namespace bench
