# For the scripts here: $work, a folder of the script's own, which goes when the script ends; where none can be made, the
# script ends at once. One that has more to undo sets a trap of its own afterwards.
# shellcheck shell=bash
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
