#include "cli/manual.h"
#include "cli/help.h"
#include "config/schema.h"
#include "reformer/version.h"
#include <ctype.h>
#include <string.h>

/* One character of text. A hyphen is one that can be copied into a shell. */
static void write_letter(FILE *stream, char letter) {
  switch (letter) {
  case '\\': (void)fputs("\\e", stream); break;
  case '-': (void)fputs("\\-", stream); break;
  case '\'': (void)fputs("\\(aq", stream); break;
  case '`': (void)fputs("\\(ga", stream); break;
  case '^': (void)fputs("\\(ha", stream); break;
  case '~': (void)fputs("\\(ti", stream); break;
  default: (void)fputc(letter, stream);
  }
}

static void man_text(FILE *stream, const char *text) {
  for (; *text != '\0'; text++) write_letter(stream, *text);
}

/* A line of running text: what a request starts with must not stand first. */
static void man_line(FILE *stream, const char *text, size_t length) {
  if (length > 0 && *text == '.') (void)fputs("\\&", stream);
  for (size_t i = 0; i < length; i++) write_letter(stream, text[i]);
  (void)fputc('\n', stream);
}

/* "step: times ...": a line that tells about one word. */
static bool starts_item(const char *line) {
  const size_t word = strspn(line, "abcdefghijklmnopqrstuvwxyz");
  return word > 0 && line[word] == ':' && line[word + 1] == ' ';
}

/* Lines as the help has them, filled anew; items are paragraphs of their own. */
static void write_lines(FILE *stream, const char *text) {
  while (*text != '\0') {
    const size_t length = strcspn(text, "\n");
    if (starts_item(text)) (void)fputs(".PP\n", stream);
    man_line(stream, text, length);
    text += length + (text[length] == '\n');
  }
}

/* The title: name of the page, section, what is at the foot. */
static void write_title(FILE *stream, const char *of, const char *section, const char *manual) {
  (void)fputs(".TH REFORMER", stream);
  if (of[0] != '\0') (void)fputs("\\-", stream);
  for (const char *letter = of; *letter != '\0'; letter++) (void)fputc(toupper((unsigned char)*letter), stream);
  (void)fprintf(stream, " %s \"\" \"reformer %s\" \"%s\"\n", section, RF_VERSION, manual);
}

static void write_name(FILE *stream, const char *of, const char *summary) {
  (void)fprintf(stream, ".SH NAME\nreformer%s", of[0] != '\0' ? "\\-" : "");
  man_text(stream, of);
  (void)fputs(" \\- ", stream);
  man_line(stream, summary, strcspn(summary, "."));
}

static void man_option(FILE *stream, const rf_option *option) {
  (void)fputs(".TP\n", stream);
  if (option->letter != 0) (void)fprintf(stream, "\\fB\\-%c\\fR, ", option->letter);
  (void)fprintf(stream, "\\fB\\-\\-%s\\fR", option->name);
  if (option->argument) {
    (void)fputs(" \\fI", stream);
    man_text(stream, option->argument);
    (void)fputs("\\fR", stream);
  }
  (void)fputc('\n', stream);
  man_line(stream, option->help, strlen(option->help));
}

static void man_options(FILE *stream, const rf_option *options) {
  (void)fputs(".SH OPTIONS\n", stream);
  for (; options->name; options++) man_option(stream, options);
}

static void write_statuses(FILE *stream) {
  (void)fputs(".SH EXIT STATUS\n", stream);
  for (const rf_exit_status *exit = rf_exit_statuses; exit->meaning; exit++) {
    (void)fprintf(stream, ".TP\n.B %d\n", (int)exit->status);
    man_line(stream, exit->meaning, strlen(exit->meaning));
  }
}

static void man_usage(FILE *stream, const rf_command *command) {
  (void)fprintf(stream, "\\fBreformer %s\\fR", command->name);
  for (int i = 0; command->operands[i]; i++) {
    (void)fputs(" \\fI", stream);
    man_text(stream, command->operands[i]);
    (void)fputs("\\fR", stream);
  }
}

void rf_manual_program(FILE *stream, const rf_command *const *commands) {
  write_title(stream, "", "1", "User Commands");
  write_name(stream, "", rf_help_about);
  (void)fputs(".SH SYNOPSIS\n\\fBreformer\\fR \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n"
              ".SH DESCRIPTION\n",
              stream);
  write_lines(stream, rf_help_notes);
  (void)fputs(".SH COMMANDS\n", stream);
  for (int i = 0; commands[i]; i++) {
    (void)fputs(".TP\n", stream);
    man_usage(stream, commands[i]);
    (void)fputc('\n', stream);
    man_line(stream, commands[i]->summary, strlen(commands[i]->summary));
  }
  man_options(stream, rf_help_options);
  write_statuses(stream);
  (void)fputs(".SH SEE ALSO\n", stream);
  for (int i = 0; commands[i]; i++) (void)fprintf(stream, ".BR reformer\\-%s (1),\n", commands[i]->name);
  (void)fputs(".BR reformer\\-config (5)\n", stream);
}

void rf_manual_command(FILE *stream, const rf_command *command) {
  write_title(stream, command->name, "1", "User Commands");
  write_name(stream, command->name, command->summary);
  (void)fputs(".SH SYNOPSIS\n", stream);
  man_usage(stream, command);
  (void)fputs(" [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n", stream);
  write_lines(stream, command->description);
  man_options(stream, command->options);
  write_statuses(stream);
  (void)fputs(".SH SEE ALSO\n.BR reformer (1),\n.BR reformer\\-config (5)\n", stream);
}

static void write_key(FILE *stream, const rf_key *key) {
  char allowed[RF_MAX_ALLOWED];
  (void)fputs(".TP\n.B ", stream);
  man_line(stream, key->path, strlen(key->path));
  man_line(stream, key->help, strlen(key->help));
  (void)fputs(".br\nDefault: ", stream);
  man_text(stream, key->initial ? key->initial : "none, must be given");
  (void)fputs("; allowed: ", stream);
  (void)rf_key_allowed(key, allowed);
  man_line(stream, allowed, strlen(allowed));
}

void rf_manual_config(FILE *stream) {
  const char *last = "";
  write_title(stream, "config", "5", "File Formats");
  write_name(stream, "config", "the configuration of a training run");
  (void)fputs(".SH DESCRIPTION\n", stream);
  write_lines(stream, rf_help_keys);
  (void)fputs(".SH KEYS\n", stream);
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    const size_t section = strcspn(key->path, ".") + 1;
    if (strncmp(key->path, last, section) != 0) (void)fprintf(stream, ".SS %.*s\n", (int)section - 1, key->path);
    last = key->path;
    write_key(stream, key);
  }
  (void)fputs(".SH SEE ALSO\n.BR reformer (1),\n.BR reformer\\-train (1)\n", stream);
}
