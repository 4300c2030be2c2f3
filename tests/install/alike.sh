# For the tests of the installed program: a run so small that it says nothing but whether two programs compute alike.
# shellcheck shell=bash
alike_runs() { # writes tiny.yaml, and the text that it trains on, into the present folder
  seq 1 4000 >text.txt
  cat >tiny.yaml <<'YAML'
model: {vocab_size: 256, d_model: 64, n_layers: 2, n_heads: 2, d_ff: 128, attention: [local, lsh], activation: gelu}
lsh: {chunk: 32, n_hashes: 2}
local: {chunk: 32}
data: {kind: bytes, path: text.txt, length: 256}
training: {steps: 3, batch: 2, eval_every: 0, eval_batches: 1}
output: {log_every: 1}
YAML
}

losses() { sed -n 's/^{"step": *[0-9]*, *"loss": *\([0-9.]*\).*/\1/p' "$1/metrics.jsonl"; } # losses RUN

# apart RUN OTHER: prints by what share the three losses differ at most; status 1: by more than a few roundings of float,
# 6e-8 each. Other code sums in another order, and knows other exponentials.
apart() {
  paste <(losses "$1") <(losses "$2") | awk '
    { d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > most) most = d; if (NF != 2) bad = 1 }
    END { printf "%.0e\n", most; exit bad || NR != 3 || most > 1e-6 }'
}
