// The kernels one by one, each against the floor that binds it and against peers.
#include "kernels/contests.hpp"
#include "support/program.hpp"
#include "support/torch_models.hpp"

int main(int argc, char** argv) {
  return bench::run(argc, argv, [] {
    bench::stay_on_one_core();
    if constexpr (bench::has_torch)
      benchmark::AddCustomContext("torch", bench::prepare_torch(bench::measure_peak<float>()));
    bench::add_gemm_contests();
    bench::add_mixing_contests();
    bench::add_activation_contests();
    bench::add_optimizer_contests();
  });
}
