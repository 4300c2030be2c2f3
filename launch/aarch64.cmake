# Cross-builds for aarch64 with Debian's compilers, and runs the tests under qemu:
#   cmake --preset release -DCMAKE_TOOLCHAIN_FILE=$PWD/launch/aarch64.cmake
# tests/install/ports.sh names the packages, and does it in a fresh root.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(PKG_CONFIG_EXECUTABLE aarch64-linux-gnu-pkg-config)
# From version 8 on. Older ones keep a record of every page, those of an arena's unused address space included, and take
# all of a machine's memory.
find_program(RF_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(RF_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${RF_QEMU})
endif()
