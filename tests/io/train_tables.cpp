// A run with embedding tables for scripts/kill_test.py, which kills it at any instant:
//
//   train_tables <checkpoint directory> <model file>
//
// goes on from the last checkpoint or delta, saves one after every other step, and ends with the
// model's file.
#include <iostream>
#include <string>

#include "plait/io/embedding_file.hpp"
#include "table_run.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: train_tables <checkpoint directory> <model file>\n";
    return 2;
  }
  try {
    plait::Checkpoints checkpoints(argv[1]);
    table_run::Run run(plait::LazyAdam{.learning_rate = 0.01});
    const plait::Resumed resumed = run.resume(checkpoints);
    for (const auto& file : resumed.rejected) std::cout << "Skipped " << file.reason << '\n';
    if (resumed) std::cout << "Resumed from " << resumed.path << std::endl;  // before it is killed
    constexpr plait::Index steps = 400;
    while (run.progress.step < steps) {
      run.step();
      if (run.progress.step % 2 == 0)
        run.progress.step % 20 == 0 ? run.save(checkpoints) : run.save_delta(checkpoints);
    }
    plait::save(run.model, run.tables, argv[2]);
  } catch (const plait::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
