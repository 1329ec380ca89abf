# cmake -P check_includes.cmake <include directory>
#
# Reads the #include lines of plait's headers and fails, listing every violation, unless
#  * includes between folders follow the order below,
#  * nothing includes the umbrellas; plait.hpp includes everything but the testing tools, the
#    reference kernels, io, methods, sparse and features, io.hpp all of io, methods.hpp all of
#    methods, embeddings.hpp all of sparse, features and what
#    serves them,
#  * plait's own files are included as "plait/...",
#  * what is compiled for every instruction set (*.inl) includes nothing, and a header that may
#    include it names it as PLAIT_EACH_SET for kernels/each_set.hpp,
#  * third-party headers are Eigen's narrow ones, in io nlohmann-json's and POSIX's, and in sparse
#    POSIX's.
cmake_minimum_required(VERSION 3.22)

set(may_include_core core)
set(may_include_kernels core kernels)
set(may_include_layers core kernels layers)
set(may_include_fusion core kernels layers fusion)
set(may_include_architectures core kernels layers fusion architectures)
set(may_include_losses core kernels losses)
set(may_include_model core layers fusion architectures losses model)
set(may_include_optim core kernels optim)
set(may_include_metrics core kernels losses metrics)
set(may_include_methods core kernels optim methods)
set(may_include_penalties core kernels layers fusion methods penalties)
set(may_include_sparse core kernels optim sparse)
set(may_include_features core sparse features)
set(may_include_train core kernels layers losses model optim metrics methods penalties sparse train)
set(may_include_serve core kernels layers model sparse serve)
set(may_include_inspect core kernels losses model train inspect)
set(may_include_io core kernels layers losses model optim methods inspect sparse features train io)
set(may_include_testing core kernels layers model testing)

set(root ${CMAKE_ARGV3})
file(GLOB_RECURSE headers RELATIVE ${root} ${root}/plait/*.hpp)
file(GLOB_RECURSE set_files RELATIVE ${root} ${root}/plait/*.inl)
set(each_set plait/kernels/each_set.hpp)
if(NOT headers AND NOT set_files)
  message(FATAL_ERROR "no headers in ${root}")
endif()

set(violations)
macro(report text)
  string(APPEND violations "\n  ${header}: ${text}")
endmacro()

set(umbrellas plait/plait.hpp plait/embeddings.hpp plait/io.hpp plait/methods.hpp)
set(in_umbrellas)
set(used_set_files)
foreach(header IN LISTS headers)
  file(STRINGS ${root}/${header} includes
       REGEX "^[ \t]*#[ \t]*(include|define[ \t]+PLAIT_EACH_SET)")
  string(REGEX MATCH "^plait/([^/]+)/" in_folder ${header})
  set(folder ${CMAKE_MATCH_1})
  if(in_folder AND NOT DEFINED may_include_${folder})
    report("${folder} has no place in the order of folders")
  endif()
  foreach(include IN LISTS includes)
    string(REGEX MATCH "[<\"]([^>\"]+)[>\"]" quoted "${include}")
    set(path ${CMAKE_MATCH_1})
    if(include MATCHES "PLAIT_EACH_SET")
      list(APPEND used_set_files ${path})
    endif()
    if(NOT quoted)
      if(NOT header STREQUAL each_set)
        report("write \"plait/...\" instead of a macro")
      endif()
    elseif(header IN_LIST umbrellas)
      list(APPEND in_umbrellas "${header} ${path}")
    elseif(path IN_LIST umbrellas)
      report("only users include ${path}")
    elseif(path MATCHES "^plait/([^/]+)/")
      if(NOT CMAKE_MATCH_1 IN_LIST may_include_${folder})
        report("${folder} may not include ${path}")
      endif()
    elseif(quoted MATCHES "^\"" AND NOT path MATCHES "^plait/")
      report("write \"plait/...\" instead of ${quoted}")
    elseif(folder STREQUAL "io" AND path MATCHES "^(nlohmann|sys)/"
           OR folder STREQUAL "sparse" AND path MATCHES "^sys/")
      continue()
    elseif(path MATCHES "/" AND NOT path MATCHES "^(plait|Eigen)/"
           OR path MATCHES "^Eigen/(Dense|Eigen)$")
      report("${folder} may not include ${quoted}")
    endif()
  endforeach()
endforeach()

foreach(header IN LISTS set_files)
  file(STRINGS ${root}/${header} includes REGEX "^[ \t]*#[ \t]*include")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*" "" include "${include}")
    report("may not include ${include}")
  endforeach()
  if(NOT header IN_LIST used_set_files)
    report("no header compiles it")
  endif()
endforeach()

foreach(header IN LISTS headers)
  # kernels/each_set.hpp is nothing without a file to compile.
  if(header IN_LIST umbrellas OR header STREQUAL each_set
     OR header MATCHES "^plait/(testing/|kernels/reference\\.hpp)")
    continue()
  elseif(header MATCHES "^plait/io/")
    set(umbrella plait/io.hpp)
  elseif(header MATCHES "^plait/methods/")
    set(umbrella plait/methods.hpp)
  elseif(header MATCHES "^plait/((sparse|features)/|serve/embedding_scorer\\.hpp)")
    set(umbrella plait/embeddings.hpp)
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
