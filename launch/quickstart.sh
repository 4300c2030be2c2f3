#!/usr/bin/env bash
# Sets up, builds, and trains a small byte-level Reformer for one to two minutes.
#   launch/quickstart.sh            on the King James Bible (public domain, 4.3 MB of text)
#   launch/quickstart.sh TEXT       on a text of your own, a megabyte or more
#   launch/quickstart.sh [TEXT] --set KEY=VALUE...    with other settings than configs/quickstart.yaml's, as of train
# The run goes to runs/quickstart-N. Ends with the validation loss in bits a byte and lines sampled from the model, and
# with the status of what ended it: the program's (0 trained, see README.md), or 1 where set-up or build failed.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
# shellcheck source-path=SCRIPTDIR source=plain.sh
. "$(dirname "$(readlink -f -- "$0")")/plain.sh" || exit 1

say() { echo "quickstart: $*" >&2; }

usage="usage: launch/quickstart.sh [TEXT] [--set KEY=VALUE]..."
texts=() settings=()
while [ $# != 0 ]; do
  case "$1" in
  -h | --help)
    show_help
    exit 0
    ;;
  --set)
    if [[ ${2-} != ?*=* ]]; then
      say "--set: found '${2-}', wanted KEY=VALUE; $usage"
      exit 2
    fi
    settings+=(--set "$2")
    shift
    ;;
  -*)
    say "unknown option $1; $usage"
    exit 2
    ;;
  *) texts+=("$1") ;;
  esac
  shift
done
if [ ${#texts[@]} -gt 1 ]; then
  say "found ${#texts[@]} texts; $usage"
  exit 2
fi

text=${texts[0]-}
if [ -n "$text" ]; then
  if [ ! -f "$text" ] || [ ! -r "$text" ]; then
    say "$text: no file that can be read; give a text of your own, or nothing"
    exit 3
  fi
  text=$(realpath -- "$text") # the program starts elsewhere
fi
cd "$home" || exit 1

for folder in build data runs; do # what is written here
  if [ -e $folder ] && [ ! -w $folder ] || [ ! -e $folder ] && [ ! -w . ]; then
    say "$home/$folder cannot be written; copy the project to a folder of your own and start it there, or build" \
      "elsewhere: cmake -S '$home' -B FOLDER && cmake --build FOLDER -j2"
    exit 1
  fi
done
mkdir -p build || exit 1
only_one build/quickstart.lock "another quickstart builds here; start this one when that one trains" || exit 1
needs=()
[ -n "$text" ] || [ -s data/quickstart.txt ] || needs=(--quickstart)
bash launch/setup.sh ${needs[@]+"${needs[@]}"} || exit 1

# A folder that was built elsewhere and brought along, or whose project has moved, is begun anew.
built_for=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' build/release/CMakeCache.txt 2>/dev/null)
if [ -n "$built_for" ] && [ ! "$built_for" -ef . ]; then
  say "build/release was made for $built_for; making it anew"
  rm -rf build/release
fi
choose_generator

say "building build/release/reformer"
log=build/quickstart.log
if ! { cmake --preset release && cmake --build --preset release --target reformer; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  say "the build failed; all of its output is in $log"
  exit 1
fi

# Made under another name first: what is there is whole.
write_text() {
  mkdir -p data && LC_ALL=C bible -l 80 gen1:1-rev22:21 >data/quickstart.txt.part </dev/null &&
    [ "$(wc -c <data/quickstart.txt.part)" -gt 4000000 ] && mv data/quickstart.txt.part data/quickstart.txt
}
if [ -z "$text" ] && [ ! -s data/quickstart.txt ]; then
  say "writing data/quickstart.txt"
  if ! write_text; then
    rm -f data/quickstart.txt.part
    say "bible -l 80 gen1:1-rev22:21 did not write the whole text; is the disk full?"
    exit 1
  fi
fi

# The value of --set is YAML, where a quote within quotes is doubled.
[ -z "$text" ] || settings=(--set "data.path='${text//\'/\'\'}'" ${settings[@]+"${settings[@]}"})
say "training configs/quickstart.yaml"
exec build/release/reformer train configs/quickstart.yaml ${settings[@]+"${settings[@]}"} 9>&-
