#!/usr/bin/env bash
# When launch/run.sh starts a run again and when it does not, with an mpirun that ends as it is told. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source_dir/tests/cli/check.sh"
mkdir bin
export PATH=$work/bin:$PATH OMPI_ALLOW_RUN_AS_ROOT=1 OMP_NUM_THREADS=1
unset SLURM_JOB_ID

# Each start takes the next line of `script`: status, and what else it does before it ends.
cat >bin/mpirun <<'SH'
#!/bin/bash
[ "$1" != --version ] || { echo "mpirun (Open MPI) 4.1.4" && exit; }
starts=$(($(cat starts 2>/dev/null || echo 0) + 1))
echo $starts >starts
echo "$*" >>commands
read -r status does < <(sed -n ${starts}p script)
mkdir -p r/checkpoints
trap 'exit 75' USR1
[[ $does = *silent* ]] || { echo begun >>r/log.txt; printf 'training:\n  batch: 4\n  accumulate: 1\nmesh:\n  sequence: 1\n' >r/config.yaml; }
[[ $does != *save* ]] || mkdir r/checkpoints/step-0000000$starts
[[ $does != *sleep* ]] || { sleep 100 & wait $!; kill %1; }
[ "$status" -lt 128 ] || kill -$((status - 128)) $$
exit "$status"
SH
chmod +x bin/mpirun

# restarts STARTS STATUS TEXT... -- OPTION... <SCRIPT: the run ends with that status after so many starts.
PROGRAM=$work/launch
printf '%s\n' '#!/bin/sh' "exec '$source_dir/launch/run.sh' --program '$program' --ranks 1 \"\$@\" -- train c.yaml --run r" >launch
chmod +x launch
restarts() {
  local wanted=$1
  shift
  rm -rf r starts commands
  cat >script
  check "$@"
  checks=$((checks + 1))
  [ "$(cat starts)" = "$wanted" ] && return
  failures=$((failures + 1))
  echo "FAILED: found $(cat starts) starts, wanted $wanted, for ${*}"
}

restarts 1 0 -- <<<"0"
restarts 1 2 -- <<<"2"
restarts 1 3 -- <<<"3 save"
restarts 1 75 -- <<<"75 save"
restarts 3 3 "start 1 of the run r has died: a rank was ended by signal 9" "restart 1 of 3" "restart 2 of 3" \
  "from r/checkpoints/step-00000002, on 1 rank; restart 2" -- <<<$'137 save\n1 save\n3'
restarts 2 134 "that was the last of 1 restarts" -- --restarts 1 <<<$'137 save\n134 save\n0'
restarts 2 1 "it failed twice between the same two checkpoints" -- <<<$'1\n1\n0'
restarts 1 1 -- <<<"1 silent"       # mpirun itself refused
restarts 1 137 -- --restarts 0 <<<"137 save"
restarts 1 143 "nothing is in r after 1 s (--hang), and the start is ended" -- --hang 1 --restarts 0 <<<"0 silent sleep"

# Told to stop, it passes that on and starts nothing more.
rm -rf r starts
echo "137 save sleep" >script
./launch >told.log 2>&1 &
told=$!
for _ in $(seq 100); do [ -f r/log.txt ] && break || sleep 0.1; done
kill -TERM $told
wait $told
status=$?
checks=$((checks + 1))
[ "$status $(cat starts)" = "75 1" ] || { failures=$((failures + 1)) && echo "FAILED: told to stop: status and starts $status $(cat starts)" && cat told.log; }
finish
