// A check of scripts/mutation_test.py: a source of this directory that defines run(), and with
// main.cpp a program. There are several, so that a mutation compiles what sees it and little more.
#pragma once
#include <string>

namespace checks {

// What is wrong, or nothing.
std::string run();

}  // namespace checks
