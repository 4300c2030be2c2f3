# What cmake --install puts beside the program, the library and the headers (src/CMakeLists.txt), and the package that
# cpack makes of all of it. Everything is found from where it stands, so that the whole may be moved:
#   PREFIX/bin/reformer, include/reformer/, lib/libreformer.so, lib/cmake/reformer/, lib/pkgconfig/reformer.pc
#   PREFIX/share/reformer/configs/, share/reformer/launch/    configurations; run.sh and what it needs
#   PREFIX/share/man/, share/bash-completion/, share/doc/reformer/
if(NOT RF_LEVELS)
  install(CODE "message(FATAL_ERROR \"Nothing of this build is to be installed, as it was configured with RF_LEVELS=OFF. \
To build what is: cmake -DRF_LEVELS=ON '${PROJECT_BINARY_DIR}' && cmake --build '${PROJECT_BINARY_DIR}'\")")
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(installed ${PROJECT_BINARY_DIR}/installed)
set(rf_share ${CMAKE_INSTALL_DATADIR}/reformer)

# --- For programs that link the library ---------------------------------------------------------

set(rf_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/reformer)
file(WRITE ${installed}/${rf_cmake}/reformer-config.cmake
  "# The target reformer::reformer. Nothing else is to be found: headers and linking ask for the library alone.\n"
  "include(\${CMAKE_CURRENT_LIST_DIR}/reformer-targets.cmake)\n")
write_basic_package_version_file(${installed}/${rf_cmake}/reformer-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${installed}/${rf_cmake}/reformer-config.cmake ${installed}/${rf_cmake}/reformer-config-version.cmake
  DESTINATION ${rf_cmake})

# No Requires.private: pkg-config would want those packages for their flags even where the library is shared, as it is.
set(rf_pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE to_prefix)
string(REGEX REPLACE "/$" "" to_prefix "${to_prefix}")
get_target_property(rf_name reformer_library OUTPUT_NAME)
set(rf_cflags "-I\${includedir}")
if(RF_DOUBLE)
  string(APPEND rf_cflags " -DRF_DOUBLE") # reformer/real.h
endif()
file(WRITE ${installed}/${rf_pkgconfig}/reformer.pc
  "prefix=\${pcfiledir}/${to_prefix}\n"
  "includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}\n"
  "libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}\n\n"
  "Name: reformer\n"
  "Description: trains Reformers on long sequences\n"
  "Version: ${PROJECT_VERSION}\n"
  "Cflags: ${rf_cflags}\n"
  "Libs: -L\${libdir} -l${rf_name}\n")
install(FILES ${installed}/${rf_pkgconfig}/reformer.pc DESTINATION ${rf_pkgconfig})

# --- The program's own help, as pages and as bash's completion -----------------------------------

# rf_write_help(FOLDER NAME ARGUMENTS...): what `reformer help ARGUMENTS` prints, installed as FOLDER/NAME.
# It runs on the library of this machine's level, which must be whole by then.
set(rf_help_files "")
set(rf_writers reformer_installed)
foreach(level IN ITEMS x86-64-v2 x86-64-v3 x86-64-v4)
  if(TARGET reformer_${level})
    list(APPEND rf_writers reformer_${level})
  endif()
endforeach()
function(rf_write_help folder name)
  set(file ${installed}/${folder}/${name})
  add_custom_command(OUTPUT ${file} DEPENDS ${rf_writers}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${installed}/${folder}
    COMMAND reformer_installed help ${ARGN} > ${file} VERBATIM)
  install(FILES ${file} DESTINATION ${folder})
  set(rf_help_files ${rf_help_files} ${file} PARENT_SCOPE)
endfunction()

if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "The manual and bash's completion, which the program writes, are left out: it does not run here")
else()
  rf_write_help(${CMAKE_INSTALL_MANDIR}/man1 reformer.1 --man)
  rf_write_help(${CMAKE_INSTALL_MANDIR}/man5 reformer-config.5 config --man)
  file(STRINGS ${PROJECT_SOURCE_DIR}/src/cli/commands.c rf_commands REGEX "&rf_command_[a-z]+,")
  foreach(command IN LISTS rf_commands)
    string(REGEX REPLACE ".*&rf_command_([a-z]+),.*" "\\1" command "${command}")
    rf_write_help(${CMAKE_INSTALL_MANDIR}/man1 reformer-${command}.1 ${command} --man)
  endforeach()
  rf_write_help(${CMAKE_INSTALL_DATADIR}/bash-completion/completions reformer --completion)
  add_custom_target(reformer_help ALL DEPENDS ${rf_help_files})
