#!/usr/bin/env bash
# A link that is cut, a daemon or a rank that is killed: the launcher notices, and the run goes on from its newest
# checkpoint on the hosts that are left, to the losses of a run that nothing befell. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
work=$(mktemp -d) && cd "$work" || exit 1
# shellcheck source-path=SCRIPTDIR source=cluster.sh
. "$source_dir/tests/cluster/cluster.sh"
needs pgrep
start_check
trap clean_up EXIT
trap 'exit 1' INT TERM

steps=40
write_config config.yaml $steps 4
"$PROGRAM" train config.yaml --run one >one.log 2>&1
expect "status of one rank" 0 $?

# launch NAME OPTION... -- ARGUMENT...: a run over the hosts, in the background. Steps take a while, by the link.
launch() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  shift
  "$hosts" exec head "$run" --program "$PROGRAM" "${options[@]}" -- train config.yaml --run "$name" "$@" \
    </dev/null >"$name.log" 2>&1 &
  launched=$!
}

step_of() { tail -n 1 "$1/metrics.jsonl" 2>/dev/null | sed 's/^{"step":\([0-9]*\).*/\1/'; }

wait_for_step() { # wait_for_step NAME STEP
  local end=$((SECONDS + 60))
  until [ "$(step_of "$1")" -ge "$2" ] 2>/dev/null; do
    [ $SECONDS -lt $end ] || { fail "$1 does not come to step $2" && grep -av '^step' "$1.log" && break; }
    sleep 0.05
  done
}

# dies NAME SECONDS: the run in the background has just been hurt. It must be noticed in so many seconds (6 for a link,
# and more where the machine is busy; without the launcher's settings it takes minutes), and end well.
dies() {
  local start=$SECONDS
  until grep -aq "has died" "$1.log" || [ $((SECONDS - start)) -ge 60 ]; do sleep 0.05; done
  local noticed=$((SECONDS - start))
  expect_within "$2" "noticing that $1 has died" $noticed
  wait "$launched"
  expect "status of $1" 0 $?
  expect "last step of $1" $steps "$(step_of "$1")"
  expect_text "restart 1 of" "$1.log"
  echo "$1: noticed after $noticed s; $(sed -n 's/^run.sh: //p' "$1.log" | tail -n 1)"
  [ "$failures" = 0 ] || grep -av '^step' "$1.log"
}

"$hosts" up 3 --rate 30mbit || exit 1

# The first rank's host: it holds the run's lock too, which is free when that host has noticed as well.
launch cut --hosts h0:1,h1:1,h2:1 -- --set mesh.sequence=3
wait_for_step cut 15
"$hosts" cut h0
dies cut 20
expect_text "no answer from h0" cut.log
expect_text "on 2 ranks (mesh.sequence=2)" cut.log
losses_agree one cut 1e-3
"$hosts" mend h0
expect "processes that a cut host has kept" "" "$("$hosts" exec h0 pgrep -l reformer)"

launch daemon --hosts h0:1,h1:1,h2:1 --restarts 1 -- --set mesh.sequence=3
wait_for_step daemon 15
"$hosts" exec h2 pkill -KILL -x "orted|prted"
dies daemon 20
expect_text "on 3 ranks" daemon.log
losses_agree one daemon 1e-3

# Told to stop, it saves and stops, and goes on when it is started again.
launch told --hosts h0:1,h1:1 -- --set mesh.sequence=2
wait_for_step told 12
kill -TERM "$launched"
wait "$launched"
expect "status of a run that is told to stop" 75 $?
launch told --hosts h0:1,h1:1 -- --set mesh.sequence=2
wait "$launched"
expect "status of a run that goes on" 0 $?
losses_agree one told 1e-3
# It dies as often as it is started: the last time is the last.
launch limit --hosts h0:1,h1:1 --restarts 1 -- --set mesh.sequence=2
for step in 5 15; do
  wait_for_step limit $step
  "$hosts" exec h1 pkill -KILL reformer
  sleep 1
done
wait "$launched"
status=$?
# Open MPI 5 may tell instead how the other rank ended, by MPI_ERR_UNKNOWN.
[ "$status" != 14 ] || ! "$hosts" exec head mpirun --version | grep -q ' 5\.' || status=137
expect "status of a run whose rank was killed twice" 137 $status
expect_text "that was the last of 1 restarts" limit.log
# Wrong from the beginning, it is started once.
launch wrong --hosts h0:1,h1:1 -- --set mesh.sequence=3
wait "$launched"
expect "status of a wrong configuration" 2 $?
expect "starts of a wrong configuration" 0 "$(grep -ac 'has died\|starting again' wrong.log)"
finish
