#!/usr/bin/env bash
# Training across virtual hosts is training on one rank, over the kernel's links, shaped ones, and late ones.
# PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
work=$(mktemp -d) && cd "$work" || exit 1
# shellcheck source-path=SCRIPTDIR source=cluster.sh
. "$source_dir/tests/cluster/cluster.sh"
needs cc
start_check
trap clean_up EXIT
trap 'exit 1' INT TERM

write_config config.yaml 20 12
"$PROGRAM" train config.yaml --run one >one.log 2>&1
expect "status of one rank" 0 $?
tolerance=1e-4
[ "$("$PROGRAM" bench step config.yaml --steps 1 --json /dev/stdout 2>/dev/null | grep -c '"real": "double"')" = 0 ] || tolerance=1e-8

train_on() { # train_on RANKS PER_HOST SEQUENCE NAME
  "$source_dir/cluster/mpirun.sh" -n "$1" --map-by "ppr:$2:node" "$PROGRAM" train config.yaml --run "$4" \
    --set "mesh.sequence=$3" </dev/null >"$4.log" 2>&1
  expect "status of $4" 0 $?
  losses_agree one "$4" $tolerance
  echo "$4: $(cat "$work/agree")"
}

# shellcheck disable=SC2016 # the inner shell's
sent_by() { "$hosts" exec "$1" awk '/eth0:/ { print $10 }' /proc/net/dev; }

# What a host sends to another's discard port, again and again, so that it asks for the address all the time.
# connects_when_mended HOST ADDRESS OTHER ADDRESS: both ways, at once, though both had asked in vain before.
connects_when_mended() {
  local pair from to found asking=()
  "$hosts" cut "$1"
  for pair in "$1 $4" "$3 $2"; do
    read -r from to <<<"$pair"
    "$hosts" exec "$from" bash -c "ip neigh flush all; while sleep 0.05; do echo >/dev/udp/$to/9; done" &
    asking+=($!)
  done 2>/dev/null
  sleep 2.3 # of three seconds in which an address is asked for three times
  "$hosts" mend "$1"
  for pair in "$1 $4" "$3 $2"; do
    read -r from to <<<"$pair"
    found=$("$hosts" exec "$from" bash -c ": >/dev/tcp/$to/9" 2>&1)
    case $found in *"Connection refused"*) found=refused ;; esac
    expect "a connection from $from to $to where $1 is mended" refused "$found"
  done
  kill "${asking[@]}"
}

"$hosts" up 4 || exit 1
expect "hosts" "head h0 h1 h2 h3 " "$("$hosts" list | cut -d' ' -f1 | tr '\n' ' ')"
expect "name of a host" h2 "$("$hosts" exec h2 hostname)"
# shellcheck disable=SC2016 # the inner shell's
expect "first process of a host" "$("$hosts" exec h2 sh -c 'echo $PPID')" 0
expect "ways out of a host" "" "$("$hosts" exec h1 ip route show default)"
expect "a second cluster of the same name" 1 "$("$hosts" up 2 2>/dev/null; echo $?)"
train_on 2 1 2 two-hosts
# Hosts share no memory: what the ranks counted has gone over their links.
counted=$(tr ',{}' '\n' <two-hosts/metrics.jsonl | awk -F: '/^"(histogram|plan|rows|halo|parameters|gradients|loss|other)"/ { n += $2 } END { printf "%d", n }')
sent=$(($(sent_by h0) + $(sent_by h1)))
checks=$((checks + 1))
((counted > 0 && sent >= counted)) || fail "the ranks counted $counted bytes, the links $sent"
train_on 3 1 3 three-hosts
train_on 4 1 4 four-hosts
train_on 8 2 4 four-hosts-two-ranks-each
expect "hosts of a run" 4 "$(grep -c '^host h[0-3]: rank' four-hosts/log.txt)"
"$hosts" down
"$hosts" down # again: nothing is missed
expect "status of down when it is down" 0 $?

"$hosts" up 2 --rate 200mbit || exit 1
connects_when_mended h0 10.77.0.10 h1 10.77.0.11
train_on 2 1 2 slow-link
"$hosts" down
"$hosts" up 2 --delay 200us --loss 0.01% || exit 1
train_on 2 1 2 late-link
"$hosts" cut h1
"$hosts" exec head "$source_dir/cluster/agent.sh" h1 true 2>agent.log
expect "status of the way to a host that is cut" 255 $?
"$hosts" mend h1
connects_when_mended h1 10.77.0.11 h0 10.77.0.10
"$hosts" kill h0
expect "hosts after a kill" "head up h0 dead h1 up " "$("$hosts" list | cut -d' ' -f1,3 | tr '\n' ' ')"
expect "the way to a host that is mended, by one that is dead" "h1 1" \
  "$("$hosts" exec head "$source_dir/cluster/agent.sh" h1 hostname) $("$hosts" exec h0 true 2>/dev/null; echo $?)"
finish
