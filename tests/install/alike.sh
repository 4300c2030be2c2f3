# For the tests of the installed program: a run so small that it says nothing but whether two programs compute alike.
# shellcheck shell=bash
. "${BASH_SOURCE[0]%/*}/../support/tiny_text.sh" || exit 1

alike_runs() { tiny_text 256 0; } # into the present folder

losses() { sed -n 's/^{"step": *[0-9]*, *"loss": *\([0-9.]*\).*/\1/p' "$1/metrics.jsonl"; } # losses RUN

# apart RUN OTHER: prints by what share the three losses differ at most; status 1: by more than a few roundings of float,
# 6e-8 each. Other code sums in another order, and knows other exponentials.
apart() {
  paste <(losses "$1") <(losses "$2") | awk '
    { d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > most) most = d; if (NF != 2) bad = 1 }
    END { printf "%.0e\n", most; exit bad || NR != 3 || most > 1e-6 }'
}
