"""HuggingFace's weights in and out, through the program alone. PROGRAM SOURCE_DIR WORK_DIR

The safetensors files are written and read here by other code than the program's own.
"""
import json
import os
import re
import struct
import subprocess
import sys

import h5py
import numpy as np

program, source, work = sys.argv[1:]
double = "double" in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
tolerance = 1e-9 if double else 1e-5
types = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
checks = failures = 0


def check(fine, *what):
    global checks, failures
    checks += 1
    if not fine:
        failures += 1
        print("FAILED:", *what)


def run(*arguments, status=0, says=()):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    output = done.stdout + done.stderr
    missing = [text for text in says if text not in output]
    check(done.returncode == status and not missing, arguments, "status", done.returncode, "wanted", status, "missing",
          missing, output)
    return output


def path(name):
    return os.path.join(work, name)


def write_safetensors(file, tensors):
    """tensors: name -> (dtype, shape, bytes)"""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    with open(file, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def read_safetensors(file):
    with open(file, "rb") as stream:
        bytes_ = stream.read()
    length = struct.unpack("<Q", bytes_[:8])[0]
    header, data = json.loads(bytes_[8:8 + length]), bytes_[8 + length:]
    header.pop("__metadata__")
    return {name: (t["dtype"], tuple(t["shape"]), data[slice(*t["data_offsets"])]) for name, t in header.items()}


def pack(array, dtype):
    if dtype == "BF16":  # numbers whose lower half is cut off
        return dtype, array.shape, (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return dtype, array.shape, array.astype(types[dtype]).tobytes()


def write_config(file, hf, data="{kind: tokens, path: tokens.bin, length: %d}"):
    axial = hf.get("axial_pos_embds", True)
    positions = (f"{{kind: axial, shape: {hf['axial_pos_shape']}, dims: {hf['axial_pos_embds_dim']}}}" if axial else
                 f"{{kind: learned, shape: [{hf['max_position_embeddings']}]}}")
    with open(file, "w") as out:
        out.write(f"""model:
  vocab_size: {hf['vocab_size']}
  d_model: {hf['hidden_size']}
  n_layers: {len(hf['attn_layers'])}
  n_heads: {hf['num_attention_heads']}
  d_head: {hf['attention_head_size']}
  d_ff: {hf['feed_forward_size']}
  activation: {hf['hidden_act']}
  attention: [{', '.join(hf['attn_layers'])}]
  causal: {'true' if hf['is_decoder'] else 'false'}
  norm_eps: {hf['layer_norm_eps']}
  positions: {positions}
lsh: {{chunk: {hf['lsh_attn_chunk_length']}, n_hashes: {hf['num_hashes']}, n_buckets: {hf['num_buckets']}}}
local: {{chunk: {hf['local_attn_chunk_length']}}}
data: {data % hf['length']}
training: {{steps: 1}}
optimizer: {{warmup: 1}}
""")


def golden(name):
    """A published model in, its logits and loss out."""
    file = os.path.join(source, "tests/golden", name + ".h5")
    config, model, folder, logits = path(name + ".yaml"), path(name + ".safetensors"), path(name), path(name + ".logits")
    with h5py.File(file, "r") as f:
        hf = json.loads(f.attrs["config"])
        weights = {key: value[...] for key, value in f["weights"].items()}
        tokens, wanted, loss = f["input/tokens"][...], f["output/logits"][...], f["output/loss"][()]
    dtype = "F64" if double else "F32"
    write_safetensors(model, {key: pack(value, dtype) for key, value in weights.items()})
    write_config(config, hf)
    tokens.astype("<u2").tofile(path("tokens.bin"))
    run("import", model, config, "-o", folder, says=[f"{len(weights)} tensors"])
    run("verify", folder, says=["whole"])
    run("eval", folder, "--set", f"lsh.rotations={file}", "--data", path("tokens.bin"), "--logits", logits)
    with h5py.File(logits, "r") as f:
        check(f["logits"].dtype == (np.float64 if double else np.float32), name, "dtype")
        found, losses, mean = f["logits"][...], f["token_loss"][...], float(f["loss"][()])
    check(found.shape == wanted.shape and losses.shape == tokens.shape, name, found.shape, losses.shape)
    error = abs(mean - loss) / loss
    check(error <= tolerance, name, "loss", mean, "wanted", loss, "relative error", error)
    # A rounding of float may flip a bucket, which moves some logits and hardly the loss: they are held to it in double.
    distance = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    check(distance <= (1e-9 if double else 1e-3), name, "logits: relative error", distance)
    check(np.isnan(losses[:, -1]).all() == hf["is_decoder"], name, "counted tokens")
    check(abs(np.nanmean(losses.astype("f8")) - mean) < 1e-6, name, "token_loss and loss differ")
    exported = path(name + ".out/model.safetensors")
    os.mkdir(os.path.dirname(exported))
    run("export", folder, "-o", exported)
    check(read_safetensors(exported) == read_safetensors(model), name, "other bytes came out")
    out = json.load(open(os.path.dirname(exported) + "/config.json"))
    for key, value in hf.items():
        if key in ("length", "batch", "kind", "use_cache"):
            continue
        if key.startswith("axial_pos_") and key != "axial_pos_embds" and not hf.get("axial_pos_embds", True):
            continue
        check(out.get(key) == value, name, "config.json:", key, out.get(key), "wanted", value)


def random_model(seed):
    """A state dict of a legal shape, as HuggingFace names and shapes it."""
    r = np.random.default_rng(seed)
    n_axes = 2 if seed % 3 else 3
    shape, dims = [int(r.integers(2, 7)) for _ in range(n_axes)], [int(r.integers(1, 7)) for _ in range(n_axes)]
    d, heads, dh, ff, vocab = sum(dims), int(r.integers(1, 6)), int(r.integers(2, 8)), int(r.integers(3, 30)), 37
    layers = [["lsh", "local"][int(r.integers(2))] for _ in range(int(r.integers(1, 5)))]
    hf = {"vocab_size": vocab, "hidden_size": d, "num_attention_heads": heads, "attention_head_size": dh,
          "feed_forward_size": ff, "hidden_act": ["relu", "gelu"][seed % 2], "attn_layers": layers,
          "is_decoder": bool(seed % 2), "layer_norm_eps": 1e-12, "axial_pos_shape": shape, "axial_pos_embds_dim": dims,
          "lsh_attn_chunk_length": 4, "local_attn_chunk_length": 2, "num_hashes": 2, "num_buckets": 4,
          "length": 4 * (int(np.prod(shape)) // 4)}
    shapes = {"reformer.embeddings.word_embeddings.weight": (vocab, d)}
    for axis in range(n_axes):
        ones = [1] * n_axes
        ones[axis] = shape[axis]
        shapes[f"reformer.embeddings.position_embeddings.weights.{axis}"] = (*ones, dims[axis])
    for i, kind in enumerate(layers):
        at = f"reformer.encoder.layers.{i}."
        for name in ["query_key", "value"] if kind == "lsh" else ["query", "key", "value"]:
            shapes[at + f"attention.self_attention.{name}.weight"] = (heads * dh, d)
        shapes[at + "attention.output.dense.weight"] = (d, heads * dh)
        for part in ["attention", "feed_forward"]:
            shapes[at + part + ".layer_norm.weight"] = shapes[at + part + ".layer_norm.bias"] = (d,)
        shapes[at + "feed_forward.dense.dense.weight"], shapes[at + "feed_forward.dense.dense.bias"] = (ff, d), (ff,)
        shapes[at + "feed_forward.output.dense.weight"], shapes[at + "feed_forward.output.dense.bias"] = (d, ff), (d,)
    shapes["reformer.encoder.layer_norm.weight"] = shapes["reformer.encoder.layer_norm.bias"] = (2 * d,)
    shapes["lm_head.decoder.weight"], shapes["lm_head.bias"] = (vocab, 2 * d), (vocab,)
    return hf, {name: r.normal(size=size) for name, size in shapes.items()}


def without(tensors, name):
    return {key: value for key, value in tensors.items() if key != name}


def survives(seed):
    """Any legal shape, every type that the build holds, goes in and comes out the same."""
    hf, weights = random_model(seed)
    config = path(f"random-{seed}.yaml")
    write_config(config, hf, "{kind: tokens, path: none, length: %d}")
    for dtype in ["F64", "F32", "F16", "BF16"] if double else ["F32", "F16", "BF16"]:
        name = f"random-{seed}-{dtype}"
        tensors = {key: pack(value, dtype) for key, value in weights.items()}
        extra = dict(tensors)  # what real files carry along
        extra["reformer.encoder.layers.0.attention.self_attention.mask_value_float32"] = pack(np.array(-1e9), "F32")
        extra["lm_head.decoder.bias"] = tensors["lm_head.bias"]
        write_safetensors(path(name), extra)
        run("import", path(name), config, "-o", path(name + "-c"), says=["(2 others hold none)"])
        os.mkdir(path(name + "-out"))
        run("export", path(name + "-c"), "-o", path(name + "-out/m"), "--dtype", dtype.lower())
        check(read_safetensors(path(name + "-out/m")) == tensors, name, hf, "other bytes came out")


def refused():
    """What does not fit is refused with exit status 3 and the tensor's name, and leaves nothing behind."""
    hf, weights = random_model(1)
    config, file, folder = path("refused.yaml"), path("refused.safetensors"), path("refused")
    write_config(config, hf, "{kind: tokens, path: none, length: %d}")
    good = {key: pack(value, "F32") for key, value in weights.items()}
    bias, word = "lm_head.bias", "reformer.embeddings.word_embeddings.weight"
    nan = np.array(weights[bias])
    nan[3] = np.nan
    cases = [({**good, "surplus.weight": pack(np.zeros(2), "F32")}, ["surplus.weight"]),
             ({**good, bias: pack(np.zeros(36), "F32")}, [bias, "[36]", "[37]"]),
             ({**good, word: pack(weights[word].T, "F32")}, [word]),
             ({**good, bias: pack(nan, "F32")}, [bias, "value 3"]),
             ({**good, bias: ("I32", (37,), bytes(148))}, [bias, "no real numbers"]),
             ({**good, "lm_head.decoder.bias": pack(np.zeros(37), "F32")}, ["lm_head.decoder.bias"])]
    cases += [(without(good, name), [name, "missing"]) for name in list(good)[::5]]
    for tensors, says in cases:
        write_safetensors(file, tensors)
        run("import", file, config, "-o", folder, status=3, says=says)
        check(not os.path.exists(folder), "a refused import left a checkpoint behind")
    renamed = {**without(good, bias), "lm_head.decoder.bias": good[bias]}  # the bias under its other name alone
    write_safetensors(file, renamed)
    run("import", file, config, "-o", folder)
    run("import", file, config, "-o", folder, status=2, says=["exists already"])
    run("import", file, config, status=2, says=["-o CHECKPOINT is missing"])
    run("import", path("none"), config, "-o", path("c"), status=3, says=["none"])
    run("import", file, config, "-o", path("c"), "-s", "model.attention=full", status=2, says=["lsh, local"])
    run("train", config, status=2 if not hf["is_decoder"] else 3)
    run("eval", folder, "--set", "model.d_ff=999", "--set", "data.kind=duplicate", "--set", "model.vocab_size=200",
        status=3, says=["embedding.token.weight", "found shape"])
    run("eval", path("none"), status=3, says=["no checkpoint"])
    run("eval", folder, "--set", "model.d_fff=1", status=2, says=["model.d_ff"])
    run("export", folder, "-o", file, status=2, says=["--force"])
    run("export", folder, "-o", file, "--dtype", "f8", status=2, says=["f64, f32, f16, bf16"])
    large = {**good, bias: pack(np.full(37, 1e5), "F32")}
    write_safetensors(file, large)
    run("import", file, config, "-o", path("large"))
    run("export", path("large"), "-o", path("large.st"), "--dtype", "f16", status=3, says=[bias, "F16"])
    check(not os.path.exists(path("large.st")), "a failed export left a file behind")


def named():
    """Words in front of all names are cut off; names that are only nearly right are told, with the nearest."""
    hf, weights = random_model(1)
    config, file, plain = path("named.yaml"), path("named.safetensors"), path("named-plain")
    write_config(config, hf, "{kind: tokens, path: none, length: %d}")
    good = {key: pack(value, "F32") for key, value in weights.items()}
    write_safetensors(file, good)
    run("import", file, config, "-o", plain)
    run("export", plain, "-o", path("plain.st"), "--dtype", "f32")
    for i, prefix in enumerate(["module.", "model.", "module._orig_mod."]):
        write_safetensors(file, {prefix + key: value for key, value in good.items()})
        run("import", file, config, "-o", path(f"named-{i}"), says=[f"every name began with '{prefix}', which was cut"])
        run("export", path(f"named-{i}"), "-o", path("named.st"), "--dtype", "f32", "--force")
        found = read_safetensors(path("named.st"))
        check(found == good == read_safetensors(path("plain.st")), prefix, "other bytes came out")
    two = {**{"student." + key: value for key, value in good.items()}, "lm_head.bias": good["lm_head.bias"]}
    bare = {key.removeprefix("reformer."): value for key, value in good.items() if key.startswith("reformer.")}
    layer = "reformer.encoder.layers.0.attention.output.dense.weight"
    renamed = {**without(good, layer), layer.replace("output.dense", "output.dens"): good[layer]}
    for tensors, says in [(two, ["tensor lm_head.bias: its name does not begin with 'student.'"]),
                          (bare, [f"is missing, and so are {len(good) - 1} more of {len(good)}", "has no head"]),
                          (renamed, [f"tensor {layer} is missing; the", "nearest name there is", "output.dens.weight"]),
                          (without(good, layer), [f"tensor {layer} is missing; the configuration asks for it ("])]:
        write_safetensors(file, tensors)
        run("import", file, config, "-o", path("never"), status=3, says=says)
    write_safetensors(file, good)
    run("import", config, file, "-o", path("never"), status=2, says=["is a safetensors file", "MODEL.safetensors CONFIG"])
    with open(file, "r+b") as out:  # a download that broke off
        out.truncate(os.path.getsize(file) - 100)
    run("import", file, config, "-o", path("never"), status=3, says=["lie outside the file", "cut short"])
    check(not os.path.exists(path("never")), "a refused import left a checkpoint behind")


def reader():
    """The few lines of docs/checkpoint.md read what the program wrote, from any folder."""
    text = open(os.path.join(source, "docs/checkpoint.md")).read()
    code = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    check(len(code.strip().splitlines()) < 10, "the reader has ten lines or more")
    done = subprocess.run([sys.executable, "-c", code, path("model_mixed")], capture_output=True, text=True, cwd="/")
    check(done.returncode == 0 and "embedding.token.weight (64, 48)" in done.stdout and "step 0" in done.stdout, "reader",
          done.stdout, done.stderr)
    with h5py.File(path("model_mixed/manifest.h5"), "r") as f, \
            h5py.File(os.path.join(source, "tests/golden/model_mixed.h5"), "r") as g:
        ours = f["parameters/layers.1.attention.query_key.weight"][...]
        theirs = g["weights/reformer.encoder.layers.1.attention.self_attention.query_key.weight"][...]
        check((ours == theirs.astype(ours.dtype)).all(), "reader: other numbers")
        n_tensors = len(g["weights"])
    os.rename(path("model_mixed/shard-00000-of-00001.h5"), path("gone"))
    with h5py.File(path("model_mixed/manifest.h5"), "r") as f:
        check(np.isnan(f["parameters/head.bias"][...]).all(), "a missing shard is not seen in the numbers")
    run("verify", path("model_mixed"), status=3, says=["shard-00000-of-00001.h5"])
    run("inspect", path("model_mixed"), status=3, says=["shard-00000-of-00001.h5"])
    os.rename(path("gone"), path("model_mixed/shard-00000-of-00001.h5"))
    shown = json.loads(subprocess.run([program, "inspect", path("model_mixed"), "--json"], capture_output=True).stdout)
    check(shown["step"] == 0 and shown["holds"] == ["parameters"] and len(shown["tensors"]) == n_tensors, "inspect", shown)


os.chdir(work)
for golden_name in ["model_lsh", "model_mixed", "model_masked_lm", "model_gelu_learned_pos"]:
    golden(golden_name)
for some_seed in range(3):
    survives(some_seed)
refused()
named()
reader()
print(checks, "checks,", failures, "failed")
sys.exit(failures > 0)
