# cmake -DPROGRAM=<training_loop> -DDIRECTORY=<of its files> -P resume.cmake
#
# Fails unless the program trains, tests and saves, and, started again after it lost its newest
# checkpoint, goes on from the one before it and prints what it printed the first time.
function(run result)
  execute_process(COMMAND ${PROGRAM} ${DIRECTORY} OUTPUT_VARIABLE output ERROR_VARIABLE errors
                  RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "exit code ${code}: ${errors}")
  endif()
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${DIRECTORY})
run(first)
if(NOT first MATCHES "^epoch  1  loss .* best\n.*\nepoch [0-9]+ on the rows of the test:  click auc 0\\.8.*\nsaved [^\n]*\n$")
  message(FATAL_ERROR "it printed\n${first}")
endif()

file(GLOB checkpoints ${DIRECTORY}/checkpoint-*.safetensors)
list(SORT checkpoints)
list(POP_BACK checkpoints newest)
file(REMOVE ${newest})
run(second)
if(NOT second MATCHES "^goes on after epoch [0-9]+, from [^\n]*\n(epoch .*)$")
  message(FATAL_ERROR "started again, it printed\n${second}")
endif()
set(rest "${CMAKE_MATCH_1}")
string(LENGTH "${first}" length)
string(LENGTH "${rest}" rest_length)
math(EXPR begin "${length} - ${rest_length}")
string(SUBSTRING "${first}" ${begin} -1 expected)
if(NOT rest STREQUAL expected)
  message(FATAL_ERROR "at first it printed\n${first}\nand then\n${second}")
endif()
