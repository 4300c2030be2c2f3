"""Kills a run at random times until it is done, and compares it with one that was never killed: kill.sh says how.

After each kill nothing may be left running, the newest checkpoint must be whole, and the same command line must go on
from exactly that one. At the end every logged figure and every number of the final state must be the same to the bit.
"""

import collections
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

CONFIG = """model: {vocab_size: 128, d_model: 64, n_layers: 2, n_heads: 2, d_ff: 1536, attention: [local, lsh], dropout: 0.1}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 32}
training: {steps: %(steps)d, batch: 4, accumulate: 2, eval_every: 10, eval_batches: 1}
optimizer: {kind: adam, warmup: 5, weight_decay: 0.01}
checkpoint: {every: %(every)d, keep: %(keep)d}
output: {log_every: 1}
"""
STEPS, EVERY, KEEP = 32, 4, 3
FIGURES = ("loss", "grad_norm", "learning_rate", "eval_loss")
NUMBERS = 65536  # byte of a shard where they begin; before them are HDF5's own tables
PATIENCE = 60  # seconds after which something hangs

VICTIMS = ("one rank", "all ranks", "launcher and all ranks")


def fail(text):
    sys.exit("FAILED: " + text)


class Run:
    """A run's folder, and the command line that starts it and goes on with it."""

    def __init__(self, program, ranks, folder, sets=()):
        self.program, self.ranks, self.folder = program, ranks, folder
        launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
        self.command = launcher + [program, "train", "kill.yaml", "--run", folder, "-s", f"mesh.sequence={ranks}"]
        self.command += [word for s in sets for word in ("-s", s)]
        self.out = folder + ".out"

    def start(self):
        with open(self.out, "w") as out:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def rank_ids(self):
        """Processes of the program that work on this folder."""
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0] == self.program.encode() and self.folder.encode() in words:
                found.append(int(path.split("/")[2]))
        return sorted(found)

    def wait(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop()
            fail(f"{self.folder}: still running after {PATIENCE} s:\n{self.text()}")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for rank in self.rank_ids():
            kill(rank)
        self.process.wait()

    def wait_until_nothing_is_left(self):
        self.wait()
        until = time.monotonic() + PATIENCE
        while self.rank_ids():
            if time.monotonic() > until:
                fail(f"{self.folder}: processes {self.rank_ids()} live on after a kill")
            time.sleep(0.01)

    def text(self):
        with open(self.out) as file:
            return file.read()

    def names(self, ending=""):
        try:
            names = os.listdir(self.folder + "/checkpoints")
        except FileNotFoundError:
            return []
        return sorted(n for n in names if re.fullmatch(r"step-\d{8}" + ending, n))

    def newest(self):
        """Step of the newest committed checkpoint; 0: none."""
        names = self.names()
        return int(names[-1][5:]) if names else 0

    def lines(self):
        """What is in metrics.jsonl; a line that was torn is none."""
        try:
            with open(self.folder + "/metrics.jsonl") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def last_step(self):
        return max((line["step"] for line in self.lines()), default=0)


def kill(process):
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def check_success(run):
    status = run.wait()
    if status != 0:
        fail(f"{run.folder}: exit status {status}:\n{run.text()}")


def check_same(reference, run):
    """Every figure and every number, to the bit; each step once."""
    wanted, found = reference.lines(), run.lines()
    if [line["step"] for line in found] != list(range(1, STEPS + 1)):
        fail(f"{run.folder}: steps {[line['step'] for line in found]}")
    for a, b in zip(wanted, found):
        for figure in FIGURES:
            if a.get(figure) != b.get(figure):
                fail(f"{run.folder}: step {a['step']}: {figure} {b.get(figure)!r}, never killed {a.get(figure)!r}")
    last = f"/checkpoints/step-{STEPS:08d}/"
    shards = sorted(os.path.basename(p) for p in glob.glob(reference.folder + last + "shard-*"))
    if len(shards) != run.ranks:
        fail(f"{reference.folder}: {len(shards)} shards")
    for shard in shards:
        with open(reference.folder + last + shard, "rb") as a, open(run.folder + last + shard, "rb") as b:
            if a.read()[NUMBERS:] != b.read()[NUMBERS:]:
                fail(f"{run.folder}: {shard}: other numbers than in the run that was never killed")


class Killer:
    """Starts, kills, checks, goes on."""

    def __init__(self, program, ranks, dice):
        self.program, self.ranks, self.dice = program, ranks, dice
        self.table = collections.defaultdict(lambda: [0, 0, 0])  # (victims, moment): kills, most lost, most in a write
        self.runs = self.in_write = 0

    def begin(self):
        """Every fourth run waits for its checkpoints."""
        self.runs += 1
        sets = ["checkpoint.async=false"] if self.runs % 4 == 0 else []
        self.run = Run(self.program, self.ranks, f"run{self.runs}-{self.ranks}", sets)
        self.resumed = None

    def await_moment(self, seconds):
        """True: the run was still there at the moment that was drawn."""
        run, dice = self.run, self.dice
        if dice.random() < 0.5:  # in a write: of the first checkpoint that comes, or of a later one
            skip, seen = dice.randrange(4), set()
            while run.process.poll() is None:
                seen.update(run.names(r"\.tmp-.*"))
                if len(seen) > skip:
                    time.sleep(dice.random() * dice.choice((0.002, 0.02)))
                    break
                time.sleep(0.0005)
        else:
            until = time.monotonic() + dice.random() * seconds
            while run.process.poll() is None and time.monotonic() < until:
                time.sleep(0.001)
        return run.process.poll() is None

    def strike(self):
        """SIGKILL; returns whom it was sent."""
        run, dice = self.run, self.dice
        victims = dice.choice(VICTIMS)
        ranks = run.rank_ids()
        if run.ranks == 1:
            victims = "one rank"
        if victims == "launcher and all ranks":
            os.killpg(run.process.pid, signal.SIGSTOP)  # at one moment
            run.stop()
        elif victims == "all ranks" or not ranks:
            for rank in ranks or [run.process.pid]:
                kill(rank)
        else:
            kill(dice.choice(ranks))
        run.wait_until_nothing_is_left()
        return victims

    def least_after(self, last, begun, writing):
        """The newest checkpoint that must be whole after step `last`: one is begun when the one before it is done."""
        if last > begun:
            return begun - EVERY if writing else begun
        before = f"step-{begun - EVERY:08d}.tmp-"  # at the very step at which the next is due, it may be under way still
        return begun - 2 * EVERY if any(name.startswith(before) for name in writing) else begun - EVERY

    def check_after_kill(self, victims):
        """A run that was done when it was struck has left a whole checkpoint too."""
        run = self.run
        newest, last = run.newest(), run.last_step()
        writing = run.names(r"\.tmp-.*")
        if newest > 0:
            verified = subprocess.run([run.program, "verify", f"{run.folder}/checkpoints/step-{newest:08d}"],
                                      capture_output=True, text=True, timeout=PATIENCE)
            if verified.returncode != 0:
                fail(f"{run.folder}: verify of step {newest}: {verified.returncode}: {verified.stdout}{verified.stderr}")
        begun = last // EVERY * EVERY  # the newest checkpoint that can have been begun
        least = self.least_after(last, begun, writing)
        if newest < least:
            fail(f"{run.folder}: killed after step {last}, newest checkpoint {newest}; expected {least} at least; being "
                 f"written: {writing}")
        lost = last - newest
        moment = "in a write" if writing else "start or load" if last == (self.resumed or 0) else "in other steps"
        row = self.table[victims, moment]
        row[0] += 1
        row[1] = max(row[1], lost)
        row[2] = max(row[2], last - begun if writing else 0)
        return newest

    def check_resumed(self, newest):
        """By what the run that goes on has said."""
        text = self.run.text()
        loaded = re.search(r"step-(\d+): the state after step (\d+) is loaded", text)
        if newest > 0 and not (loaded and int(loaded[2]) == newest) and "parameters; " in text:
            fail(f"{self.run.folder}: does not go on from step {newest}:\n{text}")
        if newest == 0 and loaded:
            fail(f"{self.run.folder}: goes on from {loaded[0]}, which was not there:\n{text}")

    def finish(self, reference):
        run = self.run
        check_success(run)
        check_same(reference, run)
        left = [n for n in os.listdir(run.folder + "/checkpoints") if not re.fullmatch(r"step-\d{8}", n)]
        older = set(run.names()[:-KEEP]) - {f"step-{self.resumed or 0:08d}"}  # resumed from: stays
        if left or len(older) > 1 or os.path.exists(run.folder + "/lock"):  # the best one stays, too
            fail(f"{run.folder}: left behind: {os.listdir(run.folder)} {os.listdir(run.folder + '/checkpoints')}")
        shutil.rmtree(run.folder)

    def go(self, kills, reference, seconds):
        done = 0
        while done < kills:
            self.begin()
            newest = None
            while True:
                self.run.start()
                struck = done < kills and self.await_moment(seconds)
                if not struck:
                    self.run.wait()
                else:
                    victims = self.strike()
                if newest is not None:
                    self.check_resumed(newest)
                if not struck:
                    break
                newest = self.check_after_kill(victims)
                self.resumed = newest
                done += 1
            self.finish(reference)
        return done


def main():
    program, kills, ranks, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    with open("kill.yaml", "w") as file:
        file.write(CONFIG % {"steps": STEPS, "every": EVERY, "keep": KEEP})
    reference = Run(program, ranks, f"never-killed-{ranks}")
    began = time.monotonic()
    reference.start()
    check_success(reference)
    seconds = time.monotonic() - began
    size = sum(os.path.getsize(p) for p in glob.glob(f"{reference.folder}/checkpoints/step-{STEPS:08d}/*"))
    writes = [line["checkpoint_write_seconds"] for line in reference.lines() if "checkpoint_write_seconds" in line]
    print(f"ranks {ranks}, seed {seed}: {STEPS} steps, a checkpoint of {size / 1e6:.1f} MB every {EVERY} steps, written in "
          f"{1e3 * sorted(writes)[len(writes) // 2]:.0f} ms (median); never killed {seconds:.1f} s")
    killer = Killer(program, ranks, random.Random(seed))
    done = killer.go(kills, reference, seconds)
    print(f"{'killed':24}{'moment':16}{'kills':>8}{'steps lost, most':>20}{'run during a write':>20}")
    for (victims, moment), (n, lost, during) in sorted(killer.table.items()):
        print(f"{victims:24}{moment:16}{n:8}{lost:20}{during:20}")
    rows = killer.table.values()
    print(f"{done} kills in {killer.runs} runs; steps lost: at most {max(r[1] for r in rows)} of an interval of {EVERY}; "
          f"steps run during a write: at most {max(r[2] for r in rows)}; all figures and numbers equal to the bit")


main()
