/* The tables become functions that print words; a fixed function asks them. */
#include "cli/completion.h"
#include "cli/help.h"
#include "config/schema.h"
#include <string.h>

/* Where nothing is proposed, readline proposes files (complete -o default), but behind options that take none. */
static const char fixed[] =
    "# The last word of a line, behind a quote that is open and NAME=, is completed by _reformer_propose, which sets\n"
    "# proposed (words) and paths (f: files, d: folders).\n"
    "_reformer_propose() {\n"
    "  local key\n"
    "  case $argument in\n"
    "  KEY.PATH=VALUE)\n"
    "    if [[ $word = *=* ]]; then\n"
    "      key=${word%%=*}\n"
    "      proposed=$(_reformer_values \"${key%\\?}\") paths=$(_reformer_paths \"${key%\\?}\")\n"
    "      prefix+=$key= word=${word#*=}\n"
    "    else\n"
    "      # Were there only one, readline would close the quote behind it.\n"
    "      proposed=$(compgen -W \"$_reformer_keys\" -S = -- \"$word\")\n"
    "      [ -z \"$quote\" ] || [[ $proposed = *$'\\n'* ]] || proposed+=\" ${proposed%=}?=\"\n"
    "      compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "    ;;\n"
    "  *)\n"
    "    [[ $argument != *[A-Z]* ]] || paths=$(_reformer_paths \"$argument\")\n"
    "    [[ $argument != *'|'* ]] || proposed=${argument//|/ }\n"
    "    proposed=${proposed//[A-Z]/}\n"
    "    ;;\n"
    "  esac\n"
    "}\n"
    "_reformer() {\n"
    "  local line=${COMP_LINE:0:COMP_POINT} word proposed= paths= argument before prefix= quote=\n"
    "  local -a words\n"
    "  read -ra words <<<\"$line\"\n"
    "  word=${line##*[[:space:]]}\n"
    "  [ -z \"$word\" ] || unset 'words[${#words[@]}-1]'\n"
    "  while [ \"${#words[@]}\" -gt 1 ] && [[ ${words[0]##*/} != reformer ]]; do words=(\"${words[@]:1}\"); done # "
    "behind mpirun\n"
    "  COMPREPLY=()\n"
    "  [[ ${words[0]##*/} = reformer ]] || return 0\n"
    "  before=${words[${#words[@]}-1]}\n"
    "  [[ $word != --*=* ]] || before=${word%%=*} prefix=${word%%=*}= word=${word#*=}\n"
    "  [[ $word != [\\\"\\']* ]] || quote=${word:0:1} prefix= word=${word:1}\n"
    "  argument=$(_reformer_argument \"${words[1]-} $before\")\n"
    "  if [ -n \"$argument\" ]; then\n"
    "    _reformer_propose\n"
    "    compopt +o default 2>/dev/null\n"
    "  elif [ \"${#words[@]}\" = 1 ]; then\n"
    "    proposed=$_reformer_commands\n"
    "  elif [[ $word = -* ]]; then\n"
    "    proposed=$(_reformer_options \"${words[1]}\")\n"
    "  elif [ \"${#words[@]}\" = 2 ]; then\n"
    "    proposed=$(_reformer_operands \"${words[1]}\")\n"
    "  fi\n"
    "  mapfile -t COMPREPLY < <(compgen -W \"$proposed\" -- \"$word\")\n"
    "  # What readline replaces begins behind the last =, where that parts words and no quote is open.\n"
    "  [ -n \"$quote\" ] || [[ $COMP_WORDBREAKS != *=* ]] || prefix=\n"
    "  if [ -n \"$paths\" ]; then\n"
    "    mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen \"-$paths\" -- \"$word\")\n"
    "    # With a prefix it is no file's name, and readline knows neither what to quote nor what is a folder.\n"
    "    if [ -z \"$prefix\" ]; then\n"
    "      compopt -o filenames 2>/dev/null\n"
    "    elif [ \"${#COMPREPLY[@]}\" = 1 ] && [ -d \"$COMPREPLY\" ]; then\n"
    "      COMPREPLY=(\"$COMPREPLY/\")\n"
    "      compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "    [ -z \"$prefix\" ] || [ -n \"$quote\" ] || [ \"${#COMPREPLY[@]}\" = 0 ] || mapfile -t COMPREPLY < <(printf "
    "'%q\\n' \"${COMPREPLY[@]}\")\n"
    "  fi\n"
    "  COMPREPLY=(\"${COMPREPLY[@]/#/$prefix}\")\n"
    "}\n"
    "complete -o default -F _reformer reformer\n"
    "# Behind what starts ranks too, unless somebody else completes its command lines.\n"
    "for _reformer in mpirun mpiexec; do\n"
    "  complete -p \"$_reformer\" >/dev/null 2>&1 || complete -o default -F _reformer \"$_reformer\"\n"
    "done\n"
    "unset -v _reformer\n";

static void write_commands(FILE *stream, const rf_command *const *commands) {
  for (int i = 0; commands[i]; i++) (void)fprintf(stream, "%s%s", i > 0 ? " " : "", commands[i]->name);
}

/* What the first operand may be, where it is no path. */
static void write_operands(FILE *stream, const rf_command *const *commands) {
  (void)fputs("_reformer_operands() {\n  case $1 in\n", stream);
  for (int i = 0; commands[i]; i++) {
    const rf_command *command = commands[i];
    const bool topic = command->operands[0] && strcmp(command->operands[0], "[TOPIC]") == 0;
    if (!topic && !command->choice) continue;
    (void)fprintf(stream, "  %s) echo", command->name);
    for (int j = 0; command->choice && command->choice(j); j++) (void)fprintf(stream, " %s", command->choice(j));
    if (topic) {
      (void)fputc(' ', stream);
      write_commands(stream, commands);
      (void)fputs(" config", stream);
    }
    (void)fputs(" ;;\n", stream);
  }
  (void)fputs("  esac\n}\n", stream);
}

static void write_options(FILE *stream, const rf_command *const *commands) {
  (void)fputs("_reformer_options() {\n  case $1 in\n", stream);
  for (int i = 0; commands[i]; i++) {
    (void)fprintf(stream, "  %s) echo", commands[i]->name);
    for (const rf_option *option = commands[i]->options; option->name; option++)
      (void)fprintf(stream, " --%s", option->name);
    (void)fputs(" ;;\n", stream);
  }
  (void)fputs("  esac\n}\n", stream);
}

/* What stands behind an option: as in the help. */
static void write_arguments(FILE *stream, const rf_command *const *commands) {
  (void)fputs("_reformer_argument() {\n  case $1 in\n", stream);
  for (int i = 0; commands[i]; i++)
    for (const rf_option *option = commands[i]->options; option->name; option++)
      if (option->argument)
        (void)fprintf(stream, "  '%s --%s' | '%s -%c') echo '%s' ;;\n", commands[i]->name, option->name,
                      commands[i]->name, option->letter, option->argument);
  (void)fputs("  esac\n}\n", stream);
}

/* Which arguments of options are names of files (f) or of folders (d), and which keys. */
static void write_paths(FILE *stream) {
  (void)fputs("_reformer_paths() {\n  case $1 in\n  *DIR | *CHECKPOINT) echo d ;;\n"
              "  *FILE* | *PATH | MODEL.*) echo f ;;\n",
              stream);
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    const char *last = strrchr(key->path, '.');
    if (key->kind == RF_KEY_ROTATIONS || (last && strcmp(last, ".path") == 0))
      (void)fprintf(stream, "  %s) echo f ;;\n", key->path);
  }
  (void)fputs("  esac\n}\n", stream);
}

