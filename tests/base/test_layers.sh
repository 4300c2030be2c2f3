#!/usr/bin/env bash
# Layers include headers of their own and of layers below, never of those above, public ones too; nor do files include
# each other in a circle; MPI is met in comm/ only, and nothing but main (and the watchdog) ends the process
# (docs/style.md). PROGRAM SOURCE_DIR
set -u
cd "$2/src" || exit 1
layers=(base kernel comm lsh nn model optim data storage checkpoint weights plan train bench report config session cli)
checks=0 failures=0

# Whose each public header is; config.h has plain values, for all.
declare -A public=([agree]=comm [arena]=base [checkpoint]=checkpoint [checkpoint_info]=checkpoint [config]=base [config_file]=config
  [data_identity]=data [dataset]=data [split]=data [state]=checkpoint
  [error]=base [kinds]=base [layout]=nn [linkage]=base [log]=base [loss]=nn [mesh]=comm [mesh_view]=comm [model]=model [optimizer]=optim [real]=base
  [rng]=base [saver]=checkpoint [session]=session [stash]=model [step]=train [store]=model [threads]=session [version]=base)

rank_of() { # place of a layer in the list; nothing where there is no such layer
  local i
  for i in "${!layers[@]}"; do [ "${layers[$i]}" = "$1" ] && echo "$i" && return; done
}

check() { # check PLACE LAYER INCLUDE: whether the layer may include "INCLUDE"
  local from to header=${3#reformer/} of=${3%%/*}
  [ "$of" = reformer ] && of=${public[${header%.h}]-}
  checks=$((checks + 1))
  from=$(rank_of "$2") to=$(rank_of "$of")
  [ -n "$from" ] && [ -n "$to" ] && [ "$to" -le "$from" ] && return
  failures=$((failures + 1))
  echo "FAILED: $1: $2 includes $3, a header of ${of:-no layer}"
}
includes() { grep -rn '^#include "' --include='*.[ch]' "$1" | sed -n 's|^\([^:]*:[0-9]*\):#include "\([a-z_/0-9.]*\)".*|\1 \2|p'; }

while read -r place include; do
  layer=${place#./}
  check "src/$layer" "${layer%%/*}" "$include"
done < <(includes .)
while read -r place include; do
  header=${place##*/}
  check "include/reformer/$header" "${public[${header%.h:*}]-}" "$include"
done < <(includes ../include/reformer)

# Pairs "MODULE MODULE", of which the first includes the second. A module is X.c with X.h, or with the public header that
# X.c includes first; a header that several files include so needs them all.
modules() {
  find . ../include/reformer -name '*.[ch]' -exec awk '
    FNR == 1 { from = FILENAME; gsub(/^(\.\/|\.\.\/include\/)|\.[ch]$/, "", from); first = FILENAME ~ /\.c$/ }
    /^#include "/ {
      split($0, part, "\""); to = part[2]; sub(/\.h$/, "", to)
      if (first && to ~ /^reformer\//) { implements[from] = to; files[to]++ }
      first = 0
      who[++n] = from; what[n] = to
    }
    function module(x) { return x in implements && files[implements[x]] == 1 ? implements[x] : x }
    END {
      for (i = 1; i <= n; i++) {
        from = module(who[i]); to = module(what[i])
        if (from == to) continue
        if (from in implements && implements[from] == to) print to, from
        else print from, to
      }
    }' {} +
}
pairs=$(modules | sort -u)
loops=$(printf '%s\n' "$pairs" | LC_ALL=C tsort 2>&1 >/dev/null)
checks=$((checks + $(printf '%s\n' "$pairs" | wc -l)))
if [ -n "$loops" ]; then
  failures=$((failures + 1))
  printf 'FAILED: files include each other in a circle; cut out what both need:\n%s\n' "$(printf '%s\n' "$loops" | sed 's/^tsort: -:.*/circle:/; s/^tsort: /  /')"
fi

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
