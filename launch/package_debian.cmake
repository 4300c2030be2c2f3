# What Debian wants otherwise than cmake --install leaves it; cpack runs this on the files that it is about to pack.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

# The package repeats, whenever it is made: its files and its changelog have the time of the newest source, or the one
# that SOURCE_DATE_EPOCH gives. CMake reads it here, and cpack when it packs.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH home)
  file(GLOB_RECURSE sources ${home}/configs/* ${home}/docs/* ${home}/include/* ${home}/launch/* ${home}/src/*)
  set(newest 0)
  foreach(source IN LISTS sources ITEMS ${home}/CMakeLists.txt ${home}/README.md ${home}/LICENSE)
    file(TIMESTAMP ${source} time "%s" UTC)
    if(time GREATER newest)
      set(newest ${time})
    endif()
  endforeach()
  set(ENV{SOURCE_DATE_EPOCH} ${newest})
endif()

set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(doc ${usr}/share/doc/reformer)

# Without names and times in the archives.
function(compress)
  execute_process(COMMAND gzip -9n ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(READ ${CPACK_RF_LICENSE} license)
string(REGEX MATCH "Copyright[^\n]*" copyright "${license}")
string(REGEX REPLACE "^Copyright [(]c[)] " "" copyright "${copyright}")
string(REGEX REPLACE "^.*\n(Permission is hereby)" "\\1" license "${license}")
string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
string(REGEX REPLACE "\n$" "" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE ${doc}/copyright
  "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: reformer\n\n"
  "Files: *\nCopyright: ${copyright}\nLicense: Expat\n ${license}\n")
file(REMOVE ${doc}/LICENSE) # it stands there

string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog.Debian
  "reformer (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
  "  * Built by cpack.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
compress(${doc}/changelog.Debian)
file(GLOB pages ${usr}/share/man/*/*)
compress(${pages})

# The loader's own folders need no path in the program.
file(RPATH_REMOVE FILE ${usr}/bin/reformer)
