#!/usr/bin/env bash
# Reversible layers cost their parameters, gradients, moments and hash buckets, and no activations; ordinary layers
# cost the inputs of their two sublayers besides. tests/bench/memory.sh shows the same at full length. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
CONFIG=$source_dir/configs/small.yaml
. "$source_dir/tests/bench/measure.sh" || exit 1
export OMP_NUM_THREADS=1 # how much of its buffers a second thread touches is left to chance

few=2 many=10 length=2048 d_model=128 heads=2 rounds=2
more=$((many - few))
sets=(--set data.kind=duplicate --set "data.length=$length" --set training.batch=1 --set "model.d_model=$d_model"
  --set "model.n_heads=$heads" --set model.d_head=64 --set model.d_ff=128 --set "lsh.n_hashes=$rounds"
  --set model.positions.shape=auto --set model.positions.dims=auto)
checks=0 failures=0

# near WHAT FOUND EXPECTED TOLERANCE, in bytes
near() {
  local difference=$(($2 - $3))
  checks=$((checks + 1))
  [ "${difference#-}" -le "$4" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s of %s layers more: %s bytes, expected %s, allowed difference %s\n' "$1" "$more" "$2" "$3" "$4"
}

growth() { echo $(($(figure "$1-$many" "$2") - $(figure "$1-$few" "$2"))); }

# The peak is good to a huge page of 2 MiB for each of the three arenas (parameters, moments, scratch), and a little.
# The address sanitizer adds its shadow, an eighth, and keeps what was freed.
grain=$((7 << 20)) shadow=0
grep -q __asan_init "$PROGRAM" && shadow=1

for residual in reversible ordinary; do
  for layers in $few $many; do
    measure "$residual-$layers" --set "model.residual=$residual" --set "model.n_layers=$layers"
  done
  state=$(state_growth "$residual-$few" "$residual-$many")
  kept=$((2 * length * heads * rounds * more))
  [ "$residual" = reversible ] || kept=$((kept + 2 * length * d_model * $(real_bytes "$residual-$many") * more))
  # 1 KiB a layer: tables of pointers, and tensors padded to 64 bytes, which stand apart under the sanitizer
  near "$residual: scratch" "$(growth "$residual" scratch_bytes)" "$kept" $((1024 * more))
  near "$residual: parameters, gradients, moments" \
    $(($(growth "$residual" store_bytes) + $(growth "$residual" optimizer_bytes))) "$state" $((8192 * more))
  near "$residual: peak resident size" "$(growth "$residual" peak_rss_bytes)" $((state + kept)) \
    $((grain + shadow * (state + kept) / 4))
done
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
