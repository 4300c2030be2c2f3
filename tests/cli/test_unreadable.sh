#!/usr/bin/env bash
# A file that cannot be read for a moment is neither damaged nor gone: status 1 with its name and the reason, and nothing
# is passed over, renamed or removed. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
[ "$(ldd "$PROGRAM" | grep -c libasan)" = 0 ] || { echo "the sanitizers want to be loaded first: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/resume.sh"
cc -shared -fPIC -w -o failing_calls.so "$source_dir/tests/support/failing_calls.c" -ldl 2>cc.log ||
  { echo "no compiler here: nothing to try"; exit 0; }
write_tiny

# failing CALL ERRNO PATH TIMES SKIP STATUS TEXT... -- ARGUMENT...
failing() {
  local bad="BAD_CALL=$1 BAD_ERROR=$2 BAD_PATH=$3 BAD_TIMES=$4 BAD_SKIP=$5" real=$PROGRAM
  shift 5
  printf '#!/bin/sh\nLD_PRELOAD=%s/failing_calls.so %s exec %s "$@"\n' "$work" "$bad" "$real" >failing
  chmod +x failing
  PROGRAM=$work/failing
  check "$@"
  PROGRAM=$real
}

check 0 -- train tiny.yaml --run run
kept=$(cd run && find checkpoints -type f | sort)
newest=run/checkpoints/step-00000020
EINTR=4 EIO=5 ENOMEM=12 EACCES=13 ENFILE=23 EMFILE=24 ESTALE=116
go_on=(-- train tiny.yaml --run run -s training.steps=24)
for error in $EIO $ENOMEM $EACCES $ENFILE $EMFILE $ESTALE; do
  for file in COMMIT manifest.h5 shard-00000-of-00001.h5; do
    failing open $error step-00000020/$file 1 0 1 "error: " "$newest/$file: cannot be opened: " "move the checkpoint away" "${go_on[@]}"
    [ $error = $EIO ] || continue
    failing pread $error step-00000020/$file 1 0 1 "$newest/$file: cannot be read at byte 0: Input/output error" "${go_on[@]}"
  done
done
failing open $EIO step-00000020/COMMIT 1 0 1 "$newest/COMMIT: cannot be opened: Input/output error" -- verify $newest
failing pread $EIO shard-00000-of-00001.h5 1 0 1 "cannot be read at byte 0: Input/output error" -- verify $newest
failing open $EIO step-00000020/manifest.h5 1 0 1 "manifest.h5: cannot be opened: Input/output error" -- verify $newest
failing open $EACCES step-00000020/COMMIT 1 0 1 "COMMIT: cannot be opened: Permission denied" -- eval $newest
expect "checkpoints" "$kept" "$(cd run && find checkpoints -type f | sort)"
# an older one, which may be the best: it stays, whatever keep says
failing open $EIO step-00000007/COMMIT 1 0 0 "checkpoint run/checkpoints/step-00000007 cannot be read now, and stays: " \
  "the state after step 20 is loaded" -- train tiny.yaml --run run -s training.steps=22 -s checkpoint.keep=1
expect "checkpoints with keep: 1" "step-00000007 step-00000020 step-00000022 " "$(ls run/checkpoints | tr '\n' ' ')"
failing open $EINTR step-00000022/COMMIT 1 0 0 "the state after step 22 is loaded" "${go_on[@]}"
# nor is a run taken for none, which would be written over
failing stat $EIO run/config.yaml 1 0 1 "run folder run: config.yaml cannot be looked at: Input/output error" "${go_on[@]}"
failing stat $ESTALE run 1 0 1 "run folder run: cannot be made or written to: Stale file handle" "${go_on[@]}"
# what is gone is damaged: passed over, and kept under another name
rm run/checkpoints/step-00000024/COMMIT
check 0 "step-00000024 cannot be used and is passed over" "COMMIT: cannot be opened: No such file" "the state after step 22 is loaded" "${go_on[@]}"
expect "the damaged one" 1 "$(ls -d run/checkpoints/step-00000024.damaged-* | wc -l)"

# --- data: the run ends with status 1 and the byte, on all ranks, whichever cannot read ---
seq 1 20000 >text.txt
bytes=(-s data.kind=bytes -s data.path=text.txt -s model.vocab_size=256)
for error in $EIO $ESTALE $EMFILE; do
  failing open $error text.txt 1 0 1 "text.txt: cannot be opened: " "(data.path)" -- train tiny.yaml --run never "${bytes[@]}"
done
failing pread $EIO text.txt 1 0 1 "text.txt: cannot be read at byte 0: Input/output error" -- train tiny.yaml --run never "${bytes[@]}"
failing pread $EINTR text.txt 9 0 0 "checkpoint text/checkpoints/step-00000020" -- train tiny.yaml --run text "${bytes[@]}"
if command -v mpirun >/dev/null; then
  . "$source_dir/tests/cli/many.sh"
  bad="env LD_PRELOAD=$work/failing_calls.so BAD_CALL=pread BAD_ERROR=$EIO BAD_PATH=text.txt BAD_TIMES=1 BAD_SKIP=40"
  launch 1 "error: rank 1 on host $(uname -n): text.txt: cannot be read at byte " "Input/output error" -- \
    -n 1 "$PROGRAM" train tiny.yaml --run ranks -s mesh.sequence=2 "${bytes[@]}" : -n 1 $bad "$PROGRAM" train tiny.yaml --run ranks -s mesh.sequence=2 "${bytes[@]}"
fi
finish
