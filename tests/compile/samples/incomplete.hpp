// Does not compile alone: <string> is missing.
#pragma once
inline std::string incomplete() { return {}; }
