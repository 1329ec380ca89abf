# cmake -P check_includes.cmake <include directory>
#
# Reads the #include lines of plait's headers and fails, listing every violation, unless
#  * includes between folders follow the order below,
#  * nothing includes the umbrellas; plait.hpp includes everything but the testing tools, the
#    reference kernels and io, and io.hpp all of io,
#  * plait's own files are included as "plait/...",
#  * third-party headers are Eigen's narrow ones, and nlohmann-json's in io.
cmake_minimum_required(VERSION 3.22)

set(may_include_core core)
set(may_include_kernels core kernels)
set(may_include_layers core kernels layers)
set(may_include_losses core kernels losses)
set(may_include_optim core kernels optim)
set(may_include_metrics core kernels losses metrics)
set(may_include_train core kernels layers losses optim metrics train)
set(may_include_serve core kernels layers serve)
set(may_include_io core kernels layers losses optim serve io)
set(may_include_testing core kernels layers testing)

set(root ${CMAKE_ARGV3})
file(GLOB_RECURSE headers RELATIVE ${root} ${root}/plait/*.hpp)
if(NOT headers)
  message(FATAL_ERROR "no headers in ${root}")
endif()

set(violations)
macro(report text)
  string(APPEND violations "\n  ${header}: ${text}")
endmacro()

set(umbrellas plait/plait.hpp plait/io.hpp)
set(in_umbrellas)
foreach(header IN LISTS headers)
  file(STRINGS ${root}/${header} includes REGEX "^[ \t]*#[ \t]*include")
  string(REGEX MATCH "^plait/([^/]+)/" in_folder ${header})
  set(folder ${CMAKE_MATCH_1})
  if(in_folder AND NOT DEFINED may_include_${folder})
    report("${folder} has no place in the order of folders")
  endif()
  foreach(include IN LISTS includes)
    string(REGEX MATCH "[<\"]([^>\"]+)[>\"]" quoted "${include}")
    set(path ${CMAKE_MATCH_1})
    if(header IN_LIST umbrellas)
      list(APPEND in_umbrellas "${header} ${path}")
    elseif(path IN_LIST umbrellas)
      report("only users include ${path}")
    elseif(path MATCHES "^plait/([^/]+)/")
      if(NOT CMAKE_MATCH_1 IN_LIST may_include_${folder})
        report("${folder} may not include ${path}")
      endif()
    elseif(quoted MATCHES "^\"" AND NOT path MATCHES "^plait/")
      report("write \"plait/...\" instead of ${quoted}")
    elseif(folder STREQUAL "io" AND path MATCHES "^nlohmann/")
      continue()
    elseif(path MATCHES "/" AND NOT path MATCHES "^(plait|Eigen)/"
           OR path MATCHES "^Eigen/(Dense|Eigen)$")
      report("${folder} may not include ${quoted}")
    endif()
  endforeach()
endforeach()

foreach(header IN LISTS headers)
  if(header IN_LIST umbrellas OR header MATCHES "^plait/(testing/|kernels/reference\\.hpp)")
    continue()
  elseif(header MATCHES "^plait/io/")
    set(umbrella plait/io.hpp)
  else()
    set(umbrella plait/plait.hpp)
  endif()
  if(EXISTS ${root}/${umbrella} AND NOT "${umbrella} ${header}" IN_LIST in_umbrellas)
    report("missing from ${umbrella}")
  endif()
endforeach()

if(violations)
  message(FATAL_ERROR "includes:${violations}")
endif()
