# What the machine that runs the program must be, and how the compiler is told to use all of it.
# For a test: cmake -DCMAKE_C_BYTE_ORDER=BIG_ENDIAN -DCMAKE_SIZEOF_VOID_P=8 -P launch/platform.cmake
# (In a build both are what project() found out by compiling, whatever the command line says of them.)

# The same words as in include/reformer/real.h, which tells those who build without CMake.
if(CMAKE_C_BYTE_ORDER STREQUAL "BIG_ENDIAN")
  set(machine ${CMAKE_SYSTEM_PROCESSOR})
  if(NOT machine)
    set(machine "this machine")
  endif()
  message(FATAL_ERROR "${machine} is big-endian, and reformer needs a little-endian machine: token files, "
    "safetensors and bfloat16 are read as they lie in memory. Allowed: a little-endian machine of 64 bits (x86-64 and "
    "aarch64 are tested). No option changes this.")
endif()
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  math(EXPR bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  set(compiler ${CMAKE_C_COMPILER})
  if(NOT compiler)
    set(compiler "the compiler")
  endif()
  message(FATAL_ERROR "${compiler} makes programs of ${bits} bits, and reformer needs 64 (LP64): its arrays and "
    "files outgrow a smaller address space. Allowed: a little-endian machine of 64 bits (x86-64 and aarch64 are tested). "
    "If this is one, look for -m32 in CFLAGS.")
endif()

# Sets rf_native_flag: what makes the compiler use every instruction of this machine, or nothing. On x86, gcc and clang
# call it -march=native. Elsewhere -mcpu=native is the one that also schedules for the processor, or the only one. A cross
# compiler has no such machine: one for x86 on x86 would take the flag and mean the wrong one.
function(rf_find_native_flag)
  set(rf_native_flag "" PARENT_SCOPE)
  if(CMAKE_CROSSCOMPILING)
    message(STATUS "RF_NATIVE has no effect when cross-compiling: name the processor in CMAKE_C_FLAGS (-mcpu=...)")
    return()
  endif()
  include(CheckCCompilerFlag)
  set(flags -mcpu=native -march=native)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(flags -march=native)
  endif()
  foreach(flag IN LISTS flags)
    string(MAKE_C_IDENTIFIER "RF_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      set(rf_native_flag ${flag} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(WARNING "${CMAKE_C_COMPILER} does not know this machine (tried: ${flags}): built for any ${CMAKE_SYSTEM_PROCESSOR}. "
    "Name the processor in CMAKE_C_FLAGS, and set RF_NATIVE to OFF.")
endfunction()
