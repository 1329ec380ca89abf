# cmake -DBEFORE=<program> -DAFTER=<program> -P same_output.cmake: fails unless both print the same,
# and anything at all.
foreach(program BEFORE AFTER)
  execute_process(COMMAND ${${program}} OUTPUT_VARIABLE ${program}_said COMMAND_ERROR_IS_FATAL ANY)
endforeach()
if(BEFORE_said STREQUAL "" OR NOT BEFORE_said STREQUAL AFTER_said)
  message(FATAL_ERROR "before:\n${BEFORE_said}\nafter:\n${AFTER_said}")
endif()
