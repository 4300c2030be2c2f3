"""Damages checkpoints at random and asks the program what it makes of them: damage.sh says how."""

import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys

CONFIG = """model: {vocab_size: 128, d_model: 64, n_layers: 2, n_heads: 2, d_ff: 7000, attention: [local, lsh], dropout: 0.1}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 32}
training: {steps: 6, batch: 4, eval_every: 0, eval_batches: 1}
optimizer: {kind: adam, warmup: 5}
checkpoint: {every: 2, keep: 0, async: false}
output: {log_every: 1}
"""
STEPS = (2, 4, 6)  # the checkpoints of the run
MORE = 8  # steps when it has gone on
BLOCK = 4 << 20  # bytes that have a hash of their own
PATIENCE = 60
NOBODY = 65534
SHARDS = [f"shard-{rank:05d}-of-00004.h5" for rank in range(4)]
FILES = SHARDS + ["manifest.h5", "COMMIT"]
FIGURES = ("loss", "grad_norm", "learning_rate")


def fail(text):
    sys.exit("FAILED: " + text)


def folder_of(run, step):
    return f"{run}/checkpoints/step-{step:08d}"


def call(words, ranks=1, nobody=False):
    """Exit status, and all that was printed."""
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if nobody else []
    try:
        done = subprocess.run(user + launcher + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE)
    except subprocess.TimeoutExpired as hung:
        fail(f"{' '.join(words)}: still running after {PATIENCE} s:\n{(hung.stdout or b'').decode(errors='replace')}")
    return done.returncode, done.stdout.decode(errors="replace")


# --- damages: each changes `path`, a file of the newest checkpoint, and says where: (text, first byte, last byte) -----


def flip(path, dice, other):
    size = os.path.getsize(path)
    at = dice.randrange(size)
    overwrite(path, at, bytes([read(path, at, 1)[0] ^ 1 << dice.randrange(8)]))
    return f"a bit of byte {at} flipped", at, at


def overwrite_some(path, dice, other):
    size = os.path.getsize(path)
    at = dice.randrange(size)
    n = min(1 + dice.randrange(8192), size - at)
    new = bytes([read(path, at, 1)[0] ^ 255]) + dice.randbytes(n - 1)
    overwrite(path, at, new)
    return f"{n} bytes from {at} overwritten", at, at


def zero(path, dice, other):
    """A write that was lost; where there were zeros already, elsewhere."""
    size = os.path.getsize(path)
    while True:
        at = dice.randrange(size)
        n = min(1 + dice.randrange(65536), size - at)
        lost = [i for i, byte in enumerate(read(path, at, n)) if byte != 0]
        if lost:
            overwrite(path, at, bytes(n))
            return f"{n} zeros from byte {at}", at + lost[0], at + lost[0]


