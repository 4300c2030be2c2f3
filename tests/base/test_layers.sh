#!/usr/bin/env bash
# Layers include headers of their own and of layers below, never of those above, public ones too; nor do headers, with
# the files that define what they declare, include each other in a circle; MPI is met in
# comm/ only, and nothing but main (and the watchdog) ends the process (docs/style.md). PROGRAM SOURCE_DIR
set -u
cd "$2/src" || exit 1
layers=(base kernel comm lsh nn model optim data storage checkpoint weights plan train bench report config session cli)
checks=0 failures=0

# Whose each public header is; config.h has plain values, for all.
declare -A public_of=([agree]=comm [arena]=base [checkpoint]=checkpoint [checkpoint_info]=checkpoint [config]=base
  [config_file]=config [data_identity]=data [dataset]=data [split]=data [state]=checkpoint [error]=base [kinds]=base
  [layout]=nn [linkage]=base [log]=base [loss]=nn [mesh]=comm [mesh_view]=comm [model]=model [optimizer]=optim
  [real]=base [rng]=base [saver]=checkpoint [session]=session [stash]=model [step]=train [store]=model
  [threads]=session [version]=base)

rank_of() { # place of a layer in the list; nothing where there is no such layer
  local i
  for i in "${!layers[@]}"; do [ "${layers[$i]}" = "$1" ] && echo "$i" && return; done
}

