# cmake -DROOT=<repository> -DINPUT=<headers> -DOUTPUT=<directory> -P run_doxygen.cmake
#
# Makes the reference of some headers with the project's own settings; fails when Doxygen warns.
file(READ ${ROOT}/docs/Doxyfile settings)
file(MAKE_DIRECTORY ${OUTPUT})
file(WRITE ${OUTPUT}/Doxyfile "${settings}\nINPUT = ${INPUT}\nOUTPUT_DIRECTORY = ${OUTPUT}\n")
execute_process(COMMAND doxygen ${OUTPUT}/Doxyfile WORKING_DIRECTORY ${ROOT} RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "doxygen ended with ${code}")
endif()
if(NOT EXISTS ${OUTPUT}/html/index.html)
  message(FATAL_ERROR "doxygen wrote no reference")
endif()
