# Everything that the program is built on: what it is called, which packages bring it, how it is found. CMakeLists.txt
# is built on it, and launch/setup.sh asks it what to install: cmake -DRF_LIST_MISSING=ON writes three lines into
# missing-packages in the build folder, and stops: what is missing, for Debian and for Spack, and what it can do
# without, for Debian. Where there is no cmake to ask yet, setup.sh reads the table. A name with a + is a case of the
# one before it that only CMake can tell.
set(rf_packages [[
name          | what                                              | Debian                        | Spack
pkg-config    | pkg-config                                        | pkg-config                    | pkgconf
mpi           | MPI 3.1 or newer, with mpicc                      | libopenmpi-dev                | openmpi
mpirun        | mpirun or mpiexec                                 | openmpi-bin                   | openmpi
mpirun+mpich  | mpirun or mpiexec of MPICH                        | mpich                         | mpich
openmp        | OpenMP for the compiler                           | gcc                           | gcc
openmp+clang  | OpenMP for clang                                  | libomp-dev                    | llvm-openmp
openblas      | OpenBLAS, with its cblas.h                        | libopenblas-openmp-dev        | openblas
openblas+clang | OpenBLAS, with its cblas.h                       | libopenblas-serial-dev        | openblas threads=none
hdf5          | HDF5 1.10 or newer, serial or parallel            | libhdf5-dev                   | hdf5
yaml          | libyaml                                           | libyaml-dev                   | libyaml
jansson       | jansson                                           | libjansson-dev                | jansson
xxhash        | xxHash                                            | libxxhash-dev                 | xxhash
cmocka        | cmocka (or configure with -DRF_TESTS=OFF)         | libcmocka-dev                 | cmocka
xsmm          | libxsmm 1 (without it, OpenBLAS serves: slower)   | libxsmm-dev                   | libxsmm
]])
option(RF_XSMM "multiply in float by libxsmm where it is installed" ON)
option(RF_TESTS "build the tests (needs cmocka)" ON)

# rf_note(LIST NAME FOUND): one more that is missing, unless FOUND is true: LIST, LIST_debian and LIST_spack. What was
# found and will not do is said by rf_but.
set(rf_but "")
macro(rf_note list name found)
  if(NOT ${found})
    string(REPLACE "+" "\\+" rf_row "${name}")
    if(NOT rf_packages MATCHES "\n${rf_row} *\\| *([^|]*[^| ]) *\\| *([^| ]+) *\\| *([^\n]+)")
      message(FATAL_ERROR "launch/packages.cmake has no row '${name}'")
    endif()
    string(APPEND ${list} "\n    ${CMAKE_MATCH_1}${rf_but}")
    list(APPEND ${list}_debian ${CMAKE_MATCH_2})
    list(APPEND ${list}_spack ${CMAKE_MATCH_3})
  endif()
  set(rf_but "")
endmacro()

# rf_forget(PATTERN): what the cache holds by such names was found, and will not do: another may be there the next time.
macro(rf_forget pattern)
  get_cmake_property(rf_cached CACHE_VARIABLES)
  list(FILTER rf_cached INCLUDE REGEX "${pattern}")
  foreach(rf_variable IN LISTS rf_cached)
    unset(${rf_variable} CACHE)
  endforeach()
endmacro()

