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

void rf_help_program(FILE *stream, const rf_command *const *commands) {
  fputs("reformer: trains Reformers (Kitaev, Kaiser and Levskaya, ICLR 2020) on long sequences.\n\n"
        "Usage: reformer COMMAND [ARGUMENTS] [OPTIONS]\n\n"
        "Commands:\n",
        stream);
  for (int i = 0; commands[i]; i++) {
    char usage[128];
    write_usage(commands[i], usage, sizeof usage);
    (void)fprintf(stream, "  %-24s %s\n", usage, commands[i]->summary);
  }
  fputs("\n"
        "Options:\n"
        "  --help                   show this and end; reformer COMMAND --help tells about a command\n"
        "  --version                show the version and end\n\n"
        "A configuration is a YAML file; reformer help config lists every key.\n"
        "Threads: OMP_NUM_THREADS, or as many as there are cores to run on and a CPU quota allows.\n\n"
        "Exit status:\n"
        "   0  done\n"
        "   1  failed while running\n"
        "   2  the command line or the configuration is wrong; the message says what to change\n"
        "   3  input data or a checkpoint is missing, damaged or does not fit\n"
        "  75  stopped by a signal or a time limit, after saving: run again to go on\n",
        stream);
}

void rf_help_command(FILE *stream, const rf_command *command) {
  char usage[128];
  write_usage(command, usage, sizeof usage);
  (void)fprintf(stream, "Usage: reformer %s [OPTIONS]\n\n%s\n\nOptions:\n", usage, command->description);
  for (const rf_option *option = command->options; option->name; option++) {
    char name[64], letter[8] = "    ";
    if (option->letter != 0) (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
    (void)snprintf(name, sizeof name, "--%s%s%s", option->name, option->argument ? " " : "",
                   option->argument ? option->argument : "");
    (void)fprintf(stream, "  %s%-24s %s\n", letter, name, option->help);
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
  fputs("Every key of the configuration: what it is, its default, what is allowed.\n"
        "In the file: sections as maps (model: {d_model: 256}); on the command line: --set model.d_model=256,\n"
        "or --set 'model.d_model?=256', which leaves what the file or an earlier --set says.\n",
        stream);
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
