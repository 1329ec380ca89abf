# cmake -DMODE= -DSOURCE= -DPREFIX= -DPROJECTS= -DCOMPILER= -DOUTPUT= -P export.cmake
#
# Builds and installs a library that links plait and exports itself, and runs a program that finds it.
file(REMOVE_RECURSE ${OUTPUT})
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
set(options -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${OUTPUT}/prefix)
if(PREFIX)  # where plait is installed
  list(APPEND options -Dplait_ROOT=${PREFIX})
endif()
run(${CMAKE_COMMAND} -S ${PROJECTS}/exports -B ${OUTPUT}/exports -DMODE=${MODE}
    -DPLAIT_SOURCE=${SOURCE} -DCMAKE_INSTALL_PREFIX=${OUTPUT}/prefix ${options})
run(${CMAKE_COMMAND} --build ${OUTPUT}/exports)
run(${CMAKE_COMMAND} --install ${OUTPUT}/exports)
run(${CMAKE_COMMAND} -S ${PROJECTS}/imports -B ${OUTPUT}/imports ${options})
run(${CMAKE_COMMAND} --build ${OUTPUT}/imports)
run(${OUTPUT}/imports/imports)
