# Fresh machines for the scripts here: roots of Debian, made by debootstrap and entered with namespaces of their own.
# For root only. To be sourced; then
#   root_ready [SUITE]                whether roots can be made here; else a line that says why not, and status 77
#   root_make SUITE FOLDER            a minimal Debian SUITE (bookworm, trixie) in FOLDER, which must not be there yet
#   root_install FOLDER PACKAGE...    apt-get update and install inside
#   root_run FOLDER [--] COMMAND...   runs it inside as root, in / and with a login's environment; its status
#   root_copy_tree FOLDER PATH        a checkout of this project at PATH inside: its tracked files as they are on the disk
#   root_destroy FOLDER               keeps the packages that were fetched for other roots, and removes it
# and, for scripts whose `variants` has a line "NAME | ... | ..." for each thing that they try,
#   root_column VARIANT NUMBER        what stands there
#   root_choose [NAME...]             sets chosen: those, or all; --list prints their names. Ends the script where there is no
#                                     such variant, or no root can be made
#   root_table HEAD                   a table of Markdown, whose rows run_variant NAME prints; status 1 where one failed
# The first argument of a script is an option only where script_options (tests/support/options.sh) lets it pass.
# What is mounted is seen inside only, and goes with the last process there. Killing the unshare of a root_run kills all.
# Everything is below RF_ROOTS (/var/tmp/reformer-roots), where cache/ keeps one archive a suite, and packages.
# shellcheck shell=bash
roots=${RF_ROOTS:-/var/tmp/reformer-roots}
root_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../support/options.sh
. "$root_home/tests/support/options.sh" || exit 1
root_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Where this machine itself fetches Debian from; RF_MIRROR says otherwise.
root_mirror() {
  # shellcheck disable=SC2016 # apt's names
  [ -n "${RF_MIRROR-}" ] || RF_MIRROR=$(apt-get indextargets --format '$(ORIGIN) $(SITE)' 'Created-By: Packages' \
    2>/dev/null | sed -n '/security/d; s/^Debian //p' | head -n 1)
  echo "${RF_MIRROR:=http://deb.debian.org/debian}"
}

# shellcheck disable=SC2120 # some scripts do
root_ready() { # root_ready [SUITE]
  local why=
  if [ "$(id -u)" != 0 ]; then
    why="only root can make them"
  elif ! PATH=$PATH:$root_path command -v debootstrap >/dev/null; then
    why="debootstrap is not there (launch/setup.sh --install)"
  elif ! unshare --mount --pid --fork --uts --ipc --kill-child true 2>/dev/null; then
    why="no namespaces (in a container: it needs CAP_SYS_ADMIN)"
  elif ! mkdir -p "$roots/cache"; then
    why="$roots cannot be written; RF_ROOTS names another place"
  elif ! /usr/lib/apt/apt-helper download-file "$(root_mirror)/dists/${1:-bookworm}/Release" "$roots/cache/Release.$$" \
    >/dev/null 2>&1; then
    why="$(root_mirror) cannot be reached"
  fi
  rm -f "$roots/cache/Release.$$"
  [ -z "$why" ] && return
  echo "skipped: no fresh machines here: $why"
  return 77
}

# Links where it can: a package is read, never written. One that is linked already is as new as itself.
root_share_packages() { # root_share_packages FROM TO
  local package to
  for package in "$1"/*.deb; do
    to=$2/${package##*/}
    [ -f "$package" ] || continue
    [ ! -e "$to" ] || [ "$package" -nt "$to" ] || continue
    ln -f "$package" "$to" 2>/dev/null || cp "$package" "$to" || return 1
  done
}

