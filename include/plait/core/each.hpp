// Each: settings of which a description gives one for all, or one for each.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"

namespace plait {

// Reads such a list, which must outlive it, as if it had `count` entries; copies nothing, so that a
// description from outside costs no more than its own size.
template <class T>
class Each {
 public:
  // Throws ConfigError unless there are 1 or `count` entries.
  Each(const std::vector<T>& given, Index count, const std::string& where,
       const std::string& argument)
      : given_(given) {
    require_config(std::ssize(given) == count || given.size() == 1, where, argument,
                   text(given.size(), " entries"), text("1 or ", count));
  }

  const T& operator[](Index i) const {
    return given_[given_.size() == 1 ? 0 : static_cast<std::size_t>(i)];
  }

 private:
  const std::vector<T>& given_;
};

}  // namespace plait
