// A stream of impressions whose users change their mind.
//
//   p_t = σ(2 <w_t, x> + b_t),  x ~ N(0, I)
//   w_t ∝ a + c_t / 2,          a and c_t turning in planes of their own
//
// Every impression turns the directions a little further, so that what a model learned of them goes
// out of date. The tasks share a: what one learns of the turn helps the others.
#pragma once
#include <cstdint>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/random.hpp"
#include "plait/core/view.hpp"
#include "plait/losses/head.hpp"

namespace online {

using plait::Index;

struct Impressions {
  plait::Matrix<float> x;       // [rows, inputs]
  plait::Matrix<float> labels;  // [rows, tasks]
};

class Stream {
 public:
  static constexpr Index inputs = 16;
  static std::vector<plait::Head> heads();  // click, like, buy

  // One seed, one stream.
  explicit Stream(std::uint64_t seed);

  // The next impressions, each turning the directions by `turn` radians.
  Impressions next(Index rows, double turn);

 private:
  // A direction that turns from one unit vector to another, orthogonal one.
  struct Turning {
    plait::Matrix<double> from, to;  // [1, inputs]
  };
  Turning draw();

  plait::Random random_;
  Turning shared_;
  std::vector<Turning> own_;  // by task
  double angle_ = 0;
};

}  // namespace online
