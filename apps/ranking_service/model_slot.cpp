#include "model_slot.hpp"

#include <sys/stat.h>

#include <chrono>
#include <new>
#include <thread>

#include "errors.hpp"
#include "plait/core/error.hpp"
#include "plait/io/error.hpp"

namespace service {
namespace {

std::string describe(const Interface& interface) {
  std::string columns, raw;
  for (const std::string& column : interface.columns)
    columns += (columns.empty() ? "" : ", ") + column;
  for (const RawColumn& column : interface.raw)
    raw += (raw.empty() ? "" : ", ") + column.name + (column.is_user ? " (user)" : "");
  if (interface.takes_raw()) return "columns " + raw + " and scores " + columns;
  return plait::text(interface.user_features, " + ", interface.candidate_features,
                     " features and scores ", columns);
}

}  // namespace

ModelSlot::ModelSlot(std::string path, RankerOptions options)
    : path_(std::move(path)), options_(std::move(options)), live_(load(1)), interface_([this] {
        auto reader = live_.reader();
        return reader.read()->ranker->interface();
      }()) {}

std::uint64_t ModelSlot::reload() {
  const std::unique_lock lock(loading_, std::try_to_lock);
  if (!lock) throw RequestError(503, path_ + ": is being loaded already");
  auto version = load(live_.version() + 1);
  const std::uint64_t number = version->number;
  if (version->ranker->interface() != interface_)
    throw ModelError(path_ + ": got " + describe(version->ranker->interface()) + ", expected " +
                     describe(interface_) + " as served");
  live_.publish(std::move(version));
  while (live_.collect() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return number;
}

bool ModelSlot::changed() const {
  const auto now = identify(path_);
  const std::lock_guard lock(identity_mutex_);
  return now && now != tried_;
}

// Which file it is, is taken before it is read: one that changes meanwhile counts as changed. What
// keeps it from being read may pass, a mode or a want of descriptors or memory: it is then tried
// again.
std::unique_ptr<const Version> ModelSlot::load(std::uint64_t number) {
  const auto set_tried = [this](const std::optional<Identity>& identity) {
    const std::lock_guard lock(identity_mutex_);
    tried_ = identity;
  };
  set_tried(identify(path_));
  try {
    return std::make_unique<const Version>(Version{number, load_ranker(path_, options_)});
  } catch (const plait::FileError&) {
    set_tried(std::nullopt);
    throw;
  } catch (const std::bad_alloc&) {
    set_tried(std::nullopt);
    throw;
  }
}

std::optional<ModelSlot::Identity> ModelSlot::identify(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return std::nullopt;
  return Identity{file.st_dev, file.st_ino, static_cast<std::uint64_t>(file.st_size),
                  file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

}  // namespace service
