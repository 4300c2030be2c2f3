#!/usr/bin/env bash
# A run that is cut short goes on to the same bits, and whatever cannot go on is refused. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/resume.sh"
write_tiny

# --- 20 steps are 7 and 13, to the bit ---
adafactor="-s optimizer.kind=adafactor -s optimizer.beta1=0.9"
for optimizer in "-s optimizer.kind=adam" "$adafactor -s optimizer.scale_parameter=true" "-s optimizer.kind=adafactor"; do
  rm -rf whole part
  check 0 "checkpoint whole/checkpoints/step-00000020" -- train tiny.yaml --run whole $optimizer
  check 0 "checkpoint part/checkpoints/step-00000007" -- train tiny.yaml --run part $optimizer -s training.steps=7
  mkdir part/checkpoints/step-99999999999999999999 # a name like theirs, of a number that is none
  check 0 "step-00000007: the state after step 7 is loaded" -- train tiny.yaml --run part $optimizer
  same_run "7 + 13 steps, $optimizer" whole part
done
check 0 "the 20 steps of training.steps are done" -- train tiny.yaml --run part $optimizer
check 0 "the run is at step 20, beyond the 7 of training.steps; give more than that" -- train tiny.yaml --run part $optimizer -s training.steps=7
expect "lines of a run that is done" 20 "$(wc -l <part/metrics.jsonl)"
expect "evaluations of a run that is done" 3 "$(grep -c eval_loss part/metrics.jsonl)"
expect "seconds that saving took, in the records" 2 "$(grep -c '"checkpoint_step":.*"checkpoint_stall_seconds":.*"checkpoint_write_seconds":' whole/metrics.jsonl)"

# --- a line that a kill left torn, and lines of steps that are run again ---
rm -rf torn
cp -r whole torn
rm -rf torn/checkpoints/step-00000020 torn/checkpoints/step-00000014
printf '{"step":21,"loss":1.2' >>torn/metrics.jsonl
check 0 "step-00000007: the state after step 7 is loaded" -- train tiny.yaml --run torn $optimizer
same_run "a run cut back to step 7" whole torn

# --- damage: the next older one, saying what was damaged; none left: refused ---
shard=whole/checkpoints/step-00000020/shard-00000-of-00001.h5
rm -rf damaged
cp -r whole damaged
flip damaged/checkpoints/step-00000020/shard-00000-of-00001.h5 $(($(stat -c %s $shard) / 2))
check 0 "warning: checkpoint damaged/checkpoints/step-00000020 cannot be used and is passed over" "shard-00000-of-00001.h5: bytes 0 to" \
  "parameters of embedding.token.weight" "step-00000014: the state after step 14 is loaded" \
  -- train tiny.yaml --run damaged $optimizer
same_run "a run that passed over a damaged checkpoint" whole damaged
expect "the damaged one, kept aside" 1 "$(find damaged/checkpoints -name 'step-00000020.damaged-*' | wc -l)"
grep -q "passed over" damaged/log.txt || fail "log.txt does not tell of the damage"
check 0 "whole" -- verify damaged/checkpoints/step-00000020
for step in 07 14 20; do : >damaged/checkpoints/step-000000$step/COMMIT; done
check 3 "none of its 3 checkpoints can be used" "COMMIT" "--run DIR" -- train tiny.yaml --run damaged $optimizer
check 3 "--resume:" "step-00000014/COMMIT" -- train tiny.yaml --run new --resume damaged/checkpoints/step-00000014
[ ! -e new ] || fail "a run that could not start left a folder behind"

# --- a run that never saved starts anew ---
mkdir -p unsaved && cp whole/config.yaml unsaved/ && printf '{"step":1}\n{"st' >unsaved/metrics.jsonl
check 0 "holds a run without a checkpoint: it starts anew" -- train tiny.yaml --run unsaved $optimizer
same_run "a run that starts anew" whole unsaved

# --- what a checkpoint says, and what the command line ---
check 3 "--set model.d_model: found 32" "checkpoint whole/checkpoints/step-00000020 has 16" "--run DIR" \
  -- train tiny.yaml --run whole $optimizer -s model.d_model=32
check 3 "--set lsh.n_hashes: found 4" "has 2" -- train tiny.yaml --run whole $optimizer -s lsh.n_hashes=4
sed 's/^local: .*/local: {chunk: 32}/' tiny.yaml >other.yaml
check 3 "other.yaml:3: local.chunk: found 32" "has 16" -- train other.yaml --run whole $optimizer
check 3 "optimizer.kind: found adam" "holds the state of adafactor" -- train tiny.yaml --run whole -s training.steps=21 -s optimizer.kind=adam
check 3 "holds no optimizer/first" -- train tiny.yaml --run whole $adafactor -s training.steps=21
check 0 "warning: --set training.seed: 9 from step 21 on, 1 up to there" "warning: --set optimizer.lr: 0.002 from" \
  -- train tiny.yaml --run whole $optimizer -s training.steps=21 -s training.seed=9 -s optimizer.lr=0.002
# The model need not be given at all; auto is whatever it was, also at another length.
grep -v '^\(model\|lsh\|local\)' tiny.yaml >other.yaml
check 0 "the state after step 20 is loaded" "data.length: 40 from" -- train other.yaml \
  --run short --resume part/checkpoints/step-00000020 $optimizer -s training.steps=21 -s data.length=40 -s lsh.n_buckets=auto