# rf_try(RESULT TARGET HEADERS CALL): whether a program that calls it is compiled and linked. A file for pkg-config or
# CMake outlives its library now and then. What was no is asked again: something may have been installed since.
include(CheckSymbolExists)
include(CMakePushCheckState)
macro(rf_try result target headers call)
  set(rf_is_whole FALSE)
  if(TARGET ${target})
    set(rf_is_whole TRUE)
    get_target_property(rf_folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    foreach(rf_folder IN LISTS rf_folders)
      if(IS_ABSOLUTE "${rf_folder}" AND NOT EXISTS "${rf_folder}") # an error to CMake
        set(rf_is_whole FALSE)
      endif()
    endforeach()
  endif()
  if(rf_is_whole)
    cmake_push_check_state(RESET)
    set(CMAKE_REQUIRED_LIBRARIES ${target} ${ARGN})
    set(CMAKE_REQUIRED_QUIET TRUE)
    check_symbol_exists(${call} "${headers}" ${result})
    cmake_pop_check_state()
  endif()
  if(NOT rf_is_whole OR NOT ${result})
    rf_forget("^${result}$")
  endif()
endmacro()

# rf_need_pkg(PREFIX MODULE HEADERS CALL NAME): a library with a file for pkg-config, as the target PkgConfig::PREFIX.
macro(rf_need_pkg prefix module headers call name)
  rf_find_pkg(${prefix} ${module} "${headers}" ${call})
  rf_note(rf_missing ${name} RF_${prefix}_WORKS)
endmacro()

macro(rf_find_pkg prefix module headers call)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
    rf_try(RF_${prefix}_WORKS PkgConfig::${prefix} "${headers}" ${call} ${ARGN})
    if(${prefix}_FOUND AND NOT RF_${prefix}_WORKS)
      set(rf_but ": pkg-config names ${${prefix}_VERSION} in ${${prefix}_PREFIX}, which no program links with")
      rf_forget("^(__pkg_config_checked_${prefix}$|pkgcfg_lib_${prefix}_)")
    endif()
  endif()
endmacro()

find_package(PkgConfig QUIET)
rf_note(rf_missing pkg-config PKG_CONFIG_FOUND)

find_package(MPI 3.1 COMPONENTS C)
if(MPI_C_VERSION AND NOT MPI_FOUND)
  set(rf_but " (found: MPI ${MPI_C_VERSION})")
endif()
rf_note(rf_missing mpi MPI_FOUND)
# The one that fits: another MPI's would start so many runs of one rank each.
if("${MPI_C_INCLUDE_DIRS} ${MPI_C_LIBRARIES}" MATCHES "mpich")
  rf_note(rf_missing mpirun+mpich MPIEXEC_EXECUTABLE)
else()
  rf_note(rf_missing mpirun MPIEXEC_EXECUTABLE)
endif()

find_package(OpenMP COMPONENTS C)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  rf_note(rf_missing openmp+clang OpenMP_C_FOUND)
else()
  rf_note(rf_missing openmp OpenMP_C_FOUND)
endif()

# OpenBLAS and no other BLAS, however many are installed: the program sets the number of its threads and relies on its
# results not depending on how many threads call it at once. The OpenMP variant, which is installed where there is none,
# starts no threads of its own when it is loaded; any other works too. Beside clang's OpenMP, Debian's would load gcc's,
# which binds the main thread (OMP_PROC_BIND) before clang's has counted the cores: there the serial one is installed.
rf_find_pkg(OPENBLAS openblas cblas.h openblas_set_num_threads)
if(RF_OPENBLAS_WORKS)
  set(blas_target PkgConfig::OPENBLAS)
else()
  set(BLA_VENDOR OpenBLAS)
  find_package(BLAS QUIET)
  find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas)
  if(BLAS_FOUND AND CBLAS_INCLUDE_DIR)
    add_library(rf_blas_found INTERFACE IMPORTED) # imported: what rf_try can ask
    target_link_libraries(rf_blas_found INTERFACE BLAS::BLAS)
    target_include_directories(rf_blas_found SYSTEM INTERFACE ${CBLAS_INCLUDE_DIR})
    set(blas_target rf_blas_found)
    rf_try(RF_BLAS_WORKS rf_blas_found cblas.h openblas_set_num_threads)
  elseif(CBLAS_INCLUDE_DIR AND NOT rf_but)
    set(rf_but " (found: ${CBLAS_INCLUDE_DIR}/cblas.h, which is another BLAS's)")
  endif()
endif()
if(RF_OPENBLAS_WORKS OR RF_BLAS_WORKS)
  set(rf_has_blas TRUE)
endif()
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  rf_note(rf_missing openblas+clang rf_has_blas)
else()
  rf_note(rf_missing openblas rf_has_blas)
endif()

# No call is a parallel one: a serial HDF5 will do, and is taken where both are. A parallel one brings the MPI library
# that it was built with along, and two of them do not live in one process.
function(rf_names_in result tag) # of MPI libraries, under that tag in the files that follow
  set(names "")
  foreach(file IN LISTS ARGN)
    if(EXISTS "${file}" AND CMAKE_READELF)
      execute_process(COMMAND ${CMAKE_READELF} -d ${file} OUTPUT_VARIABLE text ERROR_QUIET)
      if(text MATCHES "\\(${tag}\\)[^\n]*\\[(libmpi[^]]*)\\]")
        list(APPEND names ${CMAKE_MATCH_1})
      endif()
    endif()
  endforeach()
  set(${result} ${names} PARENT_SCOPE)
endfunction()
function(rf_find_hdf5) # a function: the module's variables would lead a second search astray
  find_package(HDF5 1.10 QUIET COMPONENTS C)
  foreach(name FOUND VERSION INCLUDE_DIRS C_LIBRARIES)
    set(HDF5_${name} ${HDF5_${name}} PARENT_SCOPE)
  endforeach()
