#!/usr/bin/env bash
# The README's first command on fresh machines: from a clone to a trained model, with few steps.
#   tests/install/fresh.sh [VARIANT...]        all of them, where none is named; --list names them
# Prints a row of a table for each: the variant, what came of it, and seconds. Most are roots of Debian (root.sh: for
# root, with debootstrap and a mirror); the others run here, on a copy of the project. Logs: build/install/VARIANT.log.
# Exit status: 0 each did what it should; 1 one did not; 2 no such variant or option; 77 there are no fresh machines here.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$(dirname "${BASH_SOURCE[0]}")/root.sh"
logs=$root_home/build/install
steps=20
short=(--set training.steps="$steps" --set training.eval_every="$steps" --set training.eval_batches=2
  --set data.length=128 --set optimizer.warmup=5 --set output.sample_tokens=20)
export OMP_WAIT_POLICY=passive # other tests may run beside

# name | suite, or `here` | what is there before | what comes of it
variants='
bookworm      | bookworm | nothing                                                       | trains
libblas       | bookworm | libblas-dev, the reference BLAS                               | trains
pthread       | bookworm | OpenBLAS with POSIX threads, no other                         | trains
openblas-two  | bookworm | OpenBLAS with POSIX threads and with OpenMP, libblas-dev      | trains
mpich         | bookworm | MPICH, no other MPI                                           | trains
mpich-first   | bookworm | MPICH as the default, Open MPI and its HDF5 beside            | trains
hdf5-serial   | bookworm | a serial HDF5                                                 | trains
hdf5-parallel | bookworm | a parallel HDF5                                               | trains
hdf5-both     | bookworm | a serial and a parallel HDF5                                  | trains
clang         | bookworm | clang, and CC names it                                        | trains
ninja         | bookworm | ninja, no make                                                | trains
de            | bookworm | locale de_DE.UTF-8: decimal commas                            | trains, script or not
odd           | bookworm | umask 077, no HOME, TMPDIR without exec, CMAKE_GENERATOR=Ninja | trains
sudo          | bookworm | a user who may sudo                                           | trains
sudo-password | bookworm | a user whose sudo asks for a password, no terminal            | names the packages
by-hand       | bookworm | what the refusal of cmake names, installed by apt-get         | builds in the same folder
image         | bookworm | what cluster/reformer.def copies and runs                     | installs
offline       | bookworm | no network                                                    | says so
trixie        | trixie   | nothing                                                       | trains
no-root       | here     | no root, no sudo, no cmake                                    | names the packages
path          | here     | the project at a path with a space and an umlaut              | trains
moved         | here     | a build folder of another path                                | trains
read-only     | here     | the project on a file system that cannot be written           | says so; trains elsewhere
'

# --- What variants are made of ------------------------------------------------------------------

log_to() { # every line with the second that it came in
  local line
  while IFS= read -r line; do printf '%s %s\n' "$EPOCHSECONDS" "$line"; done >>"$log"
}

fail() { # fail WHY
  why=$1
  return 1
}

there() { # there PACKAGE...: packages that the machine has before: the time starts after
  root_install "$root" "$@" >>"$log" 2>&1 || fail "apt-get does not install $*" || return 1
  echo start | log_to
}

inside() { # inside COMMAND...: where the project is
  # shellcheck disable=SC2016
  root_run "$root" env OMP_WAIT_POLICY=passive \
    bash -c 'cd /root/reformer && exec "$@"' inside "$@" 2>&1 </dev/null | log_to
  return "${PIPESTATUS[0]}"
}

says() { # says TEXT...
  local text
  for text; do grep -q -F -e "$text" "$log" || fail "it does not say: $text" || return 1; done
}

trained() { # trained FOLDER: the project's
  says "bits/token" "sampled from the model" &&
    { [ -d "$1/runs/quickstart-1/checkpoints/step-$(printf %08d $steps)" ] || fail "no checkpoint of step $steps"; }
}

quickstart() { # quickstart [COMMAND...]: before launch/quickstart.sh, such as env
  inside "$@" launch/quickstart.sh "${short[@]}" || fail "status $?" || return 1
  trained "$root/root/reformer"
}

# refused STATUS COMMAND...: it ends with that status
refused() {
  local wanted=$1 found
  shift
  "$@"
  found=$?
  [ $found = "$wanted" ] || fail "status $found, not $wanted"
}

here() { # here COMMAND...: in $tree
  (cd "$tree" && exec "$@") 2>&1 </dev/null | log_to
  return "${PIPESTATUS[0]}"
}

user() { # a user of the machine, and the project is theirs
  root_run "$root" useradd --create-home --shell /bin/bash "$1" && mv "$root/root/reformer" "$root/home/$1/" &&
    root_run "$root" chown -R "$1:$1" "/home/$1"
}

