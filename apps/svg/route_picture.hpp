// A plan's routes as a picture: from the input at the bottom, level by level, to the tasks at the
// top.
//
//   bar             a slot of the input
//   box             an expert; a line from the slot that it reads
//   disc            a unit with a gate; thin lines from the experts that it weighs, and a dotted
//                   one from the slot that its gate reads
//   ring            a unit with static weights; thick lines from the experts that have them
//   ring and disc   a unit with both
//   dashes          a stop-gradient: the expert does not learn from that unit
//
// The colour of an expert, a unit and its lines is that of the task whose they are (svg/
// route_owners.hpp), grey is nobody's. Shared experts and units stand in the middle.
#pragma once
#include <string>
#include <vector>

#include "plait/fusion/route.hpp"

namespace svg {

struct RoutePictureOptions {
  std::string title{};               // read to those who do not see it
  std::vector<std::string> tasks{};  // their names; "task 1" and so on where there is none
};

// An <svg> of its own, with its style for light and dark screens, 320 wide and as high as there are
// levels, the same bytes everywhere. Of rows of more than 12 the first 7 and the last 4 are drawn,
// with the lines between what is drawn, and the number of the others. Throws std::out_of_range for
// routes that lead nowhere.
std::string route_picture(const plait::Plan& plan, const RoutePictureOptions& options = {});

}  // namespace svg
