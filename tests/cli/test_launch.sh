#!/usr/bin/env bash
# What the scripts in launch/ say to a wrong command line, before they install or build anything. PROGRAM SOURCE_DIR
set -u
source_dir=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source_dir/tests/cli/check.sh"

PROGRAM=$source_dir/launch/quickstart.sh
check 0 "launch/quickstart.sh TEXT" "bits a byte" -- --help
check 2 "unknown option --fast" "usage: launch/quickstart.sh [TEXT]" -- --fast
check 2 "found 2 arguments" "usage: launch/quickstart.sh [TEXT]" -- a b
check 3 "missing.txt: no file that can be read" -- missing.txt
check 3 "$work: no file that can be read" -- "$work"
PROGRAM=$source_dir/launch/setup.sh
check 2 "usage: launch/setup.sh [--tests] [--quickstart] [--cluster]" -- --test
check 2 "usage: launch/setup.sh [--tests] [--quickstart] [--cluster]" -- --tests more

if command -v shellcheck >/dev/null; then
  checks=$((checks + 1))
  shellcheck -x -S warning "$source_dir"/launch/*.sh "$source_dir"/launch/*.sbatch "$source_dir"/cluster/*.sh \
    "$source_dir"/tests/cluster/*.sh || failures=$((failures + 1))
fi

# Where nothing can be installed it names what is missing: here all of it, as no command is found.
ln -s "$(command -v bash)" bash
for name in tr id; do ln -s "$(command -v $name)" "$name"; done
output=$(PATH=$work "$BASH" "$source_dir/launch/setup.sh" --tests --quickstart 2>&1)
status=$?
checks=$((checks + 1))
for package in gcc cmake libopenmpi-dev libcmocka-dev clang-tidy bible-kjv bible-kjv-text "administrator"; do
  case "$output" in *"$package"*) ;; *) status="$status, no $package" ;; esac
done
[ "$status" = 1 ] || { failures=$((failures + 1)); printf 'FAILED: setup.sh with nothing there: status %s\n%s\n' "$status" "$output"; }
finish
