#!/usr/bin/env bash
# Layers include headers of their own and of layers below, never of those above; MPI is met in comm/ only, and nothing
# but main (and the watchdog) ends the process (docs/style.md). PROGRAM SOURCE_DIR
set -u
cd "$2/src" || exit 1
layers=(base kernel comm lsh nn model optim data checkpoint train config plan session cli)
checks=0 failures=0

rank_of() { # place of a layer in the list; nothing where there is no such layer
  local i
  for i in "${!layers[@]}"; do [ "${layers[$i]}" = "$1" ] && echo "$i" && return; done
}

while IFS=: read -r file line include; do
  checks=$((checks + 1))
  from=$(rank_of "${file%%/*}") to=$(rank_of "$include")
  [ "$include" = reformer ] && continue
  [ -n "$from" ] && [ -n "$to" ] && [ "$to" -le "$from" ] && continue
  failures=$((failures + 1))
  echo "FAILED: src/$file:$line: ${file%%/*} includes a header of $include"
done < <(grep -rn '^#include "' --include='*.[ch]' . | sed -n 's|^\./\([^:]*:[0-9]*\):#include "\([a-z_]*\)/.*|\1:\2|p')

none() { # none WHAT PATTERN FOLDER...: no such line
  local what=$1 pattern=$2 found
  shift 2
  checks=$((checks + 1))
  found=$(grep -rnE --include='*.[ch]' "$pattern" "$@")
  [ -z "$found" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s:\n%s\n' "$what" "$found"
}
none "MPI outside comm/" '#include <mpi\.h>' $(find . -mindepth 1 -maxdepth 1 -type d ! -name comm)
# The watchdog ends a process whose main thread hangs; nobody else does.
none "a call that ends the process" '(^|[^a-z_])(exit|abort|_exit)\(' $(find . -name '*.[ch]' ! -path ./train/watchdog.c)
none "a BLAS call beside the door in kernel/gemm.h" '(^|[^a-z_])cblas_[sd]' .
[ "$checks" -gt 100 ] || { echo "FAILED: only $checks checks were made"; failures=$((failures + 1)); }
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
