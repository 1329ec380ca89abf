// Errors of files: what() names the file, the part of it, what was found and what was expected.
#pragma once
#include "plait/core/error.hpp"

namespace plait {

// The operating system refused: a file that cannot be opened, read, written or renamed.
class FileError : public Error {
  using Error::Error;
};

// The file was read and is not what it should be: torn, corrupt, or of another kind.
class FormatError : public Error {
  using Error::Error;
};

}  // namespace plait
