#!/usr/bin/env bash
# Scripts of this project: without a temporary folder they end at once and leave the present folder alone; what is started
# by hand tells how, by sh too; shellcheck finds nothing in them; fresh machines share their packages. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
PROGRAM=bash

# Each makes its folder itself, or by a file that it reads.
mapfile -t scripts < <(grep -lE 'mktemp -d|/(work|check|measure)\.sh"' "$source_dir"/tests/*/*.sh)
mkdir empty && cd empty || exit 1
for script in "${scripts[@]}"; do
  case $script in */tests/base/test_scripts.sh | */tests/support/* | */check.sh | */measure.sh) continue ;; esac
  [[ $script != */install/processors.sh ]] || continue # it looks for an emulator, which may be fetched, first
  arguments=("$program" "$source_dir")
  case $script in
  */fault/kill.sh) arguments=("$program" 1 1 1) ;;
  */fault/damage.sh) arguments=("$program" 1 1) ;;
  esac
  output=$(TMPDIR=$work/none timeout 60 bash "$script" "${arguments[@]}" 2>&1 </dev/null)
  status=$?
  checks=$((checks + 1))
  # Some look for what they need first.
  case "$status $output" in 0*"nothing to try"* | 77*) continue ;; esac
  [ $status = 1 ] && [[ $output = *"$work/none"* ]] && [ -z "$(ls -A)" ] && continue
  failures=$((failures + 1))
  printf 'FAILED: %s without a temporary folder: status %s; in the present folder: %s\n%s\n' \
    "$script" $status "$(ls -A)" "$output"
  find . -mindepth 1 -delete
done
[ "$checks" -gt 30 ] || { failures=$((failures + 1)) && echo "FAILED: only $checks scripts were tried"; }

for script in "$source_dir"/tests/bench/*.sh; do
  name=${script##*/}
  [ "$name" != measure.sh ] || continue
  check 0 "tests/bench/$name " -- "$script" --help
  check 2 "$name: found --fast; allowed: --help" -- "$script" --fast
done

# What is started by hand, also by sh, which is another shell; what it is not given it asks for.
PROGRAM=sh
mapfile -t scripts < <(grep -l '^#!/usr/bin/env bash' "$source_dir"/{tests,tests/*,launch,cluster}/*.sh)
for script in "${scripts[@]}"; do
  case $script in */test_*) continue ;; esac
  check 0 "${script##*/}" -- "$script" --help
done
for script in kill damage; do
  check 2 "usage: tests/fault/$script.sh PROGRAM" -- "$source_dir/tests/fault/$script.sh"
  check 2 "usage: tests/fault/$script.sh PROGRAM" -- "$source_dir/tests/fault/$script.sh" "$program" 1 few
done

if command -v shellcheck >/dev/null; then
  checks=$((checks + 1))
  # From here it finds the files that scripts read by "$source_dir/...".
  (cd "$source_dir" && shellcheck -x -S warning launch/*.sh launch/*.sbatch cluster/*.sh \
    tests/{bench,cluster,fault,install,support}/*.sh) || failures=$((failures + 1))
fi

# Packages are shared with other fresh machines as links, again and again, beside one that takes another's place.
mkdir here there && echo one >here/one.deb && ln here/one.deb there && echo two >here/two.deb
echo old >there/two.deb && touch -d '2 days ago' there/two.deb
share() { root_share_packages here there && root_share_packages there here; }
output=$(. "$source_dir/tests/install/root.sh" && { share && share; } 2>&1)
checks=$((checks + 1))
[ -z "$output" ] && [ here/one.deb -ef there/one.deb ] && [ here/two.deb -ef there/two.deb ] ||
  { failures=$((failures + 1)) && echo "FAILED: sharing packages: $output"; }
finish
