# cmake -P check_includes.cmake <include directory>
#
# Reads the #include lines of plait's headers and fails, listing every violation, unless
#  * includes between folders follow the order below,
#  * nothing includes the umbrella, and the umbrella includes everything but the testing tools
#    and the reference kernels,
#  * plait's own files are included as "plait/...",
#  * third-party headers are Eigen's narrow ones.
cmake_minimum_required(VERSION 3.22)

set(may_include_core core)
set(may_include_kernels core kernels)
set(may_include_layers core kernels layers)
set(may_include_losses core kernels losses)
set(may_include_optim core kernels optim)
set(may_include_metrics core kernels losses metrics)
set(may_include_train core kernels layers losses optim metrics train)
set(may_include_serve core kernels layers serve)
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

set(in_umbrella)
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
    if(header STREQUAL "plait/plait.hpp")
      list(APPEND in_umbrella ${path})
    elseif(path STREQUAL "plait/plait.hpp")
      report("only users include plait/plait.hpp")
    elseif(path MATCHES "^plait/([^/]+)/")
      if(NOT CMAKE_MATCH_1 IN_LIST may_include_${folder})
        report("${folder} may not include ${path}")
      endif()
    elseif(quoted MATCHES "^\"" AND NOT path MATCHES "^plait/")
      report("write \"plait/...\" instead of ${quoted}")
    elseif(path MATCHES "/" AND NOT path MATCHES "^(plait|Eigen)/"
           OR path MATCHES "^Eigen/(Dense|Eigen)$")
      report("${folder} may not include ${quoted}")
    endif()
  endforeach()
endforeach()

if(EXISTS ${root}/plait/plait.hpp)
  foreach(header IN LISTS headers)
    if(NOT header IN_LIST in_umbrella
       AND NOT header MATCHES "^plait/(plait\\.hpp|testing/|kernels/reference\\.hpp)")
      report("missing from plait/plait.hpp")
    endif()
  endforeach()
endif()

if(violations)
  message(FATAL_ERROR "includes:${violations}")
endif()
