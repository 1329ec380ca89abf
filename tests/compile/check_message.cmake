# cmake -DCOMPILER=<c++> -DINCLUDES=<folders> -DSOURCE=<file> -DENTRY=<call> -DRESULT=<file>
#       -DMESSAGE=<regex> -P check_message.cmake
#
# Fails unless the source with the call for ENTRY, written to the result, has exactly one error, with
# this message, and the compiler takes no more than 15 lines to say so.
file(READ ${SOURCE} code)
string(REPLACE "ENTRY;" "${ENTRY};" code "${code}")
file(WRITE ${RESULT} "${code}")
list(TRANSFORM INCLUDES PREPEND -idirafter)
execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${INCLUDES} ${RESULT}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REGEX MATCHALL "error:" errors "${output}")
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH errors error_count)
list(LENGTH lines line_count)
if(result EQUAL 0 OR NOT output MATCHES "${MESSAGE}" OR error_count GREATER 1 OR line_count GREATER 15)
  message(FATAL_ERROR "${ENTRY}: ${error_count} errors in ${line_count} lines, expected one, "
                      "\"${MESSAGE}\", in 15:\n${output}")
endif()
