#include "base/log.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/manual.h"
#include <string.h>

static void write_manual(const rf_command *command, bool config) {
  if (config)
    rf_manual_config(stdout);
  else if (command)
    rf_manual_command(stdout, command);
  else
    rf_manual_program(stdout, rf_commands);
}

/* What one form of the help cannot do must not go unsaid. */
static rf_status check_form(const rf_arguments *arguments, bool config) {
  const char *topic = arguments->operand[0];
  const bool markdown = rf_arguments_value(arguments, "markdown"), man = rf_arguments_value(arguments, "man");
  if (rf_arguments_value(arguments, "completion") && (topic || markdown || man))
    return rf_fail(RF_BAD_CONFIG, "--completion: found '%.64s' beside it; allowed: nothing, as one script knows all",
                   topic      ? topic
                   : markdown ? "--markdown"
                              : "--man");
  if (markdown && man) return rf_fail(RF_BAD_CONFIG, "--markdown: found --man beside it; allowed: one of the two");
  if (markdown && !config)
    return rf_fail(RF_BAD_CONFIG, "--markdown: found %s%.64s; allowed: reformer help config --markdown",
                   topic ? "the topic " : "no topic", topic ? topic : "");
  return RF_OK;
}

static rf_status run_help(const rf_arguments *arguments) {
  const char *topic = arguments->operand[0];
  const rf_command *command = topic ? rf_command_find(topic) : NULL;
  bool config = topic && strcmp(topic, "config") == 0;
  if (topic && !command && !config) {
    return rf_fail(RF_BAD_CONFIG, "no help on '%.64s'; allowed: config or a command (the nearest is %s)", topic,
                   rf_command_nearest(topic));
  }
  RF_TRY(check_form(arguments, config));
  if (!rf_log_speaks()) return RF_OK;
  if (rf_arguments_value(arguments, "completion"))
    rf_completion_write(stdout, rf_commands);
  else if (rf_arguments_value(arguments, "man"))
    write_manual(command, config);
  else if (config)
    rf_help_config(stdout, rf_arguments_value(arguments, "markdown") != NULL);
  else if (command)
    rf_help_command(stdout, command);
  else
    rf_help_program(stdout, rf_commands);
  return RF_OK;
}

static const rf_option options[] = {{"markdown", 0, NULL, "config: as a Markdown table"},
                                    {"man", 0, NULL, "as a page of the manual, for man -l -"},
                                    {"completion", 0, NULL, "instead, a script that completes command lines in bash"},
                                    RF_OPTIONS_ALWAYS};

const rf_command rf_command_help = {
    .name = "help",
    .operands = {"[TOPIC]", NULL},
    .summary = "tells about a command, or about every configuration key",
    .description = "Tells about TOPIC: a command, or config for every configuration key with its default and what is\n"
                   "allowed. Without a topic: about the program.",
    .options = options,
    .run = run_help,
};
