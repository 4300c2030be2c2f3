# Writes OUTPUT, a C file with a hash of FLAGS and of the files that LIST names, one a line, from the project's folder.
# Called by src/CMakeLists.txt.
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
file(STRINGS ${LIST} files)
set(hashes "${FLAGS}")
foreach(file IN LISTS files)
  file(SHA256 ${root}/${file} hash)
  string(APPEND hashes " ${file} ${hash}")
endforeach()
string(SHA256 hash "${hashes}")
string(SUBSTRING ${hash} 0 16 hash)
file(WRITE ${OUTPUT} "extern const char rf_sources[];\nconst char rf_sources[] = \"${hash}\";\n")
