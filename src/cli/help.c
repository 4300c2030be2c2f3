#include "cli/help.h"
#include "config/schema.h"
#include <string.h>

/* "train CONFIG" */
static void write_usage(const rf_command *command, char *buffer, size_t size) {
  int used = snprintf(buffer, size, "%s", command->name);
  for (int i = 0; command->operands[i]; i++) {
    used += snprintf(buffer + used, size - (size_t)used, " %s", command->operands[i]);
  }
}

const char rf_help_about[] = "trains Reformers (Kitaev, Kaiser and Levskaya, ICLR 2020) on long sequences.";
const char rf_help_notes[] =
    "A configuration is a YAML file; reformer help config lists every key.\n"
    "Threads: OMP_NUM_THREADS, or as many as there are cores to run on and a CPU quota allows.\n";
const char rf_help_keys[] =
    "Every key of the configuration: what it is, its default, what is allowed.\n"
    "In the file: sections as maps (model: {d_model: 256}); on the command line: --set model.d_model=256,\n"
    "or --set 'model.d_model?=256', which leaves what the file or an earlier --set says.\n";
const rf_option rf_help_options[] = {
    {"help", 0, NULL, "show this and end; reformer COMMAND --help tells about a command"},
    {"version", 0, NULL, "show the version and end"},
    {NULL, 0, NULL, NULL}};
const rf_exit_status rf_exit_statuses[] = {
    {RF_OK, "done"},
    {RF_FAILED, "failed while running"},
    {RF_BAD_CONFIG, "the command line or the configuration is wrong; the message says what to change"},
    {RF_BAD_DATA, "input data or a checkpoint is missing, damaged or does not fit"},
    {RF_STOPPED, "stopped by a signal or a time limit, after saving: run again to go on"},
    {0, NULL}};

enum { OPTION_COLUMNS = 24 };

static void write_option(FILE *stream, const rf_option *option, const char *indent) {
  char name[64];
  (void)snprintf(name, sizeof name, "--%s%s%s", option->name, option->argument ? " " : "",
                 option->argument ? option->argument : "");
  if (strlen(name) > OPTION_COLUMNS)
    (void)fprintf(stream, "  %s%s\n  %*s %s\n", indent, name, OPTION_COLUMNS + (int)strlen(indent), "", option->help);
  else
    (void)fprintf(stream, "  %s%-*s %s\n", indent, OPTION_COLUMNS, name, option->help);
}

void rf_help_program(FILE *stream, const rf_command *const *commands) {
  (void)fprintf(stream, "reformer: %s\n\nUsage: reformer COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n", rf_help_about);
  for (int i = 0; commands[i]; i++) {
    char usage[128];
    write_usage(commands[i], usage, sizeof usage);
    (void)fprintf(stream, "  %-24s %s\n", usage, commands[i]->summary);
  }
  fputs("\nOptions:\n", stream);
  for (const rf_option *option = rf_help_options; option->name; option++) write_option(stream, option, "");
  (void)fprintf(stream, "\n%s\nExit status:\n", rf_help_notes);
  for (const rf_exit_status *exit = rf_exit_statuses; exit->meaning; exit++)
    (void)fprintf(stream, "  %2d  %s\n", (int)exit->status, exit->meaning);
}

void rf_help_command(FILE *stream, const rf_command *command) {
  char usage[128];
  write_usage(command, usage, sizeof usage);
  (void)fprintf(stream, "Usage: reformer %s [OPTIONS]\n\n%s\n\nOptions:\n", usage, command->description);
  for (const rf_option *option = command->options; option->name; option++) {
    char letter[8] = "    ";
    if (option->letter != 0) (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
    write_option(stream, option, letter);
  }
}

/* "duplicate task" keys and the like hold no bar, but a phrase may: it would end a table's cell. */
static void write_cell(FILE *stream, const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '|') fputc('\\', stream);
    fputc(*text, stream);
  }
}

static void write_markdown(FILE *stream) {
  fputs("| key | default | allowed | what it is |\n| --- | --- | --- | --- |\n", stream);
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char allowed[RF_MAX_ALLOWED];
    (void)fprintf(stream, "| `%s` | ", key->path);
    if (key->initial)
      (void)fprintf(stream, "`%s`", key->initial);
    else
      fputs("must be given", stream);
    fputs(" | ", stream);
    write_cell(stream, rf_key_allowed(key, allowed));
    fputs(" | ", stream);
    write_cell(stream, key->help);
    fputs(" |\n", stream);
  }
}

void rf_help_config(FILE *stream, bool markdown) {
  if (markdown) {
    write_markdown(stream);
    return;
  }
  fputs(rf_help_keys, stream);
  size_t last_section = 0;
  const char *last = "";
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    size_t section = strcspn(key->path, ".");
    if (section != last_section || strncmp(key->path, last, section) != 0) fputc('\n', stream);
    last_section = section;
    last = key->path;
    char allowed[RF_MAX_ALLOWED];
    (void)fprintf(stream, "%-30s %s\n%-30s   default: %s; allowed: %s\n", key->path, key->help, "",
                  key->initial ? key->initial : "none, must be given", rf_key_allowed(key, allowed));
  }
}
