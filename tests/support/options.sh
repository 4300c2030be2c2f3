# For the scripts here that are started by hand.
#   script_options KNOWN [ARGUMENT...]   ends the script where its first argument asks for help, which is the script's
#                                        head, or is an option that is not in KNOWN
# shellcheck shell=bash
script_options() {
  case "${2-}" in
  -h | --help) sed -n '1d; /^#/!q; s/^# \{0,1\}//p' "$0" && exit 0 ;;
  -*) [[ " $1 " == *" $2 "* ]] || { echo "${0##*/}: found $2; allowed: ${1:+$1 }--help" >&2 && exit 2; } ;;
  esac
}
