# cmake -DPREFIX=<installed> -DPROJECT=<consumer> -DCOMPILER=<c++> -DVERSION=<v> -DOUTPUT=<dir> -P ...
#
# Builds and runs the consumer's programs with what pkg-config says, and no build system.
function(ask result)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${PREFIX}/share/pkgconfig
                          pkg-config ${ARGN}
                  OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  set(${result} "${answer}" PARENT_SCOPE)
endfunction()

ask(version --modversion plait)
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "plait.pc has version ${version}, the library ${VERSION}")
endif()

file(MAKE_DIRECTORY ${OUTPUT})
foreach(pair plait:main plait-io:io)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 package)
  list(GET pair 1 program)
  ask(flags --cflags --libs ${package})
  if("${flags}" MATCHES "-(march|m|f|O|W|std|D)")
    message(FATAL_ERROR "${package}.pc gives ${flags}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(COMMAND ${COMPILER} -std=c++20 ${PROJECT}/${program}.cpp ${flags}
                          -o ${OUTPUT}/${program}
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${OUTPUT}/${program} WORKING_DIRECTORY ${OUTPUT}
                  COMMAND_ERROR_IS_FATAL ANY)
endforeach()
