# Toolchain: Windows on x86-64 from a Linux machine; programs run under wine. Used by scripts/portability.sh.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_CXX_FLAGS_INIT -Wa,-mbig-obj)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
