#!/usr/bin/env bash
# Steps over lengths, ranks, hash rounds and kinds of attention, measured and planned, as one table and as plots:
#   launch/scaling.sh CONFIG --out FOLDER [OPTION...] [-- SETTING...]
#     --mode MODE        lengths: time against length, a fixed number of tokens a step
#                        strong: one length over ranks;  weak: a fixed number of tokens a rank (lengths)
#     --lengths "L..."   tokens of a sequence; weak: tokens a rank; strong: the first ("1024 2048 4096 8192")
#     --ranks "N..."     all ranks share each sequence ("1"; strong and weak: "1 2 4")
#     --kinds "K..."     lsh-R (R rounds), local, full (a ring on several ranks) ("full lsh-2 lsh-4 lsh-8")
#     --tokens N         lengths: tokens a step, so that a batch is N / length sequences (the longest length)
#     --steps N          timed steps of a point (3)
#     --cluster FILE     constants of `reformer bench cluster`; without, they are measured first, on the most ranks
#     --launcher "CMD"   what starts N ranks, with {} for N ("mpirun --oversubscribe --bind-to none -n {}")
#     --program FILE     (REFORMER_PROGRAM, or build/release/reformer; where this is installed, PREFIX/bin/reformer)
#     --most-seconds S   a kind whose step takes longer is not tried at greater lengths (60)
#     SETTING            key=value for every point
# FOLDER gets table.csv, table.json, a JSON file for each point, and SVG plots: time, efficiency, bytes, memory, with the
# measured points and the plan's curve. Points that are there already are not measured again; those of another
# configuration, other settings or steps are refused.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
# shellcheck source-path=SCRIPTDIR source=plain.sh
. "$(dirname "$(readlink -f -- "$0")")/plain.sh" || exit 2
die() { echo "scaling.sh: $*" >&2; exit 2; }

for word; do
  case $word in --) break ;; -h | --help) show_help && exit 0 ;; esac
done
[[ ${1--} != -* ]] || die "found '${1-}', wanted CONFIG; see $called --help"
config=$1
shift
mode=lengths lengths="1024 2048 4096 8192" ranks='' kinds="full lsh-2 lsh-4 lsh-8" tokens='' steps=3 cluster='' out='' most=60
launcher='mpirun --oversubscribe --bind-to none -n {}' program=${REFORMER_PROGRAM:-$built}
while [ $# -gt 0 ]; do
  [ "$1" = -- ] && { shift; break; }
  case $1 in
    --mode | --lengths | --ranks | --kinds | --tokens | --steps | --cluster | --out | --launcher | --program | --most-seconds)
      [ $# -gt 1 ] || die "$1: its argument is missing; see $called --help" ;;
    *) die "unknown option $1; see $called --help" ;;
  esac
  case $1 in
    --mode) mode=$2 ;; --lengths) lengths=$2 ;; --ranks) ranks=$2 ;; --kinds) kinds=$2 ;; --tokens) tokens=$2 ;;
    --steps) steps=$2 ;; --cluster) cluster=$2 ;; --out) out=$2 ;; --launcher) launcher=$2 ;; --program) program=$2 ;;
    --most-seconds) most=$2 ;;
  esac
  shift 2
done
[ -n "$out" ] || die "--out is missing: the folder that gets the table and the plots"
stays "$config" && [ -r "$config" ] || die "$config: cannot be read; give a configuration file, which is read for each point"
case $mode in lengths) : "${ranks:=1}" ;; strong | weak) : "${ranks:=1 2 4}" ;; *) die "--mode: found '$mode'; allowed: lengths, strong, weak" ;; esac
for number in $lengths $ranks ${tokens:-1} $steps $most; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || die "found '$number'; allowed: whole numbers from 1"
done
for kind in $kinds; do
  [[ $kind =~ ^(lsh-[1-9][0-9]*|local|full)$ ]] || die "--kinds: found '$kind'; allowed: lsh-ROUNDS, local, full"
