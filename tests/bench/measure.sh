# For scripts that read `reformer bench step`'s figures, and the folder $work for them. PROGRAM and CONFIG must be set, and
# $sets holds the options that all of a script's measurements share.
# shellcheck shell=bash disable=SC2154
# shellcheck source-path=SCRIPTDIR source=../support/work.sh
. "${BASH_SOURCE[0]%/*}/../support/work.sh" || exit 1
sets=()

# measure NAME OPTION...: one measurement, whose figures `figure NAME KEY` gives (keys of the top level). A failure ends the script.
measure() {
  local name=$1
  shift
  "$PROGRAM" bench step "$CONFIG" --steps 1 --json "$work/$name.json" ${sets[@]+"${sets[@]}"} "$@" >"$work/$name.log" 2>&1 && return
  printf 'FAILED: %s bench step %s %s %s\n' "$PROGRAM" "$CONFIG" "${sets[*]-}" "$*" >&2
  cat "$work/$name.log" >&2
  exit 1
}

# One number or word a line, as the program writes them.
figure() {
  local value
  value=$(sed -n 's/^  "'"$2"'": "\{0,1\}\([^",]*\)"\{0,1\},\{0,1\}$/\1/p' "$work/$1.json")
  [ -n "$value" ] || { echo "FAILED: no $2 in $work/$1.json" >&2; exit 1; }
  echo "$value"
}

# Bytes of a number of the program's precision.
real_bytes() { [ "$(figure "$1" real)" = double ] && echo 8 || echo 4; }

# state_growth FROM TO: bytes of parameters, gradients and Adam's two moments of the layers that TO has beyond FROM.
state_growth() { echo $((4 * $(real_bytes "$2") * ($(figure "$2" parameters) - $(figure "$1" parameters)))); }

mebibytes() { echo $((($1 + 524288) / 1048576)); }