static void write_words(FILE *stream, const rf_key *key) {
  static const char *const yes_or_no[] = {"true", "false", NULL};
  const char *const *words = key->kind == RF_KEY_BOOL ? yes_or_no : key->words;
  if (!words && !key->automatic) return;
  (void)fprintf(stream, "  %s) echo", key->path);
  for (int i = 0; words && words[i]; i++) (void)fprintf(stream, " %s", words[i]);
  (void)fprintf(stream, "%s ;;\n", key->automatic ? " auto" : "");
}

void rf_completion_write(FILE *stream, const rf_command *const *commands) {
  (void)fputs("# Completion of command lines in bash: reformer help --completion wrote this.\n_reformer_commands='",
              stream);
  write_commands(stream, commands);
  for (const rf_option *option = rf_help_options; option->name; option++) (void)fprintf(stream, " --%s", option->name);
  (void)fputs("'\n_reformer_keys='", stream);
  for (int i = 0; i < rf_key_count(); i++) (void)fprintf(stream, "%s%s", i > 0 ? " " : "", rf_key_at(i)->path);
  (void)fputs("'\n", stream);
  write_operands(stream, commands);
  write_options(stream, commands);
  write_arguments(stream, commands);
  write_paths(stream);
  (void)fputs("_reformer_values() {\n  case $1 in\n", stream);
  for (int i = 0; i < rf_key_count(); i++) write_words(stream, rf_key_at(i));
  (void)fputs("  esac\n}\n", stream);
  (void)fputs(fixed, stream);
}