done
command -v python3 >/dev/null || die "python3 is missing: it writes the table and the plots"
mkdir -p "$out/points" || exit 1
sets=(--set data.kind=duplicate --set model.positions.shape=auto --set model.positions.dims=auto --set checkpoint.async=false)
for setting in "$@"; do sets+=(--set "$setting"); done

only_one "$out/lock" "$out: another scaling.sh writes into it; wait, or choose another --out" || exit 2
# What a point is measured with, beside what its name tells.
with=$(cat "$config" && printf '%s\n' "steps $steps" "launcher $launcher" "${sets[@]}")
if [ ! -f "$out/with" ]; then
  [ -z "$(ls "$out/points")" ] || die "$out: has points of nobody knows what; choose another --out"
  printf '%s\n' "$with" >"$out/with" || exit 1
elif [ "$(cat "$out/with")" != "$with" ]; then
  die "$out: its points were measured with another configuration, settings or steps (they are in $out/with); choose another --out"
fi

start() { # start N ARGUMENT...: the program on N ranks
  local n=$1
  shift
  if [ "$n" = 1 ] && [[ $launcher == mpirun* ]]; then "$program" "$@"; else ${launcher//\{\}/$n} "$program" "$@"; fi
}

largest() { printf '%s\n' $1 | sort -n | tail -n 1; }
if [ -z "$cluster" ]; then
  cluster=$out/cluster.json
  [ -f "$cluster" ] || start "$(largest "$ranks")" bench cluster "$config" "${sets[@]}" -o "$cluster" >"$out/cluster.log" 2>&1 ||
    { cat "$out/cluster.log" >&2; exit 1; }
fi
[ -n "$tokens" ] || tokens=$(largest "$lengths")

kind_settings() { # kind_settings KIND
  case $1 in
    lsh-*) printf '%s' "--set model.attention=lsh --set lsh.n_hashes=${1#lsh-} --set lsh.n_buckets=auto" ;;
    local | full) printf '%s' "--set model.attention=$1" ;;
  esac
}

# point KIND LENGTH RANKS BATCH: plans it, and measures it where that was not done. Status 1: too slow to go on.
point() {
  local name="$1-$2-$3-$4" file settings seconds
  file=$out/points/$name
  # shellcheck disable=SC2207 # words
  settings=("${sets[@]}" $(kind_settings "$1") --set "data.length=$2" --set "mesh.sequence=$3" --set "training.batch=$4")
  "$program" plan "$config" "${settings[@]}" --ranks "$3" --cluster "$cluster" --json "$file.plan.json" >"$file.log" 2>&1 || { cat "$file.log" >&2; exit 1; }
  if [ ! -f "$file.json" ]; then
    start "$3" bench step "$config" "${settings[@]}" --steps "$steps" --json "$file.part" >>"$file.log" 2>&1 || { cat "$file.log" >&2; exit 1; }
    mv "$file.part" "$file.json"
  fi
  seconds=$(sed -n 's/^  "step_seconds": \([0-9.e-]*\),*$/\1/p' "$file.json")
  echo "$mode $1: length $2, $3 ranks, batch $4: $seconds s" >&2
  printf '%s %s %s %s %s\n' "$mode" "$1" "$2" "$3" "$4" >>"$out/points.part"
  awk -v s="$seconds" -v most="$most" 'BEGIN { exit !(s < most) }'
}

: >"$out/points.part"
for kind in $kinds; do
  case $mode in
    lengths) for n in $ranks; do for l in $lengths; do
      batch=$((tokens / l > 0 ? tokens / l : 1))
      point "$kind" "$l" "$n" "$batch" || break
    done; done ;;
    strong) for n in $ranks; do point "$kind" "${lengths%% *}" "$n" 1; done ;;
    weak) for l in $lengths; do for n in $ranks; do point "$kind" $((l * n)) "$n" 1 || break; done; done ;;
  esac
done
mv "$out/points.part" "$out/points.txt"
python3 "$home/launch/scaling_plots.py" "$out"
