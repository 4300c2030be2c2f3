# For the scripts here: `check STATUS [TEXT...] -- ARGUMENT...` runs the program and wants that exit status and every
# TEXT in what it prints; a failure prints both. `finish` ends the script. PROGRAM must be set. The script goes on in $work,
# a folder of its own.
. "${BASH_SOURCE[0]%/*}/../support/work.sh" || exit 1
cd "$work" || exit 1
checks=0 failures=0

check() {
  local status=$1 wanted=() output found text
  shift
  while [ "$1" != -- ]; do wanted+=("$1"); shift; done
  shift
  output=$("$PROGRAM" "$@" 2>&1 </dev/null)
  found=$?
  checks=$((checks + 1))
  local missing=
  for text in ${wanted[@]+"${wanted[@]}"}; do
    case "$output" in *"$text"*) ;; *) missing="$missing '$text'" ;; esac
  done
  [ "$found" = "$status" ] && [ -z "$missing" ] && return
  failures=$((failures + 1))
  printf 'FAILED: reformer %s\n  status %s, wanted %s\n  missing:%s\n%s\n' "$*" "$found" "$status" "${missing:- nothing}" "$output"
}

# check_config STATUS TEXT... -- ARGUMENT...: the same with `train FILE`, FILE being standard input, and no run made.
check_config() {
  cat >"$work/bad.yaml"
  local before=("$@") i
  for i in "${!before[@]}"; do
    if [ "${before[$i]}" = -- ]; then
      check "${before[@]:0:$i}" -- train "$work/bad.yaml" --run "$work/never" "${before[@]:$((i + 1))}"
    fi
  done
  if [ -e "$work/never" ]; then
    failures=$((failures + 1))
    echo "FAILED: a run that could not start left a folder behind"
    rm -rf "$work/never"
  fi
}

finish() {
  echo "$checks checks, $failures failed"
  [ "$failures" = 0 ]
}
