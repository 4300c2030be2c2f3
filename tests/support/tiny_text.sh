# For the scripts here: a run so small that it takes no time, on text.
# shellcheck shell=bash
tiny_text() { # tiny_text LENGTH EVAL_EVERY: writes tiny.yaml, and the text that it trains on, into the present folder
  seq 1 4000 >text.txt
  cat >tiny.yaml <<YAML
model: {vocab_size: 256, d_model: 64, n_layers: 2, n_heads: 2, d_ff: 128, attention: [local, lsh], activation: gelu}
lsh: {chunk: 32, n_hashes: 2}
local: {chunk: 32}
data: {kind: bytes, path: text.txt, length: $1}
training: {steps: 3, batch: 2, eval_every: $2, eval_batches: 1}
output: {log_every: 1}
YAML
}
