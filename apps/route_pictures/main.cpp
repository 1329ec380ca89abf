// route_pictures: writes the pictures that the documents show, or tells whether they are as it
// would write them.
//
//   route_pictures DIRECTORY            writes a file per architecture
//   route_pictures --check DIRECTORY    writes nothing; fails unless the directory's .svg files are
//                                       those that it would write, byte for byte
#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "pictures.hpp"

namespace pictures {
namespace {

namespace fs = std::filesystem;

void write(const File& file, const fs::path& directory) {
  const fs::path path = directory / file.name;
  std::ofstream out(path, std::ios::binary);
  out << file.content;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.generic_string());
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What is not as it would be written, sorted.
std::vector<std::string> differences(const std::vector<File>& files, const fs::path& directory) {
  std::vector<std::string> found;
  for (const File& file : files) {
    const fs::path path = directory / file.name;
    if (!fs::exists(path))
      found.push_back(file.name + " is missing");
    else if (content_of(path) != file.content)
      found.push_back(file.name + " differs");
  }
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().generic_string();
    if (entry.path().extension() == ".svg" &&
        std::ranges::find(files, name, &File::name) == files.end())
      found.push_back(name + " is of no architecture");
  }
  std::ranges::sort(found);
  return found;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 1 && !arguments.front().starts_with('-')) {
    for (const File& file : files()) write(file, arguments.front());
    return 0;
  }
  if (arguments.size() != 2 || arguments.front() != "--check") {
    std::cerr << "usage: route_pictures [--check] DIRECTORY\n";
    return 2;
  }
  const auto found = differences(files(), arguments.back());
  for (const std::string& what : found) std::cerr << what << '\n';
  if (found.empty()) return 0;
  std::cerr << "route_pictures " << arguments.back() << " writes them anew\n";
  return 1;
}

}  // namespace
}  // namespace pictures

int main(int argc, char** argv) {
  try {
    return pictures::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "route_pictures: " << error.what() << '\n';
    return 2;
  }
}