endif()

# --- Configurations, scripts, documents ---------------------------------------------------------

# Of what a configuration says to those who have the project's folder, an installed one says what to do instead.
file(GLOB rf_configs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/configs/*)
foreach(config IN LISTS rf_configs)
  cmake_path(GET config FILENAME name)
  file(READ ${config} text)
  string(REGEX REPLACE ":\n(#  +launch)" ".\n\\1" text "${text}")
  string(REGEX REPLACE "#  +(launch|tests|reformer)[^\n]*\n" "" text "${text}")
  string(REGEX REPLACE "\n([^\n]*)path: data/" "\n# The data are yours to give: --set data.path=FILE, or in this place.\n\\1path: data/" text "${text}")
  file(WRITE ${installed}/${rf_share}/configs/${name} "${text}")
  install(FILES ${installed}/${rf_share}/configs/${name} DESTINATION ${rf_share}/configs)
endforeach()
set(rf_scripts run.sh scaling.sh gather.sh one_node.sbatch many_nodes.sbatch sweep.sbatch)
list(TRANSFORM rf_scripts PREPEND ${PROJECT_SOURCE_DIR}/launch/)
install(PROGRAMS ${rf_scripts} DESTINATION ${rf_share}/launch)
install(FILES launch/plain.sh launch/places.sh launch/run_folder.sh launch/scaling_plots.py DESTINATION ${rf_share}/launch)

# Whoever reads it there has no sources beside it.
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS README.md)
file(READ ${PROJECT_SOURCE_DIR}/README.md text)
string(REGEX REPLACE "^(# [^\n]*\n)" "\\1\n(Installed. What is named below of src/, tests/ and cluster/, the build, and launch/quickstart.sh \
and setup.sh are in the\nsources alone; docs/library.md tells what is installed, and where.)\n" text "${text}")
file(WRITE ${installed}/README.md "${text}")
install(FILES ${installed}/README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# --- Debian's package: cpack -G DEB in the build folder -------------------------------------------

if(RF_DOUBLE)
  message(STATUS "No package is made of a build in double: its program and files have the names of the one in float")
  return()
endif()
set(CPACK_GENERATOR TGZ)
find_program(RF_DPKG_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(RF_DPKG_SHLIBDEPS)
if(RF_DPKG_SHLIBDEPS)
  set(CPACK_GENERATOR DEB)
else()
  message(STATUS "cpack makes an archive, and no Debian package: dpkg-shlibdeps is not there (Debian: dpkg-dev)")
endif()
# Releases of Debian have other sonames: a package is for the one that it was built on.
set(rf_release "")
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release rf_release REGEX "^VERSION_ID=")
  string(REGEX REPLACE "[^0-9.]" "" rf_release "${rf_release}")
endif()
if(rf_release)
  string(PREPEND rf_release +deb)
endif()
set(CPACK_PACKAGE_CONTACT "The reformer authors <reformer@users.noreply.github.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "trainer of language models on very long sequences")
set(CPACK_PACKAGE_DESCRIPTION
  "reformer trains Reformers, language models with attention by locality-sensitive\n"
  "hashing and with reversible layers, whose memory hardly grows with depth, on\n"
  "processors and clusters of them: each sequence is shared by ranks of MPI.\n"
  "Runs repeat to the last bit and go on from checkpoints on any number of ranks.\n"
  "Program, library, headers, configurations and launch scripts.")
list(JOIN CPACK_PACKAGE_DESCRIPTION "" CPACK_PACKAGE_DESCRIPTION)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1${rf_release})
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${installed}/${CMAKE_INSTALL_LIBDIR})
# One line for the library at all its levels, and ldconfig, which finds glibc-hwcaps.
file(WRITE ${installed}/debian/shlibs
  "libreformer ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} reformer (>= ${PROJECT_VERSION})\n")
file(WRITE ${installed}/debian/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${installed}/debian/shlibs ${installed}/debian/triggers)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS openmpi-bin)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, pkgconf, python3-matplotlib")
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/launch/package_debian.cmake)
set(CPACK_RF_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
include(CPack)