check() { # check PLACE LAYER INCLUDE: whether the layer may include "INCLUDE"
  local from to header=${3#reformer/} of=${3%%/*}
  [ "$of" = reformer ] && of=${public_of[${header%.h}]-}
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
  check "include/reformer/$header" "${public_of[${header%.h:*}]-}" "$include"
done < <(includes ../include/reformer)

# A module is a header, public or not, with every file that defines a function or a value of it, and whatever else those
# define: who needs one of them needs all. Prints where modules include each other in a circle: who includes what, for
# which functions, and what makes a file one with a header; then "defined HEADER FILE NAME" and "edge MODULE MODULE".
# A declaration and a definition begin in the first column (clang-format sees to that).
read -r -d '' modules <<'AWK'
function root(x) { while (x in joined) x = joined[x]; return x }
function declared_name() { # of a line that begins in the first column: the function, or the value, or ""
  if (!/^[A-Za-z_]/ || /^(static|typedef|#)/) return ""
  if (!match($0, /(^|[ *(])rf_[a-z0-9_]+(\(|(\[.*\])?( =|;))/)) return ""
  called = substr($0, RSTART, RLENGTH) ~ /\($/
  name = substr($0, RSTART, RLENGTH)
  sub(/^[ *(]/, "", name)
  sub(/[^a-z0-9_].*$/, "", name)
  return name
}
function note_names(line) { # words of a file, for messages
  while (match(line, /rf_[a-z0-9_]+/)) {
    uses[file, substr(line, RSTART, RLENGTH)]
    line = substr(line, RSTART + RLENGTH)
  }
}
FNR == 1 { file = FILENAME; gsub(/^(\.\/|\.\.\/include\/)/, "", file); header = file ~ /\.h$/ }
/^#include "/ { split($0, part, "\""); includer[++n] = file; included[n] = part[2]; next }
{ note_names($0) }
(name = declared_name()) != "" {
  if (header && (called || /^extern /)) { names[++m] = name; declares[m] = file }
  else if (!header && (!/;$/ || / = /)) defines[name] = file # not a declaration ahead
}

# Leaves what circles go through: modules that need none, or that none need, are peeled off.
function peel(   changed, e, out, into, pair) {
  do {
    changed = 0
    split("", out); split("", into)
    for (e in edge) { split(e, pair, " "); out[pair[1]]; into[pair[2]] }
    for (e in edge) {
      split(e, pair, " ")
      if (!(pair[2] in out) || !(pair[1] in into)) { delete edge[e]; changed = 1 }
    }
  } while (changed)
}
function functions_of(from, to,   i, text) { # that a file takes from a module
  for (i = 1; i <= m; i++)
    if (root(declares[i]) == to && (from, names[i]) in uses) text = text (text == "" ? "" : ", ") names[i]
  return text == "" ? "its types" : text
}
function say_bond(entered, left,   i) { # why who enters a module by one file leaves it by another
  if (substr(entered, 1, length(entered) - 2) == substr(left, 1, length(left) - 2)) return
  for (i = 1; i <= m; i++)
    if (declares[i] == entered && defines[names[i]] == left || declares[i] == left && defines[names[i]] == entered) {
      print "  " declares[i] " declares " names[i] ", which " defines[names[i]] " defines"
      return
    }
  print "  " entered " and " left " belong together by a file between them"
}
function say_circle(   e, pair, next_of, at, seen, k, first, i, path) {
  for (e in edge) {
    split(e, pair, " ")
    if (!(pair[1] in next_of) || pair[2] < next_of[pair[1]]) next_of[pair[1]] = pair[2]
  }
  for (k in next_of) if (at == "" || k < at) at = k
  k = 0
  while (!(at in seen)) { seen[at] = ++k; path[k] = at; at = next_of[at] }
  print "circle:"
  path[k + 1] = at
  split(edge[path[k] " " at], pair, " ")
  for (i = seen[at]; i <= k; i++) {
    first = pair[2]
    split(edge[path[i] " " path[i + 1]], pair, " ")
    if (first != pair[1]) say_bond(first, pair[1])
    print "  " pair[1] " includes " pair[2] " for " functions_of(pair[1], path[i + 1])
  }
  delete edge[path[k] " " at]
}
END {
  for (i = 1; i <= m; i++) {
    if (!(names[i] in defines)) continue
    print "defined", declares[i], defines[names[i]], names[i]
    from = root(declares[i]); to = root(defines[names[i]])
    if (from != to) joined[to] = from
  }
  for (i = 1; i <= n; i++) {
    from = root(includer[i]); to = root(included[i])
    if (from == to || (from " " to) in edge) continue
    edge[from " " to] = includer[i] " " included[i]
    print "edge", from, to
  }
  for (peel(); circles++ < 8; peel()) {
    any = 0
    for (e in edge) { any = 1; break }
    if (!any) break
    say_circle()
  }
}
AWK
mapfile -t files < <(find . ../include/reformer -name '*.[ch]' | LC_ALL=C sort)
found=$(awk "$modules" "${files[@]}")
edges=$(grep -c '^edge ' <<<"$found")
checks=$((checks + edges))
circles=$(grep -E '^(circle:|  )' <<<"$found")
if [ -n "$circles" ]; then
  failures=$((failures + 1))
  printf 'FAILED: files include each other in a circle; cut out what both need:\n%s\n' "$circles"
fi
defined=$(grep -c '^defined ' <<<"$found")
[ "$defined" -gt 600 ] || { echo "FAILED: only $defined definitions were seen"; failures=$((failures + 1)); }

# The map of public headers holds to where their functions are.
while read -r _ header file name; do
  public=${public_of[$(basename "$header" .h)]-}
  checks=$((checks + 1))
  [ "${file%%/*}" = "$public" ] && continue
  failures=$((failures + 1))
  echo "FAILED: include/$header: a header of ${public:-no layer}, but $file defines its $name"
done < <(grep '^defined reformer/' <<<"$found")

none() { # none WHAT PATTERN FOLDER...: no such line
  local what=$1 pattern=$2 found
  shift 2
  checks=$((checks + 1))
  found=$(grep -rnE --include='*.[ch]' "$pattern" "$@")
  [ -z "$found" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s:\n%s\n' "$what" "$found"
}
# All of that is seen of includes in one form, and of functions that a header declares.
own=$(IFS='|'; echo "reformer|${layers[*]}") s='[[:space:]]'
none "an include in another form than #include \"room/file.h\" or #include <system.h>" \
  "^$s*#$s*include([^ ]| [^\"<]|$)|^($s+#$s*|#$s+)include|include <($own)/" . ../include/reformer
none "a function declared where it is used, beside its header" \
  '^(extern .*\(|[a-z][a-z_0-9 ]*[ *]rf_[a-z0-9_]+\([^;{]*\);)' $(find . -name '*.c')
none "MPI outside comm/" '#include <mpi\.h>' $(find . -mindepth 1 -maxdepth 1 -type d ! -name comm)
# The watchdog ends a process whose main thread hangs; nobody else does.
none "a call that ends the process" '(^|[^a-z_])(_?exit|_Exit|quick_exit|abort)\)? *\(' \
  $(find . -name '*.[ch]' ! -path ./train/watchdog.c)
none "a BLAS call beside the door in kernel/gemm.h" '(^|[^a-z_])cblas_[sd]' .
[ "$checks" -gt 100 ] || { echo "FAILED: only $checks checks were made"; failures=$((failures + 1)); }
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
