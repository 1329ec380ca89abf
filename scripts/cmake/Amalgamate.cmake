# The library as the few files of scripts/amalgamate.py, with all other headers' names forwarding to
# them: whatever the tests include, they compile these files. Written again when a header changes.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(amalgamation ${PROJECT_BINARY_DIR}/amalgamated)
file(GLOB_RECURSE plait_headers CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/include/plait/*.hpp ${PROJECT_SOURCE_DIR}/include/plait/*.inl)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             ${plait_headers} ${PROJECT_SOURCE_DIR}/scripts/amalgamate.py)
execute_process(COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/amalgamate.py
                        ${amalgamation} --forward
                COMMAND_ERROR_IS_FATAL ANY)
target_include_directories(plait INTERFACE ${amalgamation})
