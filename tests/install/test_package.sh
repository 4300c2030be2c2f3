#!/usr/bin/env bash
# What cmake --install leaves: found wherever it is moved to, and enough for a program of one's own, which trains as
# reformer train does. Where Debian's tools are there, its package too. PROGRAM SOURCE_DIR
set -u
build=$(dirname "$1") source_dir=$2
[ -f "$build/CMakeCache.txt" ] || { echo "built for another machine: nothing to install here"; exit 77; }
. "$source_dir/tests/cli/check.sh" || exit 1
PROGRAM=$work/a\ place/bin/reformer
. "$source_dir/tests/cli/many.sh"

wrong() { # wrong MESSAGE: one more failure
  failures=$((failures + 1))
  echo "FAILED: $*"
}

holds() { # holds WHAT COMMAND...: it succeeds; what it says is in held
  local what=$1
  shift
  checks=$((checks + 1))
  held=$("$@" 2>&1) || wrong "$what: $held"
}

# Installed, then moved: nothing may remember where it was.
holds "cmake --install" cmake --install "$build" --prefix "$work/first"
mv first "a place" || exit 1
prefix=$work/a\ place
lib=$(dirname "$(find "$prefix" -name 'libreformer*.so' | grep -v hwcaps)") # libreformer_double.so in double
[ "$lib" != . ] || { echo "FAILED: no libreformer.so was installed" && exit 1; }
for file in bin/reformer include/reformer/session.h "$(basename "$lib")/cmake/reformer/reformer-config.cmake" \
  share/man/man1/reformer.1 share/man/man5/reformer-config.5 share/bash-completion/completions/reformer \
  share/reformer/configs/duplicate.yaml share/reformer/launch/run.sh share/doc/reformer/README.md; do
  holds "installed" test -s "$prefix/$file"
done

holds "the installed README says what is not" grep -q 'launch/quickstart.sh and setup.sh are in the' "$prefix/share/doc/reformer/README.md"

# --- Headers and what the libraries show --------------------------------------------------------

# Each header alone, in C11 and, where there is a compiler, in C++; what they declare, in declared.
: >declared.all
for header in "$prefix"/include/reformer/*.h; do
  printf '#include "reformer/%s"\nint alone;\n' "$(basename "$header")" >alone.c
  holds "$(basename "$header") in C11" cc -std=c11 -Wall -Wextra -Werror -pedantic -I"$prefix/include" -c alone.c -o alone.o
  # shellcheck disable=SC2094
  cc -std=c11 -E -P -I"$prefix/include" alone.c | grep -oE '\brf_[a-z0-9_]+\(' | tr -d '(' >>declared.all
  command -v c++ >/dev/null || continue
  holds "$(basename "$header") in C++" c++ -Wall -Wextra -Werror -I"$prefix/include" -x c++ -c alone.c -o alone.o
done
sort -u declared.all >declared
[ "$(wc -l <declared)" -gt 80 ] || wrong "only $(wc -l <declared) functions are declared in the headers"
while read -r library; do
  nm -D --defined-only "$library" | awk '$2 == "T" { print $3 }' | sort -u >exported
  checks=$((checks + 1))
  missing=$(comm -23 declared exported) surplus=$(comm -13 declared exported | grep -vxE 'rf_(program_main|processor_check|threads_read)') # main's
  [ -z "$missing$surplus" ] || wrong "$library: declared and not exported: ${missing:-none}; exported and not declared: ${surplus:-none}"
done < <(find "$lib" -name 'libreformer*.so.*')

# --- The example of the documents ---------------------------------------------------------------

check 0 "reformer" -- --version
cp -r "$source_dir/docs/example" example || exit 1
holds "find_package(reformer)" cmake -S example -B by_cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
holds "the example by CMake" cmake --build by_cmake
# The line of docs/library.md, as it stands there, but for the folder, whose name has a space.
line=$(sed -n 's/^ *cc train.c -o train //p' "$source_dir/docs/library.md")
line=${line//PREFIX\/lib/$(printf %q "$lib")}
# pkg-config writes a space as a shell reads it: the second time.
by_pkgconfig() { eval "cc -Wall -Wextra -Werror example/train.c -o by_pkgconfig $(eval "echo \"$line\"")"; }
[[ $line = *pkg-config* ]] || wrong "docs/library.md has no line for pkg-config"
holds "the example by pkg-config" by_pkgconfig
# And the lines for such a folder.
blank=$(sed -n 's/^ *\(flags=\|eval cc train.c\)/\1/p' "$source_dir/docs/library.md")
blank=${blank//PREFIX\/lib/$lib}
[[ $blank = *pkg-config*train.c* ]] || wrong "docs/library.md has no lines for a folder with a blank"
holds "the example by the lines for a folder with a blank" bash -c "cd example && $blank"

config=$prefix/share/reformer/configs/duplicate.yaml
settings=(training.steps=4 optimizer.warmup=2 training.seed=7 training.eval_every=0 training.eval_batches=2 output.log_every=1
  training.memory_limit=0 model.d_model=32 model.d_head=8 model.d_ff=32)
sets=()
for setting in "${settings[@]}"; do sets+=(--set "$setting"); done

# losses FILE: of what the example printed; told RUN: of what the program wrote. In full, one a line.
losses() { awk '/^step/ { printf "%.17g\n", $4 } /^validation/ { printf "%.17g\n", $3 }' "$1"; }
told() {
  sed -n 's/^{"step": *[0-9]*, *"loss": *\([^,}]*\).*/\1/p' "$1/metrics.jsonl" | awk '{ printf "%.17g\n", $1 }'
  sed -n 's/.*"eval_loss": *\([^,}]*\).*/\1/p' "$1/metrics.jsonl" | awk '{ printf "%.17g\n", $1 }'
}

