#include "console.hpp"

#include <utility>

#include "format.hpp"
#include "interrupt.hpp"
#include "plait/io/checkpoint.hpp"

namespace ranker {

std::string epoch_line(std::span<const plait::Head> heads, const Epoch& epoch, int epochs) {
  std::string line = "epoch " + std::to_string(epoch.number) + "/" + std::to_string(epochs) +
                     "  loss " + fixed(epoch.loss, 4) + "  valid";
  for (std::size_t t = 0; t < heads.size(); ++t) {
    const char* metric = heads[t].kind == plait::HeadKind::binary ? " AUC " : " R2 ";
    line += " " + heads[t].name + metric + fixed(epoch.validation[t].value(heads[t].kind), 4);
  }
  line += "  " + grouped(static_cast<Index>(epoch.rows_per_second)) + " rows/s";
  if (epoch.best) line += " *";
  if (epoch.stop) line += " stop";
  return line;
}

Console::Console(std::ostream& out, Progress& progress, const Dataset& data, std::string label,
                 int epochs)
    : out_(out), progress_(progress), data_(data), label_(std::move(label)), epochs_(epochs) {}

void Console::begin_epoch(int number, Index rows) {
  progress_.start(label_ + "epoch " + std::to_string(number) + "/" + std::to_string(epochs_), rows);
}

bool Console::rows_done(Index rows) {
  progress_.update(rows);
  return !Interrupt::requested();
}

void Console::end_epoch(const Epoch& epoch) {
  progress_.clear();
  out_ << label_ << epoch_line(data_.heads, epoch, epochs_) << std::endl;
}

void Console::ended(int best_epoch) {
  progress_.clear();
  out_ << label_ << "interrupted, with the weights of "
       << (best_epoch > 0 ? "epoch " + std::to_string(best_epoch) : "the last step") << std::endl;
}

void Console::resumed(const plait::Resumed& from) {
  for (const auto& [path, reason] : from.rejected) out_ << "Skipped: " << reason << '\n';
  if (from)
    out_ << "Resumed from " << from.path << '\n' << std::endl;
  else
    out_ << "No checkpoint yet\n" << std::endl;
}

}  // namespace ranker
