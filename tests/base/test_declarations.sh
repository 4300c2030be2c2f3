#!/usr/bin/env bash
# What docs/style.md says of declarations and can be counted: no function of src/ or include/, nor a pointer to one, nor
# a macro takes more than eight parameters; no file has more than 500 lines, of tests/ neither; no public name, be it a
# constant's or a macro's, is declared in two places, and no static function's in two files of src/, so that a debugger
# and a profiler tell them apart. PROGRAM SOURCE_DIR
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
  if (c == "(") {
    if (group++ == 0) open_list()
    else { inner[group] = statement ~ /\( *\*[A-Za-z_0-9 ]*\) *$/; inner_commas[group] = 0 }
  } else if (c == ")") {
    if (group > 1 && inner[group]) say("pointer", "a_pointer_among_those_of_" name, inner_commas[group] + 1)
    if (--group == 0) close_list()
  } else if (c == "," && group > 0) { if (group == 1) commas++; else inner_commas[group]++ }
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

# "FILE LINE KIND NAME" of constants of enumerations (without a prefix in headers only, where they are everybody's), and
# of macros and values of headers.
read -r -d '' constants <<'AWK'
function say_constants(   body, part, i, n) {
  while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//)) text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
  while (match(text, /enum( [a-z_0-9]+)? *\{[^}]*\}/)) {
    body = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    sub(/^[^{]*\{/, "", body)
    n = split(body, part, ",")
    for (i = 1; i <= n; i++)
      if (sub(/^ +/, "", part[i]) + 1 && match(part[i], /^[A-Z][A-Z_0-9]*/) && (file ~ /\.h$/ || part[i] ~ /^RF_/))
        print file, 0, "constant", substr(part[i], 1, RLENGTH)
  }
}
FNR == 1 { say_constants(); file = FILENAME; text = "" }
/^ *# *define / && file ~ /\.h$/ {
  sub(/^ *# *define +/, "")
  match($0, /^[A-Za-z_0-9]+/)
  print file, FNR, "macro", substr($0, 1, RLENGTH)
}
/^(extern|static const) .*[;{]/ && !/\(/ && file ~ /\.h$/ {
  line = $0
  sub(/ *=.*/, ";", line)
  while (match(line, /rf_[a-z_0-9]+(\[[^]]*\])?[,;]/)) {
    name = substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
    sub(/[^a-z_0-9].*/, "", name)
    print file, FNR, "value", name
  }
}
!/^ *#/ { text = text $0 " " }
END { say_constants() }
AWK

mapfile -t files < <(find src include -name '*.[ch]' | sort)
found=$(awk "$declarations" "${files[@]}" | sort -u)
named=$(awk "$constants" "${files[@]}" | sort -u)
count() { printf '%s\n' "$found" | grep -c " $1 "; }
check "hardly anything was read" \
  "$([ "$(count function)" -gt 1000 ] && [ "$(count type)" -gt 100 ] && [ "$(wc -l <<<"$named")" -gt 500 ] ||
    printf '%s\n' "$found" "$named")"

check "more than eight parameters" "$(printf '%s\n' "$found" |
  awk '$3 ~ /^(function|pointer)$/ && $5 > 8 { print $1 ":" $2 ": " $4 " has " $5 }'
  grep -nE '#[[:space:]]*define [A-Za-z_0-9]+\(([^,)]*,){8,}' "${files[@]}")"
check "more than 500 lines" \
  "$(find src include tests -name '*.[ch]' -exec grep -c '' /dev/null {} + | awk -F: '$2 > 500 { print $1 ": " $2 }')"

# Public: types and structs anywhere, functions, macros and values of headers, constants.
check "a name for two things" "$(printf '%s\n' "$found" "$named" | awk '
  ($4 !~ /^rf_/ && $3 !~ /^(constant|macro)$/) || $3 == "pointer" || ($3 == "function" && $1 !~ /\.h$/) { next }
  { thing = ($3 == "struct" ? "type" : $3) " of " $1 }
  $4 in things && things[$4] != thing && !($3 == "macro" && files[$4] == $1) { # a macro may wrap its function
    print $4 ": " things[$4] " and " thing
  }
  { things[$4] = thing; files[$4] = $1 }')"
check "a static name in two files" "$(printf '%s\n' "$found" | awk '
  $1 !~ /\.c$/ || $3 == "pointer" || ($3 != "function" && $4 ~ /^rf_/) { next }
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
