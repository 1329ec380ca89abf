# cmake -DPROGRAM=<route_pictures> -DDIRECTORY=<to write to> -P check_wrong.cmake
#
# What the program has written it finds right, and afterwards what was changed, added and removed.
file(REMOVE_RECURSE ${DIRECTORY})
file(MAKE_DIRECTORY ${DIRECTORY})

function(expect arguments expected_code expected)
  execute_process(COMMAND ${PROGRAM} ${arguments}
                  RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL expected_code OR NOT "${out}${err}" STREQUAL "${expected}")
    message(FATAL_ERROR "'${arguments}': code ${code}, printed:\n${out}${err}")
  endif()
endfunction()

expect("${DIRECTORY}" 0 "")
expect("--check;${DIRECTORY}" 0 "")
file(APPEND ${DIRECTORY}/MMoE.svg " ")
file(REMOVE ${DIRECTORY}/PLE.svg)
file(WRITE ${DIRECTORY}/Other.svg "")
file(WRITE ${DIRECTORY}/notes.txt "")
expect("--check;${DIRECTORY}" 1
       "MMoE.svg differs\nOther.svg is of no architecture\nPLE.svg is missing\nroute_pictures ${DIRECTORY} writes them anew\n")
