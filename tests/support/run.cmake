# Runs PROGRAM with ARGUMENTS and fails unless it ends with CODE and prints what matches OUTPUT: on
# stdout for code 0, and as all that it prints, on stderr, for any other.
execute_process(COMMAND ${PROGRAM} ${ARGUMENTS}
                RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT code STREQUAL CODE)
  message(FATAL_ERROR "exit code ${code}, expected ${CODE}\n${out}${err}")
endif()
set(printed "${out}")
if(NOT CODE EQUAL 0)
  if(NOT out STREQUAL "")
    message(FATAL_ERROR "stdout is not empty:\n${out}")
  endif()
  set(printed "${err}")
endif()
if(NOT printed MATCHES "${OUTPUT}")
  message(FATAL_ERROR "expected a match of '${OUTPUT}', printed:\n${printed}")
endif()
