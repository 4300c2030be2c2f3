/* Sub-commands and their options: one table a command, from which the command line is read and the help is written. */
#ifndef RF_CLI_OPTIONS_H
#define RF_CLI_OPTIONS_H

#include "comm/mesh.h"
#include "reformer/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RF_MAX_OPTIONS = 16, RF_MAX_OPERANDS = 16, RF_MAX_SETS = 256 };

typedef struct rf_option {
  const char *name;     /* without the dashes; NULL ends a table */
  char letter;          /* 0: none */
  const char *argument; /* "DIR", or what may be given: "auto|never|CHECKPOINT"; NULL: a flag */
  const char *help;
} rf_option;

typedef struct rf_arguments rf_arguments;

/* What a command does where a launcher started several copies of the program. */
typedef enum rf_command_ranks {
  RF_RANKS_ALIKE,    /* each does the same, and one speaks */
  RF_RANKS_ONE,      /* they are refused */
  RF_RANKS_TOGETHER, /* they are the ranks of one run, as one copy is: MPI is started */
} rf_command_ranks;

typedef struct rf_command {
  const char *name;
  const char *operands[RF_MAX_OPERANDS + 1]; /* names, NULL at the end; all must be given, but those in
                                                [brackets]; the last takes all that follow where it ends in ... */
  const char *(*choice)(int number);         /* what the first may be, from 0 up to a NULL; NULL: it is a path */
  const char *summary;                       /* one line */
  const char *description;
  const rf_option *options;
  rf_command_ranks ranks;
  rf_status (*run)(const rf_arguments *arguments);
} rf_command;

/* A parsed command line; what it points to is argv. */
struct rf_arguments {
  const rf_command *command;
  const char *operand[RF_MAX_OPERANDS]; /* NULL: not given */
  const char *value[RF_MAX_OPTIONS];    /* in the order of the command's options; NULL: not given, "": a given flag */
  const char *sets[RF_MAX_SETS];        /* of --set, in order */
  int n_sets;
  rf_mesh *mesh; /* lent: the ranks that were started, the same command line on all */
};

/* Every command with a CONFIG takes these. */
#define RF_OPTION_SET                                                                                                  \
  { "set", 's', "KEY.PATH=VALUE", "change a value of the configuration; may be given many times" }
#define RF_OPTIONS_ALWAYS                                                                                              \
  {"verbose", 'v', NULL, "name the rank on every line, and where in the program an error came from"},                  \
      {"help", 'h', NULL, "show this and end"}, {                                                                      \
    NULL, 0, NULL, NULL                                                                                                \
  }

/* argv[0] is the command's name. RF_BAD_CONFIG: unknown option (with the nearest known one), missing or surplus
 * argument, none of the command's choices. With --help nothing is missing. */
rf_status rf_arguments_parse(const rf_command *command, int argc, char **argv, rf_arguments *arguments);

/* An option's argument; NULL: not given. The name must be in the command's table. */
const char *rf_arguments_value(const rf_arguments *arguments, const char *option);

/* An option's argument as a number; `otherwise` where it is not given. */
rf_status rf_arguments_int(const rf_arguments *arguments, const char *option, int64_t low, int64_t high,
                           int64_t otherwise, int64_t *value);

#endif
