# Fails unless the document shows the program to the letter, as a block of C++.
file(READ ${DOCUMENT} document)
file(READ ${PROGRAM} program)
string(FIND "${document}" "```cpp\n${program}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${DOCUMENT} does not show ${PROGRAM}")
endif()
