#!/usr/bin/env bash
# What docs/style.md says of declarations and can be counted: no function, nor a pointer to one, takes more than eight
# parameters; no file has more than 500 lines; no public name is declared in two places, and no static one in two files
# of src/, so that a debugger and a profiler tell them apart. PROGRAM SOURCE_DIR
set -u
cd "$2" || exit 1
checks=0 failures=0

check() { # check WHAT FOUND: nothing was
  checks=$((checks + 1))
  [ -z "$2" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s:\n%s\n' "$1" "$2"
}

# "FILE LINE KIND NAME PARAMETERS" of everything that the sources declare outside functions: function (its name, or that
# of a pointer to one), type, struct. A file is read without comments, strings and the preprocessor's lines; braces and
# parentheses tell where a declaration stands.
read -r -d '' declarations <<'AWK'
function say(kind, name, more) { print FILENAME, FNR, kind, name, more }
function words(text) { # the last word of a text, and what stands before it
  sub(/ +$/, "", text)
  match(text, /[A-Za-z_0-9]*$/)
  last = substr(text, RSTART)
  before = substr(text, 1, RSTART - 1)
}
function open_list() { # the first parenthesis of a group
  pointer = statement ~ /\( *\*[A-Za-z_0-9 ]*\) *$/
  listed = depth == 0 || pointer
  text = statement
  if (pointer) sub(/\) *$/, "", text)
  words(text)
  name = last
  commas = 0
  start = length(statement) + 1
}
function close_list() {
  if (substr(statement, start) ~ /^\( *\*/) return # the name of a pointer, whose parameters follow
  if (listed && name != "" && name !~ /^__attribute__|^_Static_assert/) say("function", name, commas + 1)
}
function end_statement() {
  if (depth > 0) { statement = ""; return }
  if (statement ~ /^ *typedef/ && statement !~ /\(|struct/) { words(statement); say("type", last, 0) }
  statement = ""
}
function read_character(c) {
  if (c == "(") { if (group++ == 0) open_list() }
  else if (c == ")") { if (--group == 0) close_list() }
  else if (c == "," && group == 1) commas++
  else if (group == 0 && c == "{") {
    words(statement)
    if (depth++ == 0 && before ~ /(struct|union|enum) *$/) say("struct", last, 0)
    if (depth == 1) kept = statement ~ /^ *typedef/ ? "typedef " : ""
    statement = ""
    return
  } else if (group == 0 && c == "}") {
    if (--depth == 0) statement = kept
    return
  } else if (group == 0 && c == ";") { end_statement(); return }
  statement = statement c
}
function end_file() { if (depth != 0 || group != 0) print file, 0, "unread", "-", 0 }
FNR == 1 { end_file(); file = FILENAME; depth = group = comment = continued = 0; statement = "" }
END { end_file() }
{
  line = $0
  if (continued || (!comment && line ~ /^ *#/)) { continued = line ~ /\\$/; next }
  gsub(/\\./, "", line)
  gsub(/"[^"]*"|'[^']*'/, "", line)
  if (comment) { if (!sub(/^.*\*\//, "", line)) next; comment = 0 }
  while (match(line, /\/\*/)) {
    rest = substr(line, RSTART); line = substr(line, 1, RSTART - 1)
    if (sub(/^\/\*([^*]|\*+[^*\/])*\*+\//, "", rest)) line = line rest
    else { comment = 1; break }
  }
  sub(/\/\/.*/, "", line)
  if (depth > 0 && group == 0 && line !~ /\(\*[a-z_0-9]+\)\(/) { # within a function, or a type without such
    if (line !~ /[{}]/) next
    match(line, /[^{}]*$/)
    rest = substr(line, RSTART)
    gsub(/[^{}]/, "", line)
    inside = depth
    for (i = 1; i <= length(line); i++) inside += substr(line, i, 1) == "{" ? 1 : -1
    if (inside == 0) line = line rest # else it is within, and may end what began on another line
  }
  for (i = 1; i <= length(line); i++) read_character(substr(line, i, 1))
  statement = statement " "
}
AWK

mapfile -t files < <(find src include -name '*.[ch]' | sort)
found=$(awk "$declarations" "${files[@]}" | sort -u)
count() { printf '%s\n' "$found" | grep -c " $1 "; }
check "hardly anything was read" \
  "$([ "$(count function)" -gt 1000 ] && [ "$(count type)" -gt 100 ] || printf '%s\n' "$found")"

check "more than eight parameters" "$(printf '%s\n' "$found" |
  awk '$3 == "function" && $5 > 8 { print $1 ":" $2 ": " $4 " has " $5 }')"
check "more than 500 lines" "$(wc -l "${files[@]}" | awk '$1 > 500 && $2 != "total" { print $2 ": " $1 }')"

# Public: types and structs anywhere, functions of headers.
check "a name for two things" "$(printf '%s\n' "$found" | awk '
  $4 !~ /^rf_/ || ($3 == "function" && $1 !~ /\.h$/) { next }
  { thing = ($3 == "function" ? "function" : "type") " of " $1 }
  $4 in things && things[$4] != thing { print $4 ": " things[$4] " and " thing }
  { things[$4] = thing }')"
check "a static name in two files" "$(printf '%s\n' "$found" | awk '
  $4 ~ /^rf_/ || $1 !~ /\.c$/ { next }
  $4 in files && files[$4] != $1 { print $4 ": " files[$4] " and " $1 }
  { files[$4] = $1 }')"
# A file's own header, or that of what it tests, comes first.
check "includes out of order" "$(find src include tests -name '*.[ch]' -exec awk '
  FNR == 1 { n = 0 }
  !/^#include "/ { last = ""; next }
  n++ > 1 && last != "" && $2 < last { print FILENAME ":" FNR ": " $2 " after " last }
  { last = n > 1 ? $2 : "" }' {} +)"
check "a file whose end was not found" "$(printf '%s\n' "$found" | awk '$3 == "unread" { print $1 }')"
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
