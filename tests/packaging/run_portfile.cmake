# cmake -DROOT=<repository> -DGENERATOR=<g> -DCOMPILER=<c++> -DOUTPUT=<dir> -P run_portfile.cmake
#
# Runs the vcpkg port with stand-ins for vcpkg's functions that do what those do to a package of
# headers, and checks what is installed.
cmake_minimum_required(VERSION 3.20)
set(PORT plait)
set(CURRENT_PACKAGES_DIR ${OUTPUT}/package)
set(build ${OUTPUT}/build)
file(REMOVE_RECURSE ${OUTPUT})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${build} -G ${GENERATOR} ${arg_OPTIONS}
      -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR})
endfunction()
function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --build ${build})
  run(${CMAKE_COMMAND} --install ${build})
endfunction()
# Moves the config to share/<port>, which is one directory less deep than share/cmake/<port>.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
  file(RENAME ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} ${CURRENT_PACKAGES_DIR}/share/${PORT})
  file(REMOVE_RECURSE ${CURRENT_PACKAGES_DIR}/share/cmake)
endfunction()
function(vcpkg_fixup_pkgconfig)
  foreach(file plait plait-io)
    if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/share/pkgconfig/${file}.pc)
      message(FATAL_ERROR "no ${file}.pc")
    endif()
  endforeach()
endfunction()
function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(READ ${arg_FILE_LIST} licence)
  file(WRITE ${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright "${licence}")
endfunction()

include(${ROOT}/packaging/vcpkg/plait/portfile.cmake)

file(GLOB_RECURSE installed RELATIVE ${CURRENT_PACKAGES_DIR} ${CURRENT_PACKAGES_DIR}/*)
foreach(file include/plait/plait.hpp include/plait/io.hpp
             include/plait/kernels/each_set/packet.inl share/plait/plaitConfig.cmake
             share/plait/plaitConfigVersion.cmake share/plait/plaitTargets.cmake
             share/plait/copyright share/plait/usage)
  if(NOT file IN_LIST installed)
    message(FATAL_ERROR "the port does not install ${file}, but ${installed}")
  endif()
endforeach()
# vcpkg's own rules for ports: nothing beside include and share.
list(FILTER installed EXCLUDE REGEX "^(include/plait|share/(plait|pkgconfig))/")
if(installed)
  message(FATAL_ERROR "the port installs ${installed}")
endif()
