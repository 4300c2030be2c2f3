#include "cli/commands.h"
#include "base/text.h"
#include <string.h>

const rf_command *const rf_commands[] = {&rf_command_train,
                                         &rf_command_eval,
                                         &rf_command_inspect,
                                         &rf_command_verify,
                                         &rf_command_import,
                                         &rf_command_export,
                                         &rf_command_plan,
                                         &rf_command_report,
                                         &rf_command_bench,
                                         &rf_command_help,
                                         NULL};

const rf_command *rf_command_find(const char *name) {
  for (int i = 0; rf_commands[i]; i++) {
    if (strcmp(rf_commands[i]->name, name) == 0) return rf_commands[i];
  }
  return NULL;
}

const char *rf_command_nearest(const char *word) {
  const char *names[sizeof rf_commands / sizeof rf_commands[0]];
  int count = 0;
  for (; rf_commands[count]; count++) names[count] = rf_commands[count]->name;
  return names[rf_text_nearest(word, names, count)];
}
