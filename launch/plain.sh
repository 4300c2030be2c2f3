# For the scripts here, before anything else: what the caller's shell and environment must not decide. Sets home, the
# project's folder, built, the program, how_to_get, what to do where that is not there, and called, how to call the script,
# however that was done. Asks for no command: a machine may lack them all.
# shellcheck shell=bash disable=SC2034 # home, built, how_to_get, called, now
set +o posix +o noclobber +o noglob +o errexit +o pipefail +o allexport # SHELLOPTS, BASH_ENV or `sh run.sh` may have set them
shopt -u failglob nullglob nocasematch
set -u
IFS=$' \t\n'
unset POSIXLY_CORRECT CDPATH GREP_OPTIONS
export LC_ALL=C # decimal points; letters are a to z
home=$(cd -P -- "${BASH_SOURCE[0]%/*}/.." >/dev/null && pwd -P)
built=$home/build/release/reformer how_to_get='build it (cmake --preset release && cmake --build --preset release)'
called=$(readlink -f -- "$0" 2>/dev/null) || called=$0
called=launch/${called##*/}
# Installed: home is PREFIX/share/reformer.
if [ ! -e "$home/CMakeLists.txt" ]; then
  built=${home%/*/*}/bin/reformer how_to_get="install reformer to ${home%/*/*} again" called=$home/$called
fi

# The head of the script that is called, which is its help.
show_help() { sed -n "1d; /^#/!q; s|launch/${called##*/}|$called|g; s/^# \{0,1\}//p" "$home/launch/${called##*/}"; }

# The seconds of a clock that nobody sets, into now: bash's SECONDS jump when somebody sets the machine's.
tick() {
  local up rest
  { read -r up rest </proc/uptime; } 2>/dev/null && now=${up%.*} || now=$SECONDS
}

# Makefiles where there is make, whatever the environment asks for: what is built is looked for in one place.
choose_generator() {
  if command -v make >/dev/null; then unset CMAKE_GENERATOR; else export CMAKE_GENERATOR=Ninja; fi
}

# Whether a file can be read again and again, by any process: not standard input, a FIFO, or <(...).
stays() { [[ -f $1 && $1 != /dev/* && $1 != /proc/* ]]; }

# only_one FILE WHO: while this script runs, it holds FILE. Status 1, with a message: another does, which WHO says, or
# FILE cannot be written. Where there are no locks (no flock of util-linux, or a file system without) it goes on.
only_one() {
  exec 9>"$1" || { echo "${0##*/}: $1: cannot be written" >&2 && return 1; }
  command -v flock >/dev/null || return 0
  flock -n -E 75 9
  case $? in
  0) ;;
  75) echo "${0##*/}: $2" >&2 && return 1 ;;
  *) echo "${0##*/}: warning: $1 cannot be locked; should another ${0##*/} use it, they would not notice" >&2 ;;
  esac
}

# lines FILE: what its lines say, with one space between words. No comments, no blank lines, and nothing of what editors
# of other systems write: carriage returns, a byte order mark. Status 1: it is no text.
lines() {
  tr '\r\000' '\n\001' <"$1" | awk -v file="$1" '
    NR == 1 { sub(/^\357\273\277/, "") }
    /\001/ { print file ": zero bytes in it, as in UTF-16; save it as UTF-8" >"/dev/stderr"; bad = 1; exit }
    { sub(/(^|[ \t])#.*/, ""); gsub(/[ \t\v\f]+/, " "); sub(/^ /, ""); sub(/ $/, "") }
    $0 != "" { print }
    END { exit bad }'
}
