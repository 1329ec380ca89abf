// The model that is served: loaded from a file, checked, and swapped while requests run.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "plait/serve/live.hpp"
#include "ranker.hpp"

namespace service {

// One loading of the file.
struct Version {
  std::uint64_t number;  // from 1
  std::unique_ptr<const Ranker> ranker;
};

class ModelSlot {
 public:
  using Reader = plait::Live<Version>::Reader;

  // Loads the first model. Throws as load_ranker does.
  ModelSlot(std::string path, RankerOptions options);

  const std::string& path() const { return path_; }
  const Interface& interface() const { return interface_; }
  Reader reader() { return live_.reader(); }
  std::uint64_t version() const { return live_.version(); }

  // Loads the file and swaps the model in; when it returns, the old one is gone from memory. No
  // request waits for it. Returns the new version's number. Throws as load_ranker does, and
  // ModelError when the model's interface is another, and RequestError, 503, while another thread
  // loads; the model that is served then stays.
  std::uint64_t reload();

  // True when the file is another one than that which was tried last, as its inode, size and time
  // tell, or could not be read then. A file that is missing is no other one.
  bool changed() const;

 private:
  struct Identity {
    std::uint64_t device, inode, size;
    std::int64_t seconds, nanoseconds;
    bool operator==(const Identity&) const = default;
  };

  static std::optional<Identity> identify(const std::string& path);
  std::unique_ptr<const Version> load(std::uint64_t number);

  std::string path_;
  RankerOptions options_;
  mutable std::mutex identity_mutex_;
  std::optional<Identity> tried_;
  std::mutex loading_;
  plait::Live<Version> live_;
  Interface interface_;
};

}  // namespace service
