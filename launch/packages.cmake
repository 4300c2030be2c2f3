# Everything that the program is built on: how it is found, and which packages bring it. The one list: CMakeLists.txt is
# built on it, and launch/setup.sh asks it what to install (cmake -DRF_LIST_MISSING=ON writes missing-packages into the
# build folder, and stops).
option(RF_XSMM "multiply in float by libxsmm where it is installed" ON)
option(RF_TESTS "build the tests (needs cmocka)" ON)
set(rf_missing "")        # lines of a message
set(rf_missing_debian "") # packages
set(rf_missing_spack "")
set(rf_wanted_debian "")  # what is done without where it is not

# rf_need(FOUND what debian spack): `what` is missing unless the variable FOUND is true. Lists of packages: "a;b".
macro(rf_need found what debian spack)
  if(NOT ${found})
    list(JOIN debian " " rf_names)
    string(APPEND rf_missing "\n    ${what}")
    list(APPEND rf_missing_debian ${debian})
    list(APPEND rf_missing_spack ${spack})
  endif()
endmacro()

# rf_need_pkg(PREFIX module what debian spack): a library with a pkg-config file, as the target PkgConfig::PREFIX.
macro(rf_need_pkg prefix module what debian spack)
  pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
  rf_need(${prefix}_FOUND "${what}" "${debian}" "${spack}")
endmacro()

find_package(PkgConfig)
rf_need(PKG_CONFIG_FOUND "pkg-config" pkg-config pkgconf)
if(NOT PKG_CONFIG_FOUND) # then what it would be asked for counts as missing too
  macro(pkg_check_modules)
  endmacro()
endif()

find_package(MPI 3.1 COMPONENTS C)
rf_need(MPI_C_FOUND "MPI 3.1 or newer, with mpicc" libopenmpi-dev openmpi)
rf_need(MPIEXEC_EXECUTABLE "mpirun or mpiexec" openmpi-bin openmpi)

find_package(OpenMP COMPONENTS C)
rf_need(OpenMP_C_FOUND "OpenMP for the compiler ${CMAKE_C_COMPILER}" gcc gcc)

# OpenBLAS and no other BLAS, however many are installed: the program sets the number of its threads and relies on its
# results not depending on how many threads call it at once.
include(CheckSymbolExists)
include(CMakePushCheckState)
pkg_check_modules(OPENBLAS QUIET IMPORTED_TARGET openblas)
if(OPENBLAS_FOUND)
  set(blas_target PkgConfig::OPENBLAS)
else()
  set(BLA_VENDOR OpenBLAS)
  find_package(BLAS)
  find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas)
  if(BLAS_FOUND AND CBLAS_INCLUDE_DIR)
    add_library(rf_blas_found INTERFACE)
    target_link_libraries(rf_blas_found INTERFACE BLAS::BLAS)
    target_include_directories(rf_blas_found SYSTEM INTERFACE ${CBLAS_INCLUDE_DIR})
    set(blas_target rf_blas_found)
  endif()
endif()
if(blas_target)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_LIBRARIES ${blas_target})
  check_symbol_exists(openblas_set_num_threads cblas.h RF_BLAS_IS_OPENBLAS)
  cmake_pop_check_state()
endif()
# The OpenMP variant starts no threads of its own when it is loaded; any other works too.
rf_need(RF_BLAS_IS_OPENBLAS "OpenBLAS with its cblas.h" libopenblas-openmp-dev openblas)

# No call is a parallel one: a serial HDF5 will do, and needs no MPI that fits the program's.
set(HDF5_PREFER_PARALLEL FALSE)
find_package(HDF5 1.10 COMPONENTS C)
rf_need(HDF5_FOUND "HDF5 1.10 or newer, serial or parallel" libhdf5-dev hdf5)

rf_need_pkg(YAML yaml-0.1 "libyaml" libyaml-dev libyaml)
rf_need_pkg(JANSSON jansson "jansson" libjansson-dev jansson)
rf_need_pkg(XXHASH libxxhash "xxHash" libxxhash-dev xxhash)
if(RF_TESTS)
  rf_need_pkg(CMOCKA cmocka "cmocka (or configure with -DRF_TESTS=OFF)" libcmocka-dev cmocka)
endif()

# libxsmm makes code for small products in float, faster than OpenBLAS's by a sixth of a training step, and for those in
# bfloat16 (model.precision). A static library, which takes what it needs of a BLAS from OpenBLAS. Version 2 has other
# calls.
if(RF_XSMM AND NOT RF_DOUBLE AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  pkg_check_modules(XSMM QUIET IMPORTED_TARGET "libxsmm<2")
  if(NOT XSMM_FOUND)
    list(APPEND rf_wanted_debian libxsmm-dev)
    message(STATUS "libxsmm 1 was not found: products are OpenBLAS's, and slower (Debian and Ubuntu: libxsmm-dev)")
  endif()
endif()

list(REMOVE_DUPLICATES rf_missing_debian)
list(REMOVE_DUPLICATES rf_missing_spack)
list(JOIN rf_missing_debian " " rf_missing_debian)
list(JOIN rf_missing_spack " " rf_missing_spack)
if(RF_LIST_MISSING)
  file(WRITE ${CMAKE_BINARY_DIR}/missing-packages "${rf_missing_debian} ${rf_wanted_debian}\n")
elseif(rf_missing)
  message(FATAL_ERROR "Not found:${rf_missing}\n"
    "On Debian or Ubuntu: launch/setup.sh installs all of it, or apt-get install ${rf_missing_debian}\n"
    "With Spack: spack load ${rf_missing_spack}\n"
    "Elsewhere: load the modules that bring them, or name where they are in CMAKE_PREFIX_PATH and PKG_CONFIG_PATH.")
endif()
