# What Debian wants otherwise than cmake --install leaves it; cpack runs this on the files that it is about to pack.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr)
set(doc ${usr}/share/doc/reformer)

# Without names and times in the archives, so that the package repeats.
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
