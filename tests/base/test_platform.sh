#!/usr/bin/env bash
# Machines that the program cannot run on are refused when it is built, by CMake and by the compiler.
# PROGRAM SOURCE_DIR
set -u
cd "$2" || exit 1
checks=0 failures=0

says() { # says TEXT COMMAND...: it fails with the text; no text: it does not fail
  local text=$1 output status
  shift
  output=$("$@" 2>&1 | tr -s ' \n' ' '; exit "${PIPESTATUS[0]}")
  status=$?
  checks=$((checks + 1))
  [ -n "$text" ] || { [ $status = 0 ] && return; }
  [ -n "$text" ] && [ $status != 0 ] && case "$output" in *"$text"*) return ;; esac
  failures=$((failures + 1))
  printf 'FAILED: %s\n  status %s; wanted: %s\n%s\n' "$*" $status "${text:-0}" "$output"
}

platform() { cmake "$@" -P launch/platform.cmake; }
says "" platform -DCMAKE_SIZEOF_VOID_P=8 -DCMAKE_C_BYTE_ORDER=LITTLE_ENDIAN
says "s390x is big-endian, and reformer needs a little-endian machine: " \
  platform -DCMAKE_SIZEOF_VOID_P=8 -DCMAKE_C_BYTE_ORDER=BIG_ENDIAN -DCMAKE_SYSTEM_PROCESSOR=s390x
says "this machine is big-endian" platform -DCMAKE_C_BYTE_ORDER=BIG_ENDIAN
says "the compiler makes programs of 32 bits, and reformer needs 64 (LP64): " \
  platform -DCMAKE_SIZEOF_VOID_P=4 -DCMAKE_C_BYTE_ORDER=LITTLE_ENDIAN

# Those who build without CMake: the same words, from the header that gives numbers their type.
compile() { cc "$@" -E -x c include/reformer/real.h -o /dev/null; }
if command -v cc >/dev/null; then
  said=$(sed -n 's/.*#error "\(reformer needs [^:]*:\).*/\1/p' include/reformer/real.h)
  checks=$((checks + 1))
  [ "$(wc -l <<<"$said")" = 2 ] || { failures=$((failures + 1)); echo "FAILED: real.h refuses: $said"; }
  says "" compile
  says "$(head -n 1 <<<"$said")" compile -Wno-builtin-macro-redefined -U__BYTE_ORDER__ -D__BYTE_ORDER__=4321
  says "$(tail -n 1 <<<"$said")" compile -U__LP64__
fi
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
