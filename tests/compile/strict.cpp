// A user's unit under flags that leave nothing out; compiled with optimisation, which is when GCC
// looks for uninitialised numbers.
#include <plait/methods.hpp>
#include <plait/plait.hpp>

#include "everything.hpp"

int main() { use_everything(); }