def swap_sectors(path, dice, other):
    """A write that went astray."""
    size, n = os.path.getsize(path), 512
    while size >= 2 * n:
        a, b = dice.randrange(size // n) * n, dice.randrange(size // n) * n
        x, y = read(path, a, n), read(path, b, n)
        if x != y:
            overwrite(path, a, y)
            overwrite(path, b, x)
            return f"sectors at {a} and {b} swapped", None, None
    return flip(path, dice, other)


def truncate(path, dice, other):
    size = dice.choice((0, dice.randrange(os.path.getsize(path)), os.path.getsize(path) - 1))
    os.truncate(path, size)
    return f"cut to {size} bytes", None, None


def extend(path, dice, other):
    more = 1 + dice.randrange(5000)
    with open(path, "ab") as file:
        file.write(bytes(more) if dice.random() < 0.5 else dice.randbytes(more))
    return f"{more} bytes longer", None, None


def delete(path, dice, other):
    os.unlink(path)
    return "deleted", None, None


def become_folder(path, dice, other):
    os.unlink(path)
    os.mkdir(path)
    return "a folder", None, None


def become_pipe(path, dice, other):
    os.unlink(path)
    os.mkfifo(path)
    return "a pipe", None, None


def become_link(path, dice, other):
    os.unlink(path)
    target = dice.choice(("nothing", os.path.basename(path), "/dev/zero", "/dev/null"))
    os.symlink(target, path)
    return f"a link to {target}", None, None


def take_others(path, dice, other):
    """The file of the same name of another checkpoint: of another step, or of a run with another seed."""
    with open(path, "rb") as file:
        own = file.read()
    with open(other, "rb") as file:
        new = file.read()
    if own == new:
        return flip(path, dice, other)
    with open(path, "wb") as file:
        file.write(new)
    return f"taken from {other}", None, None


def swap_shards(path, dice, other):
    second = os.path.join(os.path.dirname(path), dice.choice([s for s in SHARDS if s != os.path.basename(path)]))
    os.rename(path, path + ".moved")
    os.rename(second, path)
    os.rename(path + ".moved", second)
    return f"swapped with {os.path.basename(second)}", None, None


FORBIDDEN = "not to be read"


def forbid(path, dice, other):
    """Whole for all that anybody knows: not damaged, and passed over by nobody."""
    os.chmod(path, 0)
    return FORBIDDEN, None, None


def status_of(what):
    return 1 if what == FORBIDDEN else 3


KINDS = [flip, flip, flip, overwrite_some, zero, swap_sectors, truncate, extend, delete, become_folder, become_pipe,
         become_link, take_others, take_others, swap_shards, forbid]


def read(path, at, n):
    with open(path, "rb") as file:
        file.seek(at)
        return file.read(n)


def overwrite(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


# --- what the program must make of it ---------------------------------------------------------------


class Bench:
    def __init__(self, program, dice):
        self.program, self.dice = program, dice
        self.table = collections.Counter()
        self.resumed = self.refused = self.stopped = 0
        self.references = {}
        self.may_be_nobody = os.geteuid() == 0 and shutil.which("setpriv") and call([program, "--version"], nobody=True)[0] == 0
        os.chmod(".", 0o777)
        with open("damage.yaml", "w") as file:
            file.write(CONFIG)
        for run, seed in (("good", 1), ("foreign", 2)):
            words = [program, "train", "damage.yaml", "--run", run, "-s", "mesh.sequence=2", "-s", f"training.seed={seed}"]
            status, text = call(words, ranks=4)
            if status != 0:
                fail(f"the run to be damaged: {status}: {text}")

    def copy(self, name):
        """Checkpoints' files are links to the good ones: whoever damages one makes it its own first."""
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree("good", name, copy_function=os.link)
        for file in os.listdir("good"):  # what a run writes to
            if os.path.isfile("good/" + file):
                os.unlink(f"{name}/{file}")
                shutil.copy("good/" + file, f"{name}/{file}")

    def damage(self, run, step):
        """Returns file, what was done, and the bytes or None."""
        dice = self.dice
        while True:
            kind, file = dice.choice(KINDS), dice.choice(FILES)
            if (kind is swap_shards and file not in SHARDS) or (kind is forbid and not self.may_be_nobody and os.geteuid() == 0):
                continue
            break
        path = f"{folder_of(run, step)}/{file}"
        own = path + ".own"
        shutil.copy(path, own)
        os.rename(own, path)
        if kind is swap_shards:
            pass  # names are exchanged, no byte is written
        others = [folder_of("good", s) for s in STEPS if s != step] + [folder_of("foreign", step)]
        text, first, last = kind(path, dice, f"{dice.choice(others)}/{file}")
        self.table[kind.__name__] += 1
        return file, text, first, last

    def check_verify(self, folder, file, what, first):
        status, text = call([self.program, "verify", folder], nobody=self.as_nobody)
        where = f"{folder}: {file}: {what}"
        if status != status_of(what):
            fail(f"{where}: verify: status {status}: {text}")
        named = file if not (file == "COMMIT" and what.startswith("taken")) else "."
        if named not in text:
            fail(f"{where}: verify does not name it: {text}")
        if first is not None and file != "COMMIT":  # the block, and what lies there
            begin = first // BLOCK * BLOCK
            match = re.search(re.escape(file) + r": bytes (\d+) to (\d+) are damaged \((.+)\)", text)
            if not match or not int(match[1]) <= begin <= first <= int(match[2]):
                fail(f"{where}: verify does not say where: {text}")
            if file == "manifest.h5" and match[3] != "configuration and tables of tensors":
                fail(f"{where}: verify does not say what lies there: {text}")
            if file in SHARDS and not re.search(r"(parameters|optimizer/\w+) of \w", match[3]):
                fail(f"{where}: verify does not say what lies there: {text}")

    def check_eval(self, folder, file, what):
        status, text = call([self.program, "eval", folder], nobody=self.as_nobody)
        if status != status_of(what) or text.count("error: ") != 1:
            fail(f"{folder}: {file}: {what}: eval: status {status}: {text}")

    def train(self, run, ranks):
        words = [self.program, "train", "damage.yaml", "--run", run, "-s", f"mesh.sequence={ranks}", "-s",
                 f"training.steps={MORE}", "-s", "checkpoint.every=0"]
        if self.as_nobody:
            subprocess.run(["chown", "-R", str(NOBODY), run], check=True)
        return call(words, ranks, nobody=self.as_nobody)

    def figures(self, run, after):
        with open(run + "/metrics.jsonl") as file:
            lines = [json.loads(line) for line in file]
        return [(line["step"], *(line[f] for f in FIGURES)) for line in lines if line["step"] > after]

    def reference(self, step, ranks):
        """What comes after the whole checkpoint of that step."""
        if (step, ranks) not in self.references:
            self.copy("reference")
            for newer in [s for s in STEPS if s > step]:
                shutil.rmtree(folder_of("reference", newer))
            nobody, self.as_nobody = self.as_nobody, False
            status, text = self.train("reference", ranks)
            self.as_nobody = nobody
            if status != 0 or f"the state after step {step} is loaded" not in text:
                fail(f"a run that goes on from step {step} on {ranks} ranks: {status}: {text}")
            self.references[step, ranks] = self.figures("reference", step)
        return self.references[step, ranks]

    def check_train(self, newest_whole, damages, ranks):
        """newest_whole: 0: none."""
        status, text = self.train("damaged", ranks)
        told = "; ".join(f"step {s}: {f}: {w}" for s, f, w in damages) + f"; {ranks} ranks"
        for step, _, what in damages:
            if what == FORBIDDEN:
                if status != 1 or f"step-{step:08d}" not in text or text.count("error: ") != 1:
                    fail(f"{told}: train meets one that it may not read: status {status}: {text}")
                self.stopped += 1
                return
            if f"step-{step:08d} cannot be used and is passed over: " not in text:
                fail(f"{told}: train does not tell of step {step}: status {status}: {text}")
        if newest_whole == 0:
            if status != 3 or "none of its 3 checkpoints can be used" not in text or text.count("error: ") != 1:
                fail(f"{told}: train with no checkpoint left: status {status}: {text}")
            self.refused += 1
            return
        if status != 0 or f"the state after step {newest_whole} is loaded" not in text:
            fail(f"{told}: train: status {status}: {text}")
        wanted, found = self.reference(newest_whole, ranks), self.figures("damaged", newest_whole)
        if wanted != found or [f[0] for f in found] != list(range(newest_whole + 1, MORE + 1)):
            fail(f"{told}: train goes on with {found}, from the whole checkpoint with {wanted}")
        self.resumed += 1

    def one(self, resumes):
        self.copy("damaged")
        damages, whole = [], STEPS[-1]
        for step in reversed(STEPS):  # the newest always; older ones too now and then
            file, what, first, _ = self.damage("damaged", step)
            damages.append((step, file, what))
            self.as_nobody = any(w == FORBIDDEN for _, _, w in damages) and os.geteuid() == 0
            self.check_verify(folder_of("damaged", step), file, what, first)
            self.check_eval(folder_of("damaged", step), file, what)
            whole = max((s for s in STEPS if s < step), default=0)
            if self.dice.random() < 0.75:
                break
        if resumes:
            self.check_train(whole, damages, 1 if self.as_nobody else self.dice.choice((1, 2)))
        return len(damages)


def main():
    program, count, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    bench = Bench(program, random.Random(seed))
    bench.as_nobody = False
    done = rounds = 0
    while done < count:
        rounds += 1
        done += bench.one(resumes=rounds % 5 == 0)
    for step in STEPS:  # the originals are as they were
        status, text = call([program, "verify", folder_of("good", step)])
        if status != 0:
            fail(f"the checkpoint that was copied: {text}")
    for kind, n in sorted(bench.table.items()):
        print(f"{kind:16}{n:6}")
    size = sum(os.path.getsize(f"{folder_of('good', STEPS[-1])}/{f}") for f in FILES)
    print(f"seed {seed}: {done} damages of checkpoints of 4 ranks, {size / 1e6:.1f} MB: verify and eval refused every one "
          f"with status 3 (1: not to be read); {bench.stopped} runs stopped at one that they may not read; {bench.resumed} runs went on from the newest whole one, to the bit; {bench.refused} had none left: status 3")


main()
