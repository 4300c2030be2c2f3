#!/usr/bin/env bash
# Every row of docs/troubles.md names tests, and they are there: `layer/name` is tests/layer/test_name.c or .sh. A report
# that found nothing wrong needs none.
# PROGRAM SOURCE_DIR
set -u
cd "$2" || exit 1
checks=0 failures=0

fail() {
  failures=$((failures + 1))
  echo "FAILED: docs/troubles.md: $*"
}

while IFS= read -r row; do
  column=${row%|*} column=${column##*|} # the last
  tests=$(grep -o '`[a-z]*/[a-z_0-9]*`' <<<"$column" | tr -d '\140')
  checks=$((checks + 1))
  [ -n "$tests" ] || [[ $column == ' was fine'* ]] || fail "no test: $row"
  for test in $tests; do
    ls "tests/${test%/*}/test_${test#*/}".{c,sh} 2>/dev/null | grep -q . || fail "there is no test $test: $row"
  done
done < <(grep '^|' docs/troubles.md | grep -v '^| trouble\|^| report\|^| ---')
[ "$checks" -ge 1 ] || fail "no rows"
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