for ranks in 1 2; do
  launcher=()
  [ "$ranks" = 1 ] || launcher=(mpirun --oversubscribe --bind-to none -n "$ranks")
  mesh=(mesh.sequence=1 mesh.data="$ranks")
  holds "reformer train on $ranks" "${launcher[@]}" "$PROGRAM" train "$config" "${sets[@]}" \
    --set "${mesh[0]}" --set "${mesh[1]}" --run "run-$ranks"
  told "run-$ranks" >wanted
  [ "$(wc -l <wanted)" = 5 ] || wrong "not 4 losses and one of an evaluation: $(cat wanted)"
  for way in by_cmake/train ./by_pkgconfig; do
    checks=$((checks + 1))
    "${launcher[@]}" "$way" "$config" 4 "saved-$ranks" "${settings[@]}" "${mesh[@]}" >printed 2>said ||
      wrong "$way on $ranks: $(cat said)"
    losses printed >found
    cmp -s found wanted || wrong "$way on $ranks: other losses than reformer train: $(cat printed), wanted $(cat wanted)"
  done
  holds "reformer verify" "$PROGRAM" verify "saved-$ranks"
done
checks=$((checks + 1))
by_cmake/train "$config" 4 saved training.steps=many >printed 2>said && wrong "the example takes steps for a number"
grep -q "^error: --set training.steps: found 'many'" said || wrong "the example's message: $(cat said)"
for steps in abc 3x '' -1; do
  checks=$((checks + 1))
  by_cmake/train "$config" "$steps" never >printed 2>said && wrong "the example takes '$steps' for steps"
  grep -q "^error: STEPS: found '$steps'; allowed: a whole number" said && [ ! -e never ] ||
    wrong "the example's message on '$steps': $(cat said)"
done
checks=$((checks + 1))
by_cmake/train "$config" 1 full "${settings[@]}" >/dev/full 2>said && wrong "the example ends well on a full disk"
grep -q "^error: standard output could not all be written" said || wrong "the example's message on a full disk: $(cat said)"
# What the example saved goes on in the program.
check 0 "the state after step 4 is loaded" -- train "$config" --run goes_on --resume saved-2 "${sets[@]}" --set training.steps=5

