#!/usr/bin/env bash
# The hash of what the library was built from (src/sources.cmake) follows every source, also those that are not in the
# library or not compiled by default: made again after a change it is that of a fresh build. PROGRAM SOURCE_DIR
set -u
source_dir=$2
[ -f "$(dirname "$1")/CMakeCache.txt" ] || { echo "built for another machine: not configured here"; exit 77; }
. "$source_dir/tests/support/work.sh" || exit 1
failures=0
mkdir "$work/a" && cp -r "$source_dir"/{CMakeLists.txt,CMakePresets.json,include,launch,src} "$work/a/" || exit 1

hash_of() { # hash_of TREE: made there, or made again
  { [ -d "$1/build" ] || cmake -S "$1" -B "$1/build" -DRF_TESTS=OFF; } >"$work/log" 2>&1 &&
    cmake --build "$1/build" --target rf_sources >>"$work/log" 2>&1 || cat "$work/log" >&2
  sed -n 's/.*= "\([0-9a-f]\{16\}\)".*/\1/p' "$1/build/src/sources.c"
}

before=$(hash_of "$work/a")
[ -n "$before" ] || { echo "FAILED: no hash"; exit 1; }
for file in src/cli/main.c src/comm/fault.c src/base/text.h include/reformer/rng.h; do
  sleep 0.01 # make compares times
  echo >>"$work/a/$file"
  after=$(hash_of "$work/a")
  [ "$after" != "$before" ] || { failures=$((failures + 1)); echo "FAILED: $file changes nothing"; }
  before=$after
done
mkdir "$work/b" && cp -r "$work/a"/{CMakeLists.txt,CMakePresets.json,include,launch,src} "$work/b/" || exit 1
fresh=$(hash_of "$work/b")
[ "$fresh" = "$before" ] || { failures=$((failures + 1)); echo "FAILED: built again $before, built anew $fresh"; }
echo "5 checks, $failures failed"
[ "$failures" = 0 ]
