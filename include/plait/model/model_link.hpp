// ModelLink: a pointer to another's model that knows when the model is gone.
#pragma once
#include <memory>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/model/model.hpp"

namespace plait::detail {

// M is Model<Scalar>, const or not. Points to an object, not to what it holds: a model that is
// moved away is gone, and there again once another was assigned to the same object.
template <class M>
class ModelLink {
 public:
  explicit ModelLink(M& model) : model_(&model), alive_(model.lifetime_.watch()) {}

  // Neither checks.
  M& operator*() const { return *model_; }
  M* operator->() const { return model_; }

  // False when the model was destroyed or moved away, and in a link that was moved from.
  bool holds() const { return !alive_.expired() && model_->shared_table() != nullptr; }

  // Throws ConfigError, in the name of `where`, unless holds().
  void require(const char* where) const {
    if (!holds()) fail(where);
  }

 private:
  [[noreturn]] PLAIT_COLD void fail(const char* where) const {
    throw ConfigError(where, "model",
                      alive_.expired()
                          ? text("one that was destroyed, or a ", where, " that was moved from")
                          : "one that was moved from",
                      "one that outlives it and stays where it is");
  }

  M* model_;
  std::weak_ptr<const void> alive_;
};

}  // namespace plait::detail