as_user() { # as_user NAME COMMAND...: without a terminal
  # shellcheck disable=SC2016
  root_run "$root" setsid -w setpriv --reuid "$1" --regid "$1" --init-groups env -i HOME="/home/$1" USER="$1" \
    PATH=/usr/local/bin:/usr/bin:/bin OMP_WAIT_POLICY=passive \
    bash -c 'cd ~/reformer && exec "$@"' as_user "${@:2}" 2>&1 </dev/null | log_to
  return "${PIPESTATUS[0]}"
}

# --- The variants -------------------------------------------------------------------------------

variant_bookworm() { quickstart; }
variant_trixie() { quickstart; }
variant_libblas() { there libblas-dev && quickstart; }
variant_pthread() { there libopenblas-pthread-dev && quickstart; }
variant_openblas-two() { there libopenblas-pthread-dev libopenblas-openmp-dev libblas-dev && quickstart; }
variant_mpich() { there libmpich-dev mpich && quickstart && with_mpi mpich; }
variant_mpich-first() {
  there libopenmpi-dev openmpi-bin libhdf5-openmpi-dev libmpich-dev mpich &&
    inside update-alternatives --set mpi-x86_64-linux-gnu /usr/include/x86_64-linux-gnu/mpich &&
    inside update-alternatives --set mpi /usr/bin/mpicc.mpich &&
    inside update-alternatives --set mpirun /usr/bin/mpirun.mpich && quickstart && with_mpi mpich
}
variant_hdf5-serial() { there libhdf5-dev && quickstart; }
variant_hdf5-parallel() { there libhdf5-openmpi-dev && quickstart; }
variant_hdf5-both() { there libhdf5-dev libhdf5-openmpi-dev && quickstart; }
variant_clang() { # Debian's Open MPI asks for gcc
  there clang libopenmpi-dev && quickstart env CC=clang &&
    { grep -q clang "$root/root/reformer/build/release/CMakeCache.txt" || fail "not built by clang"; }
}
variant_ninja() {
  there gcc libc6-dev ninja-build cmake && quickstart &&
    { [ -e "$root/root/reformer/build/release/build.ninja" ] || fail "not built by ninja"; }
}
variant_by-hand() {
  local wanted
  there gcc libc6-dev make cmake && refused 1 inside cmake -S . -B /tmp/build || return 1
  wanted=$(sed 's/^[0-9]* //' "$log" | tr '\n' ' ' | sed -n 's/.*or apt-get install \([-a-z0-9 ]*\) *With Spack.*/\1/p')
  # shellcheck disable=SC2086 # a list
  there $wanted && inside cmake -S . -B /tmp/build && inside cmake --build /tmp/build -j2 --target reformer &&
    inside /tmp/build/reformer help || fail "what it named, $wanted, did not do"
}

variant_de() {
  there locales && inside sh -c 'echo de_DE.UTF-8 UTF-8 >/etc/locale.gen && locale-gen' &&
    quickstart env LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 &&
    inside env LC_ALL=de_DE.UTF-8 build/release/reformer train configs/quickstart.yaml "${short[@]}" --run /tmp/de &&
    inside env LC_ALL=de_DE.UTF-8 build/release/reformer inspect /tmp/de/checkpoints/step-000000$steps
}

# shellcheck disable=SC2016
variant_odd() {
  quickstart bash -c 'umask 077; unset HOME LANG; export TMPDIR=/tmp/noexec CMAKE_GENERATOR=Ninja
    mkdir /tmp/noexec && mount -t tmpfs -o noexec none /tmp/noexec && exec "$@"' odd
}

variant_sudo() {
  there sudo && user lisa && echo 'lisa ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/lisa" &&
    as_user lisa launch/quickstart.sh "${short[@]}" && trained "$root/home/lisa/reformer"
}
variant_sudo-password() {
  there sudo && user lisa && echo 'lisa ALL=(ALL) ALL' >"$root/etc/sudoers.d/lisa" &&
    refused 1 as_user lisa launch/quickstart.sh && says "missing: gcc" libhdf5-dev bible-kjv "ask an administrator"
}

variant_image() { # what an image is made of, without the tool that makes it
  local folder=$root/src from to
  while read -r from to; do
    mkdir -p "$(dirname "$root$to")" && cp -r "$root/root/reformer/$from" "$root$to" || return 1
  done < <(sed -n '/^%files/,/^$/s/^  *//p' "$root_home/cluster/reformer.def")
  rm -rf "$root/root/reformer"
  sed -n '/^%post/,/^$/s/^  //p' "$root_home/cluster/reformer.def" >"$folder.sh"
  root_run "$root" bash -e /src.sh 2>&1 </dev/null | log_to
  [ "${PIPESTATUS[0]}" = 0 ] && root_run "$root" reformer help >/dev/null || fail "%post failed"
}

