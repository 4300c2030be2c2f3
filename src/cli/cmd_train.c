#include "cli/commands.h"
#include "cli/train_run.h"

static const rf_option options[] = {
    RF_OPTION_SET,
    {"run", 'r', "DIR", "the run's folder; runs/CONFIG-N, a new one, where it is not given"},
    {"resume", 'R', "auto|never|CHECKPOINT", "auto (as it is without): go on with the run in DIR"},
    RF_OPTIONS_ALWAYS};

const rf_command rf_command_train = {
    .name = "train",
    .operands = {"CONFIG", NULL},
    .summary = "trains the model of a configuration file",
    .description =
        "Trains the model that the YAML file CONFIG describes (reformer help config lists its keys).\n"
        "The run's folder gets config.yaml (as resolved, good for another run), metrics.jsonl (one object\n"
        "a logged step), log.txt and checkpoints/. On a terminal a progress line is redrawn; elsewhere a\n"
        "plain line comes every output.log_every steps.\n"
        "SIGTERM, SIGINT (Ctrl-C), SIGHUP, SIGUSR1, SIGUSR2 or SIGXCPU to any rank, training.max_minutes and\n"
        "the end of a Slurm job end the run after a step, with a checkpoint and exit status 75; a second\n"
        "signal (but SIGHUP and SIGXCPU) ends it at once. The same command line with --run DIR goes on, on\n"
        "any number of ranks, from the newest checkpoint that is whole. Sections model, lsh, local and full\n"
        "are then the checkpoint's. --resume CHECKPOINT begins with the state of another run, of imported\n"
        "weights, or of an older checkpoint of this run; --resume never refuses a folder that holds a run.",
    .options = options,
    .ranks = RF_RANKS_TOGETHER,
    .run = rf_cli_train,
};
