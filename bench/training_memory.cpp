// Peak memory of a training step beyond the data, at batch 65,536, for the reference AdaTT.
//
//   training_memory plait|torch [rows]
//
// What the process held at its highest (VmHWM) in a first step less what it held once the data was
// there: model, optimizer, gradients and activations. One process per library: an allocator keeps
// what it once had.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "plait/model/model.hpp"
#include "plait/optim/adam.hpp"
#include "plait/train/trainer.hpp"
#include "support/data.hpp"
#include "support/memory.hpp"
#include "support/models.hpp"
#include "support/torch_models.hpp"

namespace {

using namespace bench;

void train_plait(const Reference& reference, const plait::Matrix<float>& x,
                 const plait::Matrix<float>& labels) {
  auto model = reference.model();
  plait::Trainer trainer(model, std::vector<plait::Head>(static_cast<std::size_t>(sizes::tasks)),
                         plait::Adam{});
  trainer.step(x, labels);
}

void train_torch(const Reference& reference, const plait::Matrix<float>& x,
                 const plait::Matrix<float>& labels) {
  if constexpr (has_torch) {
    TorchTrainer trainer(reference.architecture, reference.model().values(), x, labels);
    trainer.step();
  } else {
    throw std::runtime_error("built without LibTorch");
  }
}

void run(const std::string& library, Index rows) {
  const plait::Matrix<float> x = random_matrix(rows, sizes::input);
  const plait::Matrix<float> labels = random_labels(rows);
  const double before = memory("VmRSS");
  for (const Reference& reference : all_references())
    if (reference.architecture == Architecture::adatt)
      (library == "plait" ? train_plait : train_torch)(reference, x, labels);
  std::printf("%s: %.1f MB beyond the data at batch %td\n", library.c_str(),
              (memory("VmHWM") - before) / 1e6, rows);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string library = argc > 1 ? argv[1] : "";
  const long rows = argc > 2 ? std::atol(argv[2]) : 65536;
  if ((library != "plait" && library != "torch") || rows < 1) {
    std::fprintf(stderr, "usage: training_memory plait|torch [rows]\n");
    return 2;
  }
  try {
    run(library, rows);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
