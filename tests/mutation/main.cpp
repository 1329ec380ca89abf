// One check: prints what fails; the exit status is 1 if anything does.
#include <iostream>

#include "mutation/checks.hpp"

int main() {
  const std::string wrong = checks::run();
  std::cout << wrong << '\n';
  return wrong.empty() ? 0 : 1;
}
