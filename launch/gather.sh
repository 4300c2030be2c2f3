#!/usr/bin/env bash
# One table of several runs: launch/gather.sh FOLDER >table.csv
# Of each run FOLDER/NAME (launch/sweep.sbatch makes such folders) a line: its settings, and its last figures from
# metrics.jsonl (README.md says what they are). `state` is done, or how far it has come. Exit status: 0; 3 no run there.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
# shellcheck source-path=SCRIPTDIR source=plain.sh
. "$(dirname "$(readlink -f -- "$0")")/plain.sh" || exit 2
folder=${1-}
[[ $folder != -h && $folder != --help ]] || { show_help && exit 0; }
[[ $# = 1 && -d $folder ]] || { echo "usage: $called FOLDER" >&2; exit 2; }
figures='step loss bits_per_token eval_loss eval_bits_per_token eval_accuracy tokens_per_second step_seconds ranks peak_rss_bytes'

mapfile -t runs < <(cd "$folder" && find . -mindepth 2 -maxdepth 2 -name settings -printf '%h\n' | sed 's|^\./||' | sort -V)
[ ${#runs[@]} -gt 0 ] || { echo "$folder: no run in it, which is a folder with a file named settings" >&2; exit 3; }

settings_of() { lines "$folder/$1/settings" | tr ' ' '\n'; } # settings_of RUN: one a line

mapfile -t keys < <(for name in "${runs[@]}"; do settings_of "$name"; done | sed -n 's/=.*//p' | awk '!seen[$0]++')

field() { # a field of CSV
  case $1 in *[,\"]* | *$'\n'*) printf '"%s"' "${1//\"/\"\"}" ;; *) printf '%s' "$1" ;; esac
}

{
  printf 'run'
  printf ',%s' ${keys[@]+"${keys[@]}"} state
  # shellcheck disable=SC2086 # a list of words
  printf ',%s' $figures
  echo
  for name in "${runs[@]}"; do
    run=$folder/$name
    field "$name"
    for key in ${keys[@]+"${keys[@]}"}; do
      printf ','
      field "$(settings_of "$name" | awk -v key="$key=" 'index($0, key) == 1 { value = substr($0, length(key) + 1) } END { print value }')"
    done
    steps=$(awk '/^[^ ]/ { inside = $1 == "training:" } inside && $1 == "steps:" { print $2 }' 2>/dev/null <"$run/config.yaml")
    # A line of metrics is one flat object; the last one that has a figure counts.
    metrics=$run/metrics.jsonl
    [ -f "$metrics" ] || metrics=/dev/null
    awk -v names="$figures" -v steps="${steps:-?}" '
      BEGIN { n = split(names, name, " ") }
      { for (i = 1; i <= n; i++) if (match($0, "[{,]\"" name[i] "\":[^,}]*")) {
          text = substr($0, RSTART, RLENGTH); sub(/^[^:]*:/, "", text); value[name[i]] = text } }
      END {
        printf ",%s", NR == 0 ? "not started" : value["step"] == steps ? "done" : "step " value["step"] " of " steps
        for (i = 1; i <= n; i++) printf ",%s", value[name[i]]
        printf "\n" }' <"$metrics"
  done
}