variant_offline() { # a mirror that does not answer
  rm -f "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*_*
  echo 'Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::Retries "0";' >"$root/etc/apt/apt.conf.d/proxy"
  refused 1 inside launch/quickstart.sh && says "missing: gcc libc6-dev make cmake" "apt-get could not install: gcc"
}

variant_no-root() {
  local bin=$tree/bin name
  mkdir "$bin"
  for name in bash sh id tr sed dirname readlink realpath mkdir flock mktemp rm grep cat; do
    ln -s "$(command -v $name)" "$bin/$name"
  done
  chown -R nobody "$tree"
  refused 1 here setpriv --reuid nobody --regid nogroup --clear-groups env -i PATH="$bin" launch/quickstart.sh &&
    says "missing: gcc libc6-dev make cmake bible-kjv" libopenmpi-dev libopenblas-openmp-dev libhdf5-dev libyaml-dev \
      libjansson-dev libxxhash-dev libcmocka-dev "ask an administrator" "with Spack" openblas
}

variant_path() { here launch/quickstart.sh "${short[@]}" && trained "$tree"; }

variant_moved() {
  local first=$tree
  here launch/quickstart.sh "${short[@]}" && mv "$tree" "$tree-2" && tree=$tree-2 && rm -r "$tree/runs" &&
    here launch/quickstart.sh "${short[@]}" && says "was made for $first; making it anew" && trained "$tree"
}

# shellcheck disable=SC2016
variant_read-only() {
  here launch/setup.sh || fail "set-up: status $?" || return 1
  seq 1 100000 >"$tree/../text.txt"
  refused 1 here unshare --mount sh -c 'mount --bind -o ro . . && cd "$PWD" && exec launch/quickstart.sh' &&
    says "/build cannot be written; copy the project" || return 1
  here unshare --mount bash -c 'mount --bind -o ro . . && cd "$PWD" && ! touch x && mkdir ../build && cd ../build &&
    cmake -S "$OLDPWD" -B . && cmake --build . -j2 --target reformer && exec ./reformer train \
    "$OLDPWD/configs/quickstart.yaml" --set data.path=../text.txt --run ../run "$@"' sh "${short[@]}" &&
    [ -d "$tree/../run/checkpoints" ] || fail "status $?"
}

with_mpi() { # with_mpi NAME: two ranks of that MPI speak with each other
  inside mpiexec -n 2 build/release/reformer train configs/quickstart.yaml "${short[@]}" --set mesh.sequence=2 \
    --run /tmp/two && says "ranks 0-1" || fail "two ranks of $1: status $?"
}

# --- One variant --------------------------------------------------------------------------------

seconds_between() { # seconds_between FROM TO: how lines begin; the last such ones in the log
  local from to
  from=$(sed -n "s/^\([0-9]*\) $1.*/\1/p" "$log" | tail -n 1)
  to=$(sed -n "s/^\([0-9]*\) $2.*/\1/p" "$log" | tail -n 1)
  [ -n "$from" ] && [ -n "$to" ] && echo $((to - from)) || echo -
}

run_variant() { # run_variant VARIANT
  local variant=$1 log=$logs/$1.log suite result=passed status=0 why='' folder
  suite=$(root_column "$variant" 2)
  folder=$roots/fresh-$variant.$$
  mkdir -p "$logs" "$roots" && : >"$log"
  if [ "$suite" = here ]; then
    tree="$folder/reformer"
    [ "$variant" != path ] || tree="$folder/Größe und Ort"
    root_copy_tree / "$tree"
  else
    root=$folder
    root_make "$suite" "$root" && root_copy_tree "$root" /root/reformer
  fi || fail "there is no such machine" && echo start | log_to && "variant_$variant" ||
    { status=1 && result="**failed** ($why; $log)"; }
  echo end | log_to
  root_destroy "$folder"
  printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$variant" "$suite" "$(root_column "$variant" 3)" \
    "$([ $status = 0 ] && root_column "$variant" 4 || echo "$result")" "$(seconds_between start 'quickstart: building')" \
    "$(seconds_between 'quickstart: building' 'quickstart: training')" \
    "$(seconds_between 'quickstart: training' end)" "$(seconds_between start end)"
  return $status
}

script_options --list "$@"
root_choose "$@"
for folder in "$roots"/fresh-*; do # of one that was killed
  [ -e "/proc/${folder##*.}" ] || root_destroy "$folder"
done
trap 'for folder in "$roots"/fresh-*.$$; do root_destroy "$folder"; done' EXIT
root_table '| variant | Debian | what is there | what came of it | set-up s | build s | training s | all s |'
