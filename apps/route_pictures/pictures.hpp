// Which architectures are drawn for the documents, and how large they are there.
#pragma once
#include <string>
#include <vector>

namespace pictures {

struct File {
  std::string name;  // of the architecture, with ".svg"
  std::string content;
};

// Every architecture that is made of routes, or of connections that routes can say, and the example
// of one's own, with few experts and two tasks (of trees and chains: three).
std::vector<File> files();

}  // namespace pictures
