# Cross-builds for aarch64 with Debian's compilers, and runs the tests under qemu:
#   cmake --preset release -DCMAKE_TOOLCHAIN_FILE=launch/aarch64.cmake
# tests/install/aarch64.sh names the packages, and does it in a fresh root.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(PKG_CONFIG_EXECUTABLE aarch64-linux-gnu-pkg-config)
# qemu keeps a record of every page, those of an arena's unused address space included: under a limit on it the program
# reserves less (a quarter of 6 GiB here; without, one test took 24 GiB of memory).
set(CMAKE_CROSSCOMPILING_EMULATOR prlimit --as=6442450944 qemu-aarch64-static)