expect "buckets of a model at another length" "n_buckets: [8]" "$(grep -o 'n_buckets: .*' short/config.yaml)"
# A run of two factors, which auto made of 2^15 buckets once, goes on with them, though auto makes three now.
many="-s data.length=16384 -s lsh.chunk=1 -s training.batch=1 -s training.accumulate=1 -s training.eval_every=0 -s optimizer.warmup=0"
check 0 "checkpoint two/checkpoints/step-00000001" -- train tiny.yaml --run two $many -s training.steps=1 -s "lsh.n_buckets=[128, 256]"
check 0 "the state after step 1 is loaded" -- train tiny.yaml --run two $many -s training.steps=2
expect "factors of a run that goes on" "n_buckets: [128, 256]" "$(grep -o 'n_buckets: .*' two/config.yaml)"
check 0 "checkpoint three/checkpoints/step-00000001" -- train tiny.yaml --run three $many -s training.steps=1
expect "factors of a new run" "n_buckets: [32, 32, 32]" "$(grep -o 'n_buckets: .*' three/config.yaml)"

# --- another program than the one that wrote the checkpoint says so, and is that of the next one ---
cp "$PROGRAM" other_program && echo >>other_program
PROGRAM=./other_program check 0 "warning: checkpoint short/checkpoints/step-00000021 was computed by program" "last bits may differ" \
  -- train tiny.yaml --run short --resume auto $optimizer -s training.steps=22
check 0 "computed by program" -- inspect short/checkpoints/step-00000022

# --- --resume ---
check 2 "run folder part: holds a run already" "--resume auto" -- train tiny.yaml --run part --resume never
check 2 "--resume: found an empty text" -- train tiny.yaml --run part --resume ""
check 3 "--resume:" "nothing/COMMIT" -- train tiny.yaml --run new --resume nothing
# From an older checkpoint of the same run: the later ones step aside, and the newest is the new one.
check 0 "step-00000020 is no longer part of the run" "the state after step 7 is loaded" \
  -- train tiny.yaml --run part --resume part/checkpoints/step-00000007 $optimizer -s training.steps=9
check 0 "step-00000009: the state after step 9 is loaded" -- train tiny.yaml --run part $optimizer
same_run "a run that went back to step 7" torn part
# From another run's checkpoint: the second time from its own.
check 0 "the state after step 14 is loaded" -- train tiny.yaml --run taken --resume torn/checkpoints/step-00000014 $optimizer -s training.steps=16
check 0 "has checkpoints of its own" "step-00000016: the state after step 16 is loaded" \
  -- train tiny.yaml --run taken --resume torn/checkpoints/step-00000014 $optimizer
expect "losses of a run that another began" "$(figures torn | tail -n 6)" "$(figures taken)"

# --- time ---
check 75 "stopped by training.max_minutes after step 1 of 20" "to go on: $PROGRAM train tiny.yaml --set training.max_minutes=0.001 --run 'a run'" \
  -- train tiny.yaml --run "a run" -s training.max_minutes=0.001
check 75 "after step 2 of 20" -- train tiny.yaml --run "a run" -s training.max_minutes=0.001
SLURM_JOB_END_TIME=$(($(date +%s) + 2)) check 75 "stopped by the end of the Slurm job" "after step 3 of 20" -- train tiny.yaml --run "a run"
for time in "$(($(date +%s) - 5))" 1 "" soon -1 99999999999999999999; do # an old tmux, and what is no time
  rm -rf old
  SLURM_JOB_END_TIME=$time check 0 "step 4/4" "SLURM_JOB_END_TIME: found '$time'" "it is ignored" -- train tiny.yaml --run old -s training.steps=4
done
SLURM_JOB_END_TIME=$(($(date +%s) + 600)) check 0 "step 20/20" -- train tiny.yaml --run "a run" -s training.max_minutes=10
check 0 -- train tiny.yaml --run adam
same_run "a run that time stopped three times" adam "a run"

# --- signals, and a second job ---
start_long() { # start_long RUN: in the background until it trains; its id is in $job
  "$PROGRAM" train tiny.yaml --run "$1" $long >"$1.out" 2>&1 </dev/null &
  job=$!
  wait_for 'step 3/' "$1.out"
}
stopped() { # stopped RUN STATUS
  wait $job 2>/dev/null
  expect "status of $1" "$2" $?
}
for signal in TERM USR1; do
  start_long run$signal
  check 2 "run$signal" -- train tiny.yaml --run run$signal $long
  kill -$signal $job; kill -TERM $job # a launcher sends it twice
  stopped run$signal 75
  grep -q "stopped by SIG" run$signal.out || { fail "run$signal does not say that it was stopped"; cat run$signal.out; }
done
start_long killed
kill -KILL $job
stopped killed 137
check 75 "stopped by training.max_minutes" -- train tiny.yaml --run killed $long -s training.max_minutes=0.001
expect "steps of a run that was killed, in order" "$(seq 1 "$(wc -l <killed/metrics.jsonl)")" "$(figures killed | sed -n 's/"step":\([0-9]*\).*/\1/p')"
# A second signal, a second or more after the first, ends a run in the middle of a step, which would take many minutes here.
"$PROGRAM" train tiny.yaml --run second -s data.length=262144 -s model.attention=full >second.out 2>&1 </dev/null &
job=$!
wait_for 'parameters; ' second.out
at_work $job
kill_until_gone TERM $job
stopped second 143
finish
