#!/usr/bin/env bash
# The installed program at every level of x86-64 that this processor has: the loader's choice, losses that float's rounding
# tells apart and nothing more, levels that train together, and libraries that must not. PROGRAM SOURCE_DIR
set -u
build=$(dirname "$1") source_dir=$2
[ -f "$build/CMakeCache.txt" ] || { echo "built for another machine: nothing to install here"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "no levels on $(uname -m): nothing to try"; exit 77; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
. "$source_dir/tests/install/alike.sh"
fail() {
  failures=$((failures + 1))
  echo "FAILED: $*"
}
expect() { # expect WHAT WANTED FOUND
  checks=$((checks + 1))
  [ "$2" = "$3" ] || fail "$1: found '$3', wanted '$2'"
}
unset LD_LIBRARY_PATH
export OMP_NUM_THREADS=1

# --- installed for a place, put in another by DESTDIR: it is found from where it lies ---
DESTDIR=$work/staged cmake --install "$build" --prefix "/opt/a place" >install.log 2>&1 || fail "cmake --install: $(cat install.log)"
PROGRAM=$work/staged/opt/a\ place/bin/reformer
lib=$(dirname "$(find staged -name 'libreformer*.so')")
expect "what was put beside DESTDIR" "" "$([ ! -e "/opt/a place" ] || echo "/opt/a place")"
file=$(cd "$lib" && echo libreformer*.so.*)
levels=(x86-64) # and those that the compiler knows
for level in x86-64-v2 x86-64-v3 x86-64-v4; do
  ! grep -q "^RF_HAS_march_${level//-/_}:INTERNAL=1" "$build/CMakeCache.txt" || levels+=("$level")
done
expect "libraries" "$(for level in "${levels[@]:1}"; do echo "./glibc-hwcaps/$level/$file"; done; echo "./$file")" \
  "$(cd "$lib" && find . -name 'libreformer*.so.*' | LC_ALL=C sort)"

# --- the loader takes the highest that the processor has, and those below where it is told to ---
compiled() { sed -n 's/^compiled for //p'; }
loader=$(ldd "$PROGRAM" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\) .*/\1/p')
can=(x86-64)
for level in "${levels[@]:1}"; do
  "$loader" --help | grep -q "^  $level (supported" && can+=("$level")
done
[ ${#can[@]} -gt 1 ] || echo "only the lowest level here: the processor, its loader or the compiler has no other"
expect "the loader's choice" "${can[-1]}" "$("$PROGRAM" --version | compiled)"
for level in "${can[@]}"; do
  mask=$level
  [ "$level" != x86-64 ] || mask=none
  [ ${#can[@]} = 1 ] || expect "level $level" "$level" "$("$loader" --glibc-hwcaps-mask "$mask" "$PROGRAM" --version | compiled)"
  from=$lib/glibc-hwcaps/$level
  [ "$level" != x86-64 ] || from=$lib
  mkdir "$level" && cp "$from/$file" "$level/" # alone in a folder, the loader has no choice
done

# --- each trains, alike ---
alike_runs
"$1" train tiny.yaml --run in_place >in_place.log 2>&1 || fail "in place: $(cat in_place.log)"
for level in "${can[@]}"; do
  LD_LIBRARY_PATH=$work/$level check 0 "), $level, " -- train tiny.yaml --run "run$level"
  checks=$((checks + 1))
  apart in_place "run$level" >/dev/null || fail "$level: losses $(losses "run$level"); in place $(losses in_place)"
done

# --- a run goes on at another level, and says so; levels train together, and say so; other libraries do not ---
if [ ${#can[@]} -gt 1 ]; then
  LD_LIBRARY_PATH=$work/x86-64-v2 check 0 "-00000003 was computed by program" "), x86-64, " "this is program" "), x86-64-v2, " \
    -- train tiny.yaml --run runx86-64 --set training.steps=4
  if command -v mpirun >/dev/null; then
    one=(-n 1 env LD_LIBRARY_PATH="$work/x86-64" "$PROGRAM" train tiny.yaml --run together)
    two=(-n 1 env LD_LIBRARY_PATH="$work/${can[-1]}" "$PROGRAM" train tiny.yaml --run together)
    launch 0 "warning: ranks are not alike" "rank 1 on host $(uname -n) has ${can[-1]}, " "has x86-64, " -- "${one[@]}" : "${two[@]}"
    checks=$((checks + 1))
    apart in_place together >/dev/null || fail "together: losses $(losses together); in place $(losses in_place)"
    hash=$(sed -n 's/.*= "\(.*\)".*/\1/p' "$build/src/sources.c") # of what the library was built from
    mkdir other && LC_ALL=C sed "s/$hash/0000000000000000/" "x86-64/$file" >"other/$file"
    ! cmp -s "x86-64/$file" "other/$file" || fail "no hash '$hash' of its sources in $file"
    two[3]=LD_LIBRARY_PATH=$work/other
    launch 2 "another program than rank 0" -- "${one[@]}" : "${two[@]}"
  fi
fi
finish
