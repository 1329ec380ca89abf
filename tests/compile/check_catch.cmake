# cmake -P check_catch.cmake <directory of tests>
#
# Reads the tests and fails, listing every violation, unless they include Catch2 by
# support/catch.hpp and qualify only names that 3.x has, and 2.13 by that header.
cmake_minimum_required(VERSION 3.22)

set(matchers ContainsSubstring EndsWith Message StartsWith WithinAbs WithinRel)
list(TRANSFORM matchers PREPEND Catch::Matchers::)

set(root ${CMAKE_ARGV3})
file(GLOB_RECURSE files RELATIVE ${root} ${root}/*.cpp ${root}/*.hpp ${root}/*.inl)
list(FILTER files EXCLUDE REGEX "^compile/samples/|^support/(catch\\.hpp|main\\.cpp)$")
if(NOT files)
  message(FATAL_ERROR "no tests in ${root}")
endif()

set(violations)
foreach(file IN LISTS files)
  file(READ ${root}/${file} text)
  string(REGEX MATCHALL "Catch::[A-Za-z_:]+|namespace Catch|<catch2/[^>]+>" names "${text}")
  list(REMOVE_DUPLICATES names)
  list(REMOVE_ITEM names ${matchers})
  foreach(name IN LISTS names)
    string(APPEND violations "\n  ${file}: ${name}")
  endforeach()
endforeach()

if(violations)
  message(FATAL_ERROR "not of both versions of Catch2:${violations}")
endif()
