// A model of any architecture, loaded from its file and ready to score.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "interface.hpp"
#include "plait/core/view.hpp"
#include "plait/features/feature.hpp"
#include "plait/losses/head.hpp"
#include "plait/model/model.hpp"
#include "request.hpp"

namespace service {

// Where the rows of a model's tables are: in memory, there in 8 bits a number, or in the model's
// file, all of which but the rows is read and verified when it is loaded.
enum class TableRows { floats, bytes, mapped };

struct RankerOptions {
  // Of the input, the same for all candidates of a request; of a model with an encoder its features
  // say so.
  std::vector<Index> user_columns = {};
  TableRows tables = TableRows::floats;
  std::size_t contexts = 1;  // requests that are scored at the same time
};

class Ranker {
 public:
  virtual ~Ranker() = default;

  const Interface& interface() const { return interface_; }
  virtual const plait::Model<float>& model() const = 0;
  // Of raw rows.
  virtual std::span<const plait::Feature> features() const { return {}; }

  // scores [B, 1, columns] of the candidates of a request that parse_request made for this
  // interface. Calls with different contexts may run at the same time. Locks nothing, and allocates
  // for nothing but a request with more raw values than any before. Throws RequestError for a value
  // that its feature cannot take.
  void score(std::size_t context, Request& request, plait::View3<float> scores) const;

 protected:
  Ranker(std::vector<plait::Head> heads, Interface interface)
      : heads_(std::move(heads)), interface_(std::move(interface)) {}

 private:
  virtual void compute_logits(std::size_t context, Request& request,
                              plait::View3<float> logits) const = 0;

  std::vector<plait::Head> heads_;
  Interface interface_;
};

// Loads a model file, which replays its self-test rows, and scores a candidate of zeros, or without
// any value, with every context. Throws ModelError when the file says not what the model predicts,
// the options are not for such a model or the candidate's scores are not finite, and as
// plait::load, plait::load_with_encoder and plait::Scorer do.
std::unique_ptr<const Ranker> load_ranker(const std::string& path, const RankerOptions& options);

}  // namespace service