# The archive of a suite is made once, by the first that needs it, under another name until it is whole.
root_archive() ( # root_archive SUITE
  suite=$1 cache=$roots/cache part=$roots/cache/$1.part
  mkdir -p "$cache/$suite" && exec 8>"$cache/$suite.lock" && flock 8 || exit 1
  [ ! -s "$cache/$suite.tar" ] || exit 0
  rm -rf --one-file-system "$part"
  if ! unshare --mount --pid --fork --kill-child env PATH="$PATH:$root_path" LC_ALL=C debootstrap --variant=minbase \
    --cache-dir="$cache/$suite" "$suite" "$part" "$(root_mirror)" >"$cache/$suite.log" 2>&1 8>&-; then
    tail -n 20 "$cache/$suite.log" >&2
    echo "debootstrap failed: all of its output is in $cache/$suite.log" >&2
    exit 1
  fi
  root_furnish "$part"
  rm -f "$part"/var/cache/apt/archives/*.deb
  tar -C "$part" -cf "$cache/$suite.tar.part" . && mv "$cache/$suite.tar.part" "$cache/$suite.tar" && rm -rf "$part"
)

# What every installed Debian has and debootstrap leaves out. No services: nothing in there may start one.
root_furnish() { # root_furnish FOLDER
  local proxy
  printf '127.0.0.1 localhost fresh\n::1 localhost ip6-localhost ip6-loopback\n' >"$1/etc/hosts"
  echo fresh >"$1/etc/hostname"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" && chmod +x "$1/usr/sbin/policy-rc.d"
  echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe-io" # it need not outlive a power cut
  echo 'Acquire::Retries "3";' >"$1/etc/apt/apt.conf.d/retries"
  proxy=$(apt-config shell proxy Acquire::http::Proxy) && eval "$proxy"
  [ -z "${proxy-}" ] || echo "Acquire::http::Proxy \"$proxy\";" >"$1/etc/apt/apt.conf.d/proxy"
}

root_make() { # root_make SUITE FOLDER
  [ ! -e "$2" ] || { echo "$2 is there already" >&2 && return 1; }
  root_archive "$1" || return 1
  mkdir -p "$2" && tar -C "$2" -xpf "$roots/cache/$1.tar" && cp --dereference /etc/resolv.conf "$2/etc/resolv.conf" &&
    echo "$1" >"$2/etc/suite" && root_share_packages "$roots/cache/$1" "$2/var/cache/apt/archives"
}

root_install() { # root_install FOLDER PACKAGE...
  local folder=$1
  shift
  root_run "$folder" apt-get -q -q update &&
    root_run "$folder" env DEBIAN_FRONTEND=noninteractive apt-get -q -q -y --no-install-recommends install "$@"
}

# The first process inside reaps what others leave behind, and takes all along when it ends.
# shellcheck disable=SC2016 # the inner shell's variables
root_inside='
mount --make-rprivate / && mount --bind "$1" "$1" && cd "$1" && mkdir -p .outside && mount -t proc proc proc &&
  mount --rbind /sys sys && mount --rbind /dev dev && mount -t tmpfs -o mode=1777 shm dev/shm &&
  mount -t tmpfs -o mode=755 run run && mkdir -p run/lock && hostname fresh && pivot_root . .outside && cd / &&
  umount -l /.outside && rmdir /.outside || exit 1
shift
"$@"
exit $?'

root_run() { # root_run FOLDER [--] COMMAND...
  local folder
  folder=$(realpath "$1") || return 1
  shift
  [ "$1" != -- ] || shift
  unshare --mount --pid --fork --kill-child --uts --ipc env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/bash \
    TERM=dumb PATH=$root_path bash -c "$root_inside" root_run "$folder" "$@"
}

root_copy_tree() { # root_copy_tree FOLDER PATH
  local to=$1/${2#/}
  mkdir -p "$to" || return 1
  # Not git archive: what was changed and not committed yet is what is to be tested.
  (cd "$root_home" && git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -name build -prune -o \
    -name runs -prune -o -name data -prune -o -type f -print0) |
    (cd "$root_home" && while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done) |
    tar -C "$root_home" --null --files-from=- --owner=0 --group=0 -cf - | tar -C "$to" --no-same-owner -xf -
}

root_destroy() { # root_destroy FOLDER
  local suite
  [ -n "$1" ] && [ -d "$1" ] || return 0
  suite=$(cat "$1/etc/suite" 2>/dev/null) && root_share_packages "$1/var/cache/apt/archives" "$roots/cache/$suite"
  rm -rf --one-file-system "$1"
}

# shellcheck disable=SC2154 # variants
root_names() { sed -n 's/^\([a-z0-9-]*\) *|.*/\1/p' <<<"$variants"; }
root_column() { # root_column VARIANT NUMBER
  sed -n "s/^$1 *| *//p" <<<"$variants" | cut -d'|' -f$(($2 - 1)) | sed 's/^ *//; s/ *$//'
}

root_choose() { # root_choose [NAME...]
  local name
  [ "${1-}" != --list ] || { root_names && exit 0; }
  chosen=("$@")
  [ $# != 0 ] || mapfile -t chosen < <(root_names)
  for name in "${chosen[@]}"; do
    root_names | grep -q -x -e "$name" ||
      { echo "no variant '$name'; there are: $(root_names | tr '\n' ' ')" >&2 && exit 2; }
  done
  root_ready || exit 77
  trap 'exit 1' INT TERM HUP
}

root_table() { # root_table HEAD
  local variant failures=0
  printf '%s\n' "$1" "$(sed 's/[^|][^|]*/ --- /g' <<<"$1")"
  for variant in "${chosen[@]}"; do
    run_variant "$variant" || failures=$((failures + 1))
  done
  [ $failures = 0 ]
}