# --- Ranks of a program that are not alike ------------------------------------------------------

if command -v mpirun >/dev/null; then
  # Two sessions, of which the first alone compares the ranks.
  sed 's/rf_agree(mesh, \(run([a-z, ]*)\))/rf_agree(mesh, \1 ? RF_FAILED : \1)/' example/train.c >twice.c
  ! cmp -s twice.c example/train.c || wrong "docs/example/train.c has no line that could run twice"
  twice() { eval "cc -Wall -Wextra -Werror twice.c -o twice $(eval "echo \"$line\"")"; }
  holds "the example, twice in a process" twice
  alone=("$work/twice" "$config" 4 unlike "${settings[@]}" mesh.sequence=1 mesh.data=2)
  if [ "$(uname -m)" = x86_64 ]; then
    each_rank -n 1 "${alone[@]}" : -n 1 env OPENBLAS_CORETYPE=Prescott "${alone[@]}" >pair.sh
    holds "two ranks that are not alike" mpirun "${mpirun_flags[@]}" -n 2 bash pair.sh
    checks=$((checks + 1))
    [ "$(grep -c "ranks are not alike.*: rank 1 on host .* has .* Prescott.*; rank 0 on host " <<<"$held")" = 1 ] ||
      wrong "not one warning of two sessions: $held"
  fi
  hash=$(sed -n 's/.*= "\(.*\)".*/\1/p' "$build/src/sources.c") # of what the library was built from
  file=$(cd "$lib" && echo libreformer*.so.*)
  mkdir other && LC_ALL=C sed "s/$hash/0000000000000000/" "$lib/$file" >"other/$file"
  ! cmp -s "$lib/$file" "other/$file" || wrong "no hash '$hash' of its sources in $file"
  launch 2 "rank 1 on host $(uname -n): it has another build of the library than rank 0 on host $(uname -n)" \
    -- -n 1 "${alone[@]}" : -n 1 env LD_LIBRARY_PATH="$work/other" "${alone[@]}"
  launch 2 "its configuration is not that of rank 0 on host $(uname -n): training.seed: found 8, there 7" \
    -- -n 1 "${alone[@]}" : -n 1 "${alone[@]}" training.seed=8
fi

# --- The manual, completion, scripts ------------------------------------------------------------

for page in "$prefix"/share/man/man1/reformer-*.1; do
  name=$(basename "$page" .1)
  # Every option of the help is in the page, as the roff has it; and where there is man, it has nothing to say to it.
  while read -r option; do
    checks=$((checks + 1))
    grep -qF -- "\\-\\-$option\\fR" "$page" || wrong "$page: no option --$option"
  done < <("$PROGRAM" "${name#reformer-}" --help | sed -nE 's/^  ( {4}|-[a-zA-Z], )--([a-z]+).*/\2/p')
  command -v man >/dev/null || continue
  checks=$((checks + 1))
  said=$(man --warnings=w -l "$page" 2>&1 >shown)
  [ -z "$said" ] || wrong "$page: $said"
  grep -q "^OPTIONS" shown || wrong "$page: man shows no options"
done
commands=$("$PROGRAM" --help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 10 ] || wrong "only these commands: $commands"
for command in $commands; do holds "a page" test -s "$prefix/share/man/man1/reformer-$command.1"; done
checks=$((checks + 1))
[ "$(grep -c '^\.B [a-z_]*\.' "$prefix/share/man/man5/reformer-config.5")" = "$("$PROGRAM" help config --markdown | grep -c '^| `')" ] ||
  wrong "reformer-config.5 has not every key"

