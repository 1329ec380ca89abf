// What may go wrong, by who can mend it.
#pragma once
#include <stdexcept>
#include <string>

namespace service {

// A command line that cannot be run.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A model file that was read and cannot take the place of the model that is served.
class ModelError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A request that cannot be answered; status is HTTP's, what() is for its sender.
class RequestError : public std::runtime_error {
 public:
  RequestError(int status_, const std::string& what) : std::runtime_error(what), status(status_) {}
  int status;
};

}  // namespace service
