#!/usr/bin/env bash
# Debian's package, built in a bare root of Debian and installed in another: it trains, has its manual, lets a program of
# one's own be built, and leaves nothing when it goes.
#   tests/install/package.sh [SUITE...]              bookworm and trixie, where none is named
#   tests/install/package.sh --package FILE SUITE    tries that package, which cpack made on such a machine
# Prints the package's control data, contents and size, what lintian says, and what the example program prints. The
# packages and logs are left in build/install/. For root, with debootstrap and a mirror (root.sh).
# Exit status: 0 all of it is so; 1 something is not; 2 wrong usage; 77 there are no fresh machines here.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
# shellcheck source-path=SCRIPTDIR source=root.sh
. "$(dirname "${BASH_SOURCE[0]}")/root.sh"
script_options --package "$@"
out=$root_home/build/install
config=/usr/share/reformer/configs/duplicate.yaml
small='training.steps=20 optimizer.warmup=5 training.eval_every=0 training.eval_batches=2 training.memory_limit=0 output.log_every=1'
sets="--set ${small// / --set }"
failures=0

wrong() {
  failures=$((failures + 1))
  echo "FAILED: $suite: $*"
}

holds() { # holds WHAT COMMAND...: it succeeds; its output goes to the log
  local what=$1
  shift
  "$@" >>"$log" 2>&1 </dev/null || { wrong "$what: status $? (the end of $log:)" && tail -n 12 "$log"; }
}

# What a user types, in a bare machine; Open MPI wants to be told that root means it, OpenMP that others run here too.
typed() {
  root_run "$bare" env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    OMP_WAIT_POLICY=passive bash -ec "cd /root; $1"
}

build() { # in a root that has what launch/setup.sh installs, and Debian's tools
  root_make "$suite" "$maker" && root_copy_tree "$maker" /root/reformer || return 1
  holds "apt-get install dpkg-dev lintian" root_install "$maker" dpkg-dev lintian
  if [ -n "$given" ]; then
    cp "$given" "$maker/root/"
  else
    holds "setup.sh" root_run "$maker" bash -c 'cd /root/reformer && launch/setup.sh'
    holds "the build" root_run "$maker" bash -c 'cd /root/reformer && cmake --preset release -DRF_TESTS=OFF &&
      cmake --build --preset release -j2 && cd build/release && cpack -G DEB && mv ./*.deb /root/'
  fi
  package=$(cd "$maker/root" && echo reformer_*.deb)
  [ -f "$maker/root/$package" ] || { wrong "there is no package" && return 1; }
  cp "$maker/root/$package" "$out/$package"
}

describe() {
  dpkg-deb --info "$out/$package"
  dpkg-deb --contents "$out/$package" | awk '{ print $1, $3, $6, $7, $8 }'
  echo "size of $package: $(stat -c %s "$out/$package") bytes"
  echo "lintian ($(root_run "$maker" lintian --version)):"
  root_run "$maker" lintian --fail-on error --info --display-info "/root/$package" >"$out/lintian-$suite" 2>&1 ||
    wrong "lintian has errors"
  grep -E '^[EWI]:' "$out/lintian-$suite"
}

losses_agree() { # those that the example printed, with those of the run
  typed "sed -n 's/^{\"step\": *[0-9]*, *\"loss\": *\([^,}]*\).*/\1/p' trained/metrics.jsonl" | awk '{ printf "%.17g\n", $1 }' >"$out/told"
  [ "$(wc -l <"$out/told")" = 20 ] && awk '/^step/ { printf "%.17g\n", $4 }' "$out/printed" | cmp -s - "$out/told"
}

try() { # in a bare root
  root_make "$suite" "$bare" && cp "$out/$package" "$bare/root/" || return 1
  root_run "$bare" find / -xdev -not -path '/root/*' -not -path '/var/cache/*' -not -path '/var/log/*' \
    -not -path '/var/lib/apt/*' -name '*reformer*' >"$out/before-$suite"
  holds "apt-get update" root_run "$bare" apt-get -q -q update
  holds "apt install" typed "DEBIAN_FRONTEND=noninteractive apt-get -q -y install ./$package"
  holds "reformer --version" typed "reformer --version"
  holds "the loader's cache" typed "ldconfig -p | grep libreformer.so && ldd /usr/bin/reformer | grep libreformer"
  holds "training" typed "reformer train $config --run trained $sets"
  holds "training by run.sh on two ranks" typed "/usr/share/reformer/launch/run.sh --ranks 2 --bind none -- \
    train $config --run by_two $sets --set mesh.data=2"
  holds "evaluating" typed "reformer eval trained/checkpoints/step-00000020 --set training.eval_batches=2"
  # The example, by a user who has a compiler now.
  holds "a compiler and man" root_install "$bare" gcc libc6-dev make cmake pkg-config man-db
  typed 'man reformer-train | col -b | sed -n 1,12p; for page in 1/reformer 5/reformer-config 1/reformer-bench; do
    man -w ${page%/*} ${page#*/}; done; man -k reformer' || wrong "man"
  holds "the example by CMake" typed "cmake -S /usr/share/doc/reformer/docs/example -B example && cmake --build example"
  holds "the example by pkg-config" typed \
    "gcc /usr/share/doc/reformer/docs/example/train.c -o by_pkgconfig \$(pkg-config --cflags --libs reformer)"
  for way in example/train ./by_pkgconfig; do
    echo "$way $config 20 saved $small:"
    typed "$way $config 20 saved $small" | tee "$out/printed" | tail -n 2
    losses_agree || wrong "$way: other losses than reformer train"
  done
  echo "mpirun -n 2 example/train $config 20 saved_by_two $small mesh.data=2:"
  typed "mpirun -n 2 --oversubscribe example/train $config 20 saved_by_two $small mesh.data=2 | tail -n 2
    reformer verify saved_by_two" || wrong "the example on two ranks"
  holds "apt purge" typed "DEBIAN_FRONTEND=noninteractive apt-get -q -y purge reformer"
  root_run "$bare" find / -xdev -not -path '/root/*' -not -path '/var/cache/*' -not -path '/var/log/*' \
    -not -path '/var/lib/apt/*' -name '*reformer*' | diff "$out/before-$suite" - || wrong "something stays behind"
  ! typed "ldconfig -p | grep reformer" || wrong "the loader still knows the library"
}

given=
if [ "${1-}" = --package ]; then
  [[ $# = 3 && -f $2 ]] || { echo "package.sh: --package: found '${2-}'; wanted: --package FILE SUITE, FILE being there" >&2 && exit 2; }
  given=$(realpath -- "$2") && shift 2
fi
[ $# != 0 ] || set -- bookworm trixie
for suite; do
  [[ $suite =~ ^(bookworm|trixie)$ ]] || { echo "package.sh: found '$suite'; allowed: bookworm, trixie" >&2 && exit 2; }
done
root_ready || exit 77
mkdir -p "$out"
trap 'for folder in "$roots"/package-*.$$; do root_destroy "$folder"; done' EXIT
trap 'exit 1' INT TERM HUP
for suite; do
  log=$out/package-$suite.log maker=$roots/package-maker-$suite.$$ bare=$roots/package-bare-$suite.$$
  : >"$log"
  echo "=== $suite"
  started=$SECONDS
  build && describe && try || wrong "it came to no end"
  echo "$suite: $((SECONDS - started)) s"
  root_destroy "$maker"
  root_destroy "$bare"
done
[ "$failures" = 0 ] && echo "packages: all as it should be"
[ "$failures" = 0 ]
