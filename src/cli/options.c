#include "cli/options.h"
#include "base/text.h"
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count_options(const rf_command *command) {
  int count = 0;
  while (command->options[count].name) count++;
  assert(count <= RF_MAX_OPTIONS);
  return count;
}

static int find_option(const rf_command *command, const char *name) {
  for (int i = 0; i < count_options(command); i++) {
    if (strcmp(command->options[i].name, name) == 0) return i;
  }
  return -1;
}

static rf_status refuse_command_line(const rf_command *command, const char *text) {
  return rf_fail(RF_BAD_CONFIG, "%s; see reformer %s --help", text, command->name);
}

static rf_status refuse_letter(const rf_command *command, int letter) {
  char text[64];
  (void)snprintf(text, sizeof text, "unknown option -%c", letter);
  return refuse_command_line(command, text);
}

static rf_status refuse_option(const rf_command *command, const char *word) {
  const char *names[RF_MAX_OPTIONS];
  int count = count_options(command);
  for (int i = 0; i < count; i++) names[i] = command->options[i].name;
  char name[64], text[256];
  (void)snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
  name[strcspn(name, "=")] = '\0';
  if (find_option(command, name) >= 0) {
    (void)snprintf(text, sizeof text, "--%s: found an argument; allowed: none", name);
    return refuse_command_line(command, text);
  }
  (void)snprintf(text, sizeof text, "unknown option %.64s; the nearest known one is --%s", word,
                 names[rf_text_nearest(name, names, count)]);
  return refuse_command_line(command, text);
}

/* getopt's two descriptions of the table. letters: 2 * RF_MAX_OPTIONS + 2 bytes. */
static void describe_options(const rf_command *command, struct option *longs, char *letters) {
  int count = count_options(command);
  char *next = letters;
  *next++ = ':'; /* tells a missing argument from an unknown option */
  for (int i = 0; i < count; i++) {
    const rf_option *option = &command->options[i];
    longs[i] = (struct option){.name = option->name, .has_arg = option->argument ? required_argument : no_argument};
    if (option->letter == 0) continue;
    *next++ = option->letter;
    if (option->argument) *next++ = ':';
  }
  longs[count] = (struct option){0};
  *next = '\0';
}

static int index_of_letter(const rf_command *command, int letter) {
  for (int i = 0; i < count_options(command); i++) {
    if (command->options[i].letter == letter) return i;
  }
  return -1;
}

static rf_status take_option(rf_arguments *arguments, int index, const char *value) {
  if (strcmp(arguments->command->options[index].name, "set") != 0) {
    const rf_option *option = &arguments->command->options[index];
    if (option->argument && arguments->value[index])
      return rf_fail(RF_BAD_CONFIG, "--%s: found a second argument, %.64s, after %.64s; allowed: one", option->name,
                     value, arguments->value[index]);
    arguments->value[index] = value ? value : "";
    return RF_OK;
  }
  if (arguments->n_sets == RF_MAX_SETS) {
    return rf_fail(RF_BAD_CONFIG, "--set: found more than %d; write a configuration file", RF_MAX_SETS);
  }
  arguments->sets[arguments->n_sets++] = value;
  return RF_OK;
}

static rf_status check_choice(const rf_command *command, const char *given) {
  char allowed[256] = "";
  for (int i = 0; command->choice(i); i++) {
    if (strcmp(given, command->choice(i)) == 0) return RF_OK;
    rf_text_append(allowed, sizeof allowed, "%s%s", i > 0 ? ", " : "", command->choice(i));
  }
  return rf_fail(RF_BAD_CONFIG, "reformer %s: found '%.64s'; allowed: %s", command->name, given, allowed);
}

static rf_status take_operands(rf_arguments *arguments, int argc, char **argv) {
  const rf_command *command = arguments->command;
  char text[256];
  int taken = 0;
  for (; command->operands[taken]; taken++) {
    bool given = taken < argc;
    if (given) arguments->operand[taken] = argv[taken];
    if (given || command->operands[taken][0] == '[') continue;
    (void)snprintf(text, sizeof text, "reformer %s: %s is missing", command->name, command->operands[taken]);
    return refuse_command_line(command, text);
  }
  if (command->choice) RF_TRY(check_choice(command, arguments->operand[0]));
  const char *last = taken > 0 ? command->operands[taken - 1] : "";
  const bool takes_more = strstr(last, "...") != NULL;
  for (; takes_more && taken < argc && taken < RF_MAX_OPERANDS; taken++) arguments->operand[taken] = argv[taken];
  if (argc <= taken) return RF_OK;
  (void)snprintf(text, sizeof text, "reformer %s: found '%.64s' where nothing more belongs", command->name,
                 argv[taken]);
  return refuse_command_line(command, text);
}

rf_status rf_arguments_parse(const rf_command *command, int argc, char **argv, rf_arguments *arguments) {
  struct option longs[RF_MAX_OPTIONS + 1];
  char letters[2 * RF_MAX_OPTIONS + 2], text[256];
  describe_options(command, longs, letters);
  memset(arguments, 0, sizeof *arguments);
  arguments->command = command;

  (void)unsetenv("POSIXLY_CORRECT"); /* options may stand behind operands, as the help shows them, whoever sets that */
  optind = 0;                        /* GNU: forget an earlier command line */
  opterr = 0;
  for (;;) {
    int longs_index = -1;
    int found = getopt_long(argc, argv, letters, longs, &longs_index);
    if (found == -1) break;
    if (found == ':') {
      (void)snprintf(text, sizeof text, "%.64s: its argument is missing", argv[optind - 1]);
      return refuse_command_line(command, text);
    }
    if (found == '?') {
      /* A letter is in optopt; for a word that is 0, or the code of a flag that was given an argument. */
      bool word = strncmp(argv[optind - 1], "--", 2) == 0;
      return word ? refuse_option(command, argv[optind - 1]) : refuse_letter(command, optopt);
    }
    int index = longs_index >= 0 ? longs_index : index_of_letter(command, found);
    RF_TRY(take_option(arguments, index, optarg));
  }
  if (rf_arguments_value(arguments, "help")) return RF_OK;
  return take_operands(arguments, argc - optind, argv + optind);
}

const char *rf_arguments_value(const rf_arguments *arguments, const char *option) {
  int index = find_option(arguments->command, option);
  assert(index >= 0);
  return arguments->value[index];
}

rf_status rf_arguments_int(const rf_arguments *arguments, const char *option, int64_t low, int64_t high,
                           int64_t otherwise, int64_t *value) {
  const char *text = rf_arguments_value(arguments, option);
  *value = otherwise;
  if (!text) return RF_OK;
  int64_t number = 0;
  const char *end = rf_text_whole(text, &number);
  if (!end || *end != '\0' || number < low || number > high) {
    return rf_fail(RF_BAD_CONFIG, "--%s: found '%.64s'; allowed: a whole number from %lld to %lld", option, text,
                   (long long)low, (long long)high);
  }
  *value = number;
  return RF_OK;
}
