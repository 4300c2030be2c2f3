#include "cli/command_line.h"
#include "comm/launch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word, in quotes where a shell would take it for anything else than itself. */
static void write_word(FILE *stream, const char *word) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
    (void)fputs(word, stream);
    return;
  }
  (void)fputc('\'', stream);
  for (; *word != '\0'; word++) {
    if (*word == '\'')
      (void)fputs("'\\''", stream);
    else
      (void)fputc(*word, stream);
  }
  (void)fputc('\'', stream);
}

static void write_next(FILE *stream, const char *word) {
  (void)fputc(' ', stream);
  write_word(stream, word);
}

/* In front of the program: what starts several ranks. */
static void write_launcher(FILE *stream, int ranks) {
  if (ranks == 1) return;
  const rf_launch launch = rf_launch_read();
  const bool srun = launch.variable && strncmp(launch.variable, "SLURM", 5) == 0;
  (void)fprintf(stream, "%s -n %d ", srun ? "srun" : "mpirun", ranks);
}

rf_status rf_command_line(const rf_arguments *arguments, const char *folder, int ranks, char **text) {
  size_t size;
  FILE *stream = open_memstream(text, &size);
  if (!stream) return rf_fail(RF_FAILED, "out of memory while writing a command line");
  write_launcher(stream, ranks);
  write_word(stream, program_invocation_name);
  write_next(stream, arguments->command->name);
  for (int i = 0; arguments->operand[i]; i++) write_next(stream, arguments->operand[i]);
  for (int i = 0; i < arguments->n_sets; i++) {
    write_next(stream, "--set");
    write_next(stream, arguments->sets[i]);
  }
  write_next(stream, "--run");
  write_next(stream, folder);
  if (fclose(stream) != 0) return rf_fail(RF_FAILED, "out of memory while writing a command line");
  return RF_OK;
}
