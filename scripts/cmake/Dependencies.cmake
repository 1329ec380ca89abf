# Dependencies: the system's package first, else a pinned archive. Each macro may be called more
# than once; macros, not functions, because packages set variables that their users read.
include(FetchContent)

# Downloads and adds a pinned archive; its headers then give no warnings, like a package's.
macro(plait_fetch name target url sha256)
  message(STATUS "No package ${name} found: fetching ${url}")
  FetchContent_Declare(${name} URL ${url} URL_HASH SHA256=${sha256})
  FetchContent_MakeAvailable(${name})
  get_target_property(plait_include_dirs ${target} INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES
                                             "${plait_include_dirs}")
endmacro()

macro(plait_require_eigen)
  if(NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 3.4 QUIET NO_MODULE)
  endif()
  if(NOT TARGET Eigen3::Eigen)
    # Unpacked only: Eigen's own CMakeLists builds its tests, its BLAS and its documentation.
    FetchContent_Declare(Eigen3
      URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
      URL_HASH SHA256=8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72
      SOURCE_SUBDIR headers-only)
    FetchContent_MakeAvailable(Eigen3)
    add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
    target_include_directories(Eigen3::Eigen SYSTEM INTERFACE ${eigen3_SOURCE_DIR})
  endif()
endmacro()

macro(plait_require_json)
  if(NOT TARGET nlohmann_json::nlohmann_json)
    find_package(nlohmann_json 3.10 QUIET)
  endif()
  if(NOT TARGET nlohmann_json::nlohmann_json)
    set(JSON_BuildTests OFF CACHE INTERNAL "")
    set(JSON_Install ${PLAIT_INSTALL} CACHE INTERNAL "")  # an installed plait::io finds it
    plait_fetch(nlohmann_json nlohmann_json
      https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
      d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)
  endif()
endmacro()

# Catch2 2.13 or 3.x. Also defines catch_discover_tests.
macro(plait_require_catch2)
  find_package(Catch2 QUIET)
  if(NOT TARGET Catch2::Catch2)
    plait_fetch(Catch2 Catch2
      https://github.com/catchorg/Catch2/archive/refs/tags/v3.4.0.tar.gz
      122928b814b75717316c71af69bd2b43387643ba076a6ec16e7882bfb2dfacbb)
    list(APPEND CMAKE_MODULE_PATH ${catch2_SOURCE_DIR}/extras)
  endif()
  include(Catch)
endmacro()

macro(plait_require_cli11)
  if(NOT TARGET CLI11::CLI11)
    find_package(CLI11 QUIET)
  endif()
  if(NOT TARGET CLI11::CLI11)
    plait_fetch(CLI11 CLI11
      https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
      26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb)
  endif()
endmacro()

macro(plait_require_benchmark)
  if(NOT TARGET benchmark::benchmark)
    find_package(benchmark QUIET)
  endif()
  if(NOT TARGET benchmark::benchmark)
    set(BENCHMARK_ENABLE_TESTING OFF CACHE INTERNAL "")
    set(BENCHMARK_ENABLE_INSTALL OFF CACHE INTERNAL "")
    plait_fetch(benchmark benchmark
      https://github.com/google/benchmark/archive/refs/tags/v1.9.4.tar.gz
      b334658edd35efcf06a99d9be21e4e93e092bd5f95074c1673d5c8705d95c104)
  endif()
endmacro()

# Boost's headers, found or not: too much to fetch for an app. The target Boost::headers tells.
macro(plait_find_boost)
  if(NOT TARGET Boost::headers)
    find_package(Boost 1.74 QUIET CONFIG)
  endif()
endmacro()
