/* The tables become functions that print words; a fixed function asks them. */
#include "cli/completion.h"
#include "cli/help.h"
#include "config/schema.h"
#include <string.h>

/* Where nothing is proposed, readline proposes files (complete -o default). */
static const char fixed[] =
    "_reformer() {\n"
    "  local line=${COMP_LINE:0:COMP_POINT} word proposed= argument before key\n"
    "  local -a words\n"
    "  read -ra words <<<\"$line\"\n"
    "  word=${line##*[[:space:]]}\n"
    "  [ -z \"$word\" ] || unset 'words[${#words[@]}-1]'\n"
    "  COMPREPLY=() before=${words[${#words[@]}-1]}\n"
    "  argument=$(_reformer_argument \"${words[1]-} $before\")\n"
    "  if [ \"${#words[@]}\" = 1 ]; then\n"
    "    proposed=$_reformer_commands\n"
    "  elif [ \"$argument\" = KEY.PATH=VALUE ] && [[ $word = *=* ]]; then\n"
    "    key=${word%%=*}\n"
    "    proposed=$(_reformer_values \"${key%\\?}\")\n"
    "    word=${word#*=}\n"
    "    [[ $COMP_WORDBREAKS = *=* ]] || proposed=${proposed:+$key=${proposed// / $key=}} word=$key=$word\n"
    "  elif [ \"$argument\" = KEY.PATH=VALUE ]; then\n"
    "    proposed=$(printf '%s= ' $_reformer_keys)\n"
    "    compopt -o nospace 2>/dev/null\n"
    "  elif [ \"$argument\" = DIR ]; then\n"
    "    compopt +o default -o dirnames 2>/dev/null\n"
    "  elif [ \"$argument\" = N ]; then\n"
    "    compopt +o default 2>/dev/null\n"
    "  elif [ -n \"$argument\" ]; then\n"
    "    [[ $argument != *'|'* ]] || proposed=${argument//|/ }\n"
    "    proposed=${proposed//[A-Z]/}\n"
    "  elif [[ $word = -* ]]; then\n"
    "    proposed=$(_reformer_options \"${words[1]}\")\n"
    "  elif [ \"${#words[@]}\" = 2 ]; then\n"
    "    proposed=$(_reformer_operands \"${words[1]}\")\n"
    "  fi\n"
    "  mapfile -t COMPREPLY < <(compgen -W \"$proposed\" -- \"$word\")\n"
    "}\n"
    "complete -o default -F _reformer reformer\n";

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
  (void)fputs("_reformer_values() {\n  case $1 in\n", stream);
  for (int i = 0; i < rf_key_count(); i++) write_words(stream, rf_key_at(i));
  (void)fputs("  esac\n}\n", stream);
  (void)fputs(fixed, stream);
}
