# Fails unless README.md under ROOT shows examples/quickstart/main.cpp to the letter and every relative
# link in it names an existing file.
file(READ ${ROOT}/README.md readme)
file(READ ${ROOT}/examples/quickstart/main.cpp program)
string(FIND "${readme}" "```cpp\n${program}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "README.md does not show examples/quickstart/main.cpp")
endif()

# Square brackets would keep CMake from splitting the list.
string(REPLACE "](" "link<" readme "${readme}")
string(REGEX MATCHALL "link<[^)]+" links "${readme}")
foreach(link IN LISTS links)
  string(REPLACE "link<" "" target "${link}")
  if(NOT "${target}" MATCHES "^https?://" AND NOT EXISTS "${ROOT}/${target}")
    message(FATAL_ERROR "README.md links to ${target}, which does not exist")
  endif()
endforeach()