# shellcheck source=/dev/null
. "$prefix/share/bash-completion/completions/reformer" || wrong "bash does not read the completion"
mkdir -p nest && touch "some text.txt" my.yaml
complete_line() { # complete_line LINE WANTED: what is proposed at its end, with blanks between
  COMP_LINE=$1 COMP_POINT=${#1}
  checks=$((checks + 1))
  _reformer
  [ "${COMPREPLY[*]}" = "$2" ] || wrong "completion of '$1': '${COMPREPLY[*]}', wanted '$2'"
}
complete_line "reformer tr" "train"
complete_line "reformer bench e" "exchange"
complete_line "reformer help conf" "config"
complete_line "reformer train x.yaml --re" "--resume"
complete_line "reformer train x.yaml --resume n" "never nest"
complete_line "reformer train x.yaml --resume=a" "auto a place"
complete_line "reformer train x.yaml --run=ne" "nest"
complete_line "reformer export c --dtype=b" "bf16"
complete_line "reformer eval c --data=my.y" "my.yaml"
complete_line "mpirun -n 2 some/where/reformer tr" "train"
complete_line "mpirun -n 2 hostna" ""
complete_line "reformer export c --dtype bf" "bf16"
complete_line "reformer train x.yaml --set model.act" "model.activation="
complete_line "reformer train x.yaml -s model.activation=ge" "gelu"
complete_line "reformer train x.yaml -s model.causal?=" "true false"
complete_line "reformer train x.yaml --set=model.act" "model.activation="
complete_line "reformer train x.yaml --set=model.activation=ge" "gelu"
complete_line 'reformer train x.yaml --set "model.act' "model.activation= model.activation?=" # two leave the quote open
complete_line "reformer train x.yaml --set 'model.activation=ge" "model.activation=gelu"
complete_line "reformer train x.yaml --set data.path=my.y" "my.yaml"
complete_line 'reformer train x.yaml --set "data.path=some t' ""
complete_line "reformer train x.yaml --set output.sample_prompt=my" ""
complete_line "reformer train x" ""
COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
complete_line "reformer train x.yaml --set data.path=my.y" "data.path=my.yaml"
complete_line "reformer train x.yaml --set data.path=some" "data.path=some\\ text.txt"
complete_line "reformer train x.yaml --run=ne" "--run=nest/"
complete_line "reformer train x.yaml --set=model.act" "--set=model.activation="
complete_line "reformer export c --dtype=b" "--dtype=bf16"
complete_line "reformer train x.yaml -s model.causal?=t" "model.causal?=true"

checks=$((checks + 1))
"$prefix/share/reformer/launch/run.sh" --ranks 2 --dry-run -- train "$config" >printed 2>&1 || wrong "run.sh: $(cat printed)"
"$prefix/share/reformer/launch/scaling.sh" --help >help 2>&1
grep -qF "  $prefix/share/reformer/launch/scaling.sh CONFIG --out" help || wrong "scaling.sh --help: $(cat help)"
grep -qF "$PROGRAM" printed || grep -qF "a\\ place/bin/reformer" printed || wrong "run.sh starts another program: $(cat printed)"

# --- Debian's package ---------------------------------------------------------------------------

if [ ! -f "$build/CPackConfig.cmake" ]; then
  echo "no package is made of this build: it computes in double"
elif command -v dpkg-shlibdeps >/dev/null; then
  # All is built: that it looks for what is not, as it does for make, would take others' time.
  holds "cpack -G DEB" cpack -G DEB -D CPACK_CMAKE_GENERATOR=Ninja --config "$build/CPackConfig.cmake" -B "$work"
  dpkg-deb --contents reformer_*.deb >contents || wrong "no package that dpkg reads"
  for file in usr/bin/reformer usr/share/man/man1/reformer-train.1.gz usr/share/doc/reformer/copyright \
    usr/share/doc/reformer/changelog.Debian.gz; do
    checks=$((checks + 1))
    grep -q " \./$file$" contents || wrong "the package has no $file"
  done
  dpkg-deb --field reformer_*.deb Depends >depends
  for library in libopenblas libhdf5 libyaml libxxhash libjansson libc6; do
    checks=$((checks + 1))
    grep -q "$library" depends || wrong "the package does not depend on $library: $(cat depends)"
  done
else
  echo "no dpkg-shlibdeps here (Debian: dpkg-dev): the package is not made"
fi
finish
