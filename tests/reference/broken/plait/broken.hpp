// A header whose comments refer to what does not exist, as core/no_such_header.hpp.
#pragma once

// Throws NoSuchError for a negative x.
double root(double x);