endfunction()
rf_find_hdf5()
if(NOT HDF5_FOUND AND NOT HDF5_ROOT AND NOT DEFINED ENV{HDF5_ROOT}) # the first h5cc on PATH may be of something else
  file(TO_CMAKE_PATH "$ENV{PATH}" rf_folders)
  foreach(rf_folder IN LISTS rf_folders)
    foreach(rf_name h5cc h5pcc)
      if(NOT HDF5_FOUND AND EXISTS ${rf_folder}/${rf_name})
        rf_forget("^HDF5_(C_|IS_PARALLEL|hdf5_)")
        set(HDF5_C_COMPILER_EXECUTABLE ${rf_folder}/${rf_name} CACHE FILEPATH "HDF5's compiler wrapper")
        rf_find_hdf5()
      endif()
    endforeach()
  endforeach()
endif()
if(HDF5_FOUND)
  if(MPI_FOUND)
    rf_try(RF_HDF5_WORKS hdf5::hdf5 hdf5.h H5open MPI::MPI_C)
  else() # a parallel one cannot be tried without
    set(RF_HDF5_WORKS TRUE)
  endif()
  rf_names_in(rf_its_mpi "NEEDED" ${HDF5_C_LIBRARIES})
  rf_names_in(rf_our_mpi "SONAME" ${MPI_C_LIBRARIES})
  if(NOT RF_HDF5_WORKS)
    set(rf_but ": ${HDF5_VERSION} in ${HDF5_INCLUDE_DIRS} is one that no program links with")
  elseif(rf_its_mpi AND rf_our_mpi AND NOT rf_its_mpi IN_LIST rf_our_mpi)
    list(GET HDF5_C_LIBRARIES 0 rf_name)
    set(rf_but ": ${rf_name} is built on ${rf_its_mpi}, mpicc on ${rf_our_mpi}")
  else()
    set(rf_has_hdf5 TRUE)
    message(STATUS "Found HDF5: ${HDF5_VERSION} in ${HDF5_INCLUDE_DIRS}")
  endif()
elseif(HDF5_VERSION)
  set(rf_but " (found: ${HDF5_VERSION})")
endif()
if(NOT rf_has_hdf5)
  rf_forget("^HDF5_(C_|IS_PARALLEL|hdf5_)")
endif()
rf_note(rf_missing hdf5 rf_has_hdf5)

rf_need_pkg(YAML yaml-0.1 yaml.h yaml_parser_load yaml)
rf_need_pkg(JANSSON jansson jansson.h json_loadb jansson)
rf_need_pkg(XXHASH libxxhash xxhash.h XXH64_update xxhash)
if(RF_TESTS)
  rf_need_pkg(CMOCKA cmocka "stdarg.h;stddef.h;setjmp.h;stdint.h;cmocka.h" _cmocka_run_group_tests cmocka)
endif()

# libxsmm makes code for small products in float, faster than OpenBLAS's by a sixth of a training step, and for those in
# bfloat16 (model.precision). A static library, which takes what it needs of a BLAS from OpenBLAS. Version 2 has other
# calls.
if(RF_XSMM AND NOT RF_DOUBLE AND rf_has_blas AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  rf_find_pkg(XSMM "libxsmm<2" libxsmm.h libxsmm_smmdispatch ${blas_target} m)
  set(XSMM_FOUND ${RF_XSMM_WORKS})
  rf_note(rf_wanted xsmm XSMM_FOUND)
endif()

foreach(list rf_missing rf_wanted)
  foreach(names ${list}_debian ${list}_spack)
    list(REMOVE_DUPLICATES ${names})
    list(JOIN ${names} " " ${names})
  endforeach()
endforeach()
if(RF_LIST_MISSING)
  file(WRITE ${CMAKE_BINARY_DIR}/missing-packages "${rf_missing_debian}\n${rf_missing_spack}\n${rf_wanted_debian}\n")
elseif(rf_missing)
  message(FATAL_ERROR "Not found:${rf_missing}\n"
    "On Debian or Ubuntu: launch/setup.sh installs all of it, or apt-get install ${rf_missing_debian}\n"
    "With Spack: spack load ${rf_missing_spack}, or all of it by cluster/spack.yaml\n"
    "Elsewhere: load the modules that bring them, or name where they are in CMAKE_PREFIX_PATH and PKG_CONFIG_PATH.")
elseif(rf_wanted)
  message(STATUS "Not found:${rf_wanted}\n   (Debian and Ubuntu: ${rf_wanted_debian}; Spack: ${rf_wanted_spack})")
endif()
