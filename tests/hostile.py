# ruff: noqa: ARG005  (entries of one table take the same arguments)
"""About a hundred changes of a model's folder that try to run code or to exhaust memory.

Each entry changes a valid model in place. After changes of `WEIGHTS` and `GRAPHS`, tests write a
manifest that fits the changed files, so that the hashes are right and only the content is wrong.
"""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from digits.inference.model_manifest import MANIFEST
from digits.project import hashing

# Callables that real malicious pickles use, with arguments that create the canary file.
CALLS = {
    "os system": lambda canary: (f"touch {canary}",),
    "subprocess Popen": lambda canary: (["touch", str(canary)],),
    "subprocess getoutput": lambda canary: (f"touch {canary}",),
    "os mkdir": lambda canary: (str(canary),),
    "pty spawn": lambda canary: (["touch", str(canary)],),
    "builtins exec": lambda canary: (f"open({str(canary)!r}, 'w')",),
    "builtins open": lambda canary: (str(canary), "w"),
    "logging FileHandler": lambda canary: (str(canary),),
    "timeit timeit": lambda canary: (f"open({str(canary)!r}, 'w')",),
    "torch save": lambda canary: ([1.0], str(canary)),
    "importlib import_module": lambda canary: ("antigravity",),
}


def pickled(name, canary, how="GLOBAL"):
    """Return a pickle that calls `name` when it is loaded, by the opcodes `how`."""
    arguments = pickle.dumps(CALLS[name](canary), protocol=2)[2:-1]
    module, function = name.split(" ")
    names = [b"X" + struct.pack("<I", len(part)) + part.encode() for part in (module, function)]
    function_opcode = f"c{module}\n{function}\n".encode()
    pickles = {
        "GLOBAL": function_opcode + arguments + b"R",
        "STACK_GLOBAL": b"".join(names) + b"\x93" + arguments + b"R",
        "MEMO": function_opcode + b"q\xc8" + arguments + b"q\xc90h\xc8h\xc9R",
        "NESTED": b"}X\x07\0\0\0weights" + function_opcode + arguments + b"Rs",
    }
    return b"\x80\x02" + pickles[how] + b"."


def archived(members):
    """Return a zip archive of pairs of name and bytes, as `torch.save` writes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _members(folder):
    """Return names and bytes of the members of a model's weights."""
    with zipfile.ZipFile(folder / "weights.pt") as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _weights(content):
    """Return a change that replaces weights.pt by `content(folder, canary)`."""

    def change(folder, canary):
        (folder / "weights.pt").write_bytes(content(folder, canary))

    return change


def _pickle(name, how):
    """Return a change that replaces the pickle in the weights by one that calls `name`."""
    return _weights(
        lambda folder, canary: archived(
            [
                (n, pickled(name, canary, how) if n == "archive/data.pkl" else c)
                for n, c in _members(folder)
            ]
        )
    )


def _evil(canary):
    """Return a pickle that creates the canary file."""
    return pickled("os system", canary)


def _saved(save, *what, **how):
    """Return the bytes that one of torch's functions writes."""
    buffer = io.BytesIO()
    save(*what, buffer, **how)
    return buffer.getvalue()


def _legacy(folder, canary):
    """Return weights in the format of old torch: pickles without an archive."""
    weights = {"weights": torch.zeros(2)}
    return _saved(torch.save, weights, _use_new_zipfile_serialization=False) + _evil(canary)


ZIPS = {
    "a bare pickle": lambda f, c: _evil(c),
    "nothing": lambda f, c: b"",
    "text": lambda f, c: b"import os; os.system('touch canary')\n",
    "torch's old format": _legacy,
    "a pickled module": lambda f, c: _saved(torch.save, torch.nn.Linear(2, 2)),
    "a TorchScript archive": lambda f, c: _saved(torch.jit.save, torch.jit.script(torch.nn.ReLU())),
    "another root": lambda f, c: archived([("other/data.pkl", _evil(c))]),
    "no root": lambda f, c: archived([("data.pkl", _evil(c))]),
    "two pickles": lambda f, c: archived([*_members(f), ("archive/data.pkl", _evil(c))]),
    "two pickles, evil first": lambda f, c: archived(
        [("archive/data.pkl", _evil(c)), *_members(f)]
    ),
    "a pickle before it": lambda f, c: _evil(c) + (f / "weights.pt").read_bytes(),
    "a pickle after it": lambda f, c: (f / "weights.pt").read_bytes() + _evil(c),
    "an archive before it": lambda f, c: (
        archived([("archive/data.pkl", _evil(c))]) + (f / "weights.pt").read_bytes()
    ),
    "an archive after it": lambda f, c: (
        (f / "weights.pt").read_bytes() + archived([("archive/data.pkl", _evil(c))])
    ),
    "a second pickle in its pickle": lambda f, c: archived(
        [(n, b + _evil(c) if n == "archive/data.pkl" else b) for n, b in _members(f)]
    ),
}


def _graph(build):
    """Return a change of model.onnx by `build(model)`, which may return bytes in its place."""

    def change(folder, canary):
        path = folder / "model.onnx"
        model = onnx.load_model(path, load_external_data=False)
        content = build(model)
        path.write_bytes(content if isinstance(content, bytes) else model.SerializeToString())

    return change


def _outside(tensor, location, **more):
    """Declare that the values of a tensor are in another file."""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": location} | more).items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _external(location, **more):
    """Return a build that moves the values of the first weight to another file."""

    def build(model):
        model.graph.initializer[0].ClearField("raw_data")
        _outside(model.graph.initializer[0], location, **more)

    return build


def _far():
    """Return a tensor whose values are in another file."""
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[2])
    return _outside(tensor, "../../../../etc/passwd")


def _node(operator, domain="", **attributes):
    """Return a build that adds a node whose output is not used."""

    def build(model):
        value = numpy_helper.from_array(np.array([1 << 40], np.int64), "huge")
        model.graph.initializer.append(value)
        node = helper.make_node(operator, ["huge"], ["unused"], domain=domain, **attributes)
        model.graph.node.append(node)

    return build


def _subgraph(model):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["far"], ["inner"])],
        "inner",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2])],
        [_far()],
    )
    _node("If", then_branch=inner, else_branch=inner)(model)


def _function(model):
    node = helper.make_node("Constant", [], ["y"], value=_far())
    opset = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("evil", "f", [], ["y"], [node], opset))


def _sparse(model):
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_far())
    sparse.dims.append(1 << 40)


def _training(model):
    model.training_info.add().initialization.initializer.append(_far())


def _dims(dims):
    def build(model):
        tensor = model.graph.initializer[0]
        del tensor.dims[:]
        tensor.dims.extend(dims)

    return build


def _pads(model):
    """Make the first padding a trillion wide."""
    pads = model.graph.node[[n.op_type for n in model.graph.node].index("Pad")].input[1]
    tensor = next(t for t in model.graph.initializer if t.name == pads)
    wide = numpy_helper.to_array(tensor).copy()
    wide[-1] = 10**12
    tensor.CopyFrom(numpy_helper.from_array(wide, pads))


def _outer(model):
    """Subtract a row from a column: 2 x 256 kB become 16 GB."""
    for name, shape in (("column", [1 << 16, 1]), ("row", [1, 1 << 16])):
        zeros = np.zeros(shape, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(zeros, name))
    model.graph.node.append(helper.make_node("Sub", ["column", "row"], ["unused"]))


def _many(model):
    for i in range(10_001):
        before = f"step{i - 1}" if i else "logits"
        model.graph.node.append(helper.make_node("Relu", [before], [f"step{i}"]))


_BUILT = {
    "numbers in a parent folder": _external("../weights.bin"),
    "numbers in /etc": _external("/etc/passwd"),
    "numbers far up": _external("../../../../../../etc/passwd"),
    "numbers in the weights": _external("weights.pt", offset=64, length=64),
    "numbers in a device": _external("/dev/zero", length=1 << 40),
    "numbers in memory": _external("*/_ORT_MEM_ADDR_/*", offset=4096, length=64),
    "numbers at an address": _external("http://127.0.0.1:9/weights"),
    "numbers behind a dot": _external("./../weights.bin"),
    "numbers without a place": _external(""),
    "numbers in a constant": _node("Constant", value=_far()),
    "numbers in a subgraph": _subgraph,
    "numbers in a function": _function,
    "numbers of sparse weights": _sparse,
    "numbers of a training": _training,
    "an operator of somebody": _node("Evil", "ai.somebody"),
    "an operator of Microsoft's": _node("Inverse", "com.microsoft"),
    "Python as an operator": _node("PyOp", "ai.onnx.contrib"),
    "a trillion zeros": _node("ConstantOfShape"),
    "a trillion copies": _node("Expand"),
    "a trillion turns": _node("Loop"),
    "a trillion numbers": _node("Range"),
    "a trillion rows": _node("EyeLike"),
    "a trillion random numbers": _node("RandomNormalLike"),
    "a picture a trillion wide": _pads,
    "a column times a row": _outer,
    "ten thousand steps": _many,
    "a shape of a trillion": _dims([1 << 40]),
    "a shape that overflows": _dims([1 << 62, 4]),
    "a negative shape": _dims([-1]),
    "an empty file": lambda model: b"\0",
    "a length of 2 GB": lambda model: b"\x3a\xff\xff\xff\xff\x07" + b"\0" * 64,
    "half a file": lambda model: model.SerializeToString()[: model.ByteSize() // 2],
    "a pickle": lambda model: pickle.dumps({"weights": 1}),
    "other classes": lambda model: helper.set_model_props(model, {"classes": '["a"]'}),
}

GRAPHS = {name: _graph(build) for name, build in _BUILT.items()}
PICKLES = {
    **{name: _pickle(name, "GLOBAL") for name in CALLS},
    **{
        f"os system, {how}": _pickle("os system", how) for how in ("STACK_GLOBAL", "MEMO", "NESTED")
    },
}
WEIGHTS = PICKLES | {name: _weights(content) for name, content in ZIPS.items()}


def _manifest(content):
    """Return a change of the manifest to the text, bytes or value of `content(manifest)`."""

    def change(folder, canary):
        path = folder / MANIFEST
        new = content(json.loads(path.read_text()))
        if isinstance(new, bytes):
            path.write_bytes(new)
        else:
            path.write_text(new if isinstance(new, str) else json.dumps(new))

    return change


def _listing(name, entry):
    """Return a change of the manifest's entry of a file, or an additional entry."""

    def content(manifest):
        manifest["files"][name] = entry
        manifest["content_sha256"] = hashing.json_sha256(manifest["files"])
        return manifest

    return _manifest(content)


def _replaced(name, make):
    """Return a change that moves a file away and calls `make(path, moved)`."""

    def change(folder, canary):
        path = folder / name
        moved = folder.parent / f"{folder.name}-{name}"
        path.rename(moved)
        make(path, moved)

    return change


def _added(name):
    """Return a change that adds a file of Python code."""

    def change(folder, canary):
        (folder / name).write_text("import os; os.system('touch canary')\n")

    return change


ENTRY = {"sha256": "0" * 64, "size": 0}
UNSEALED = {
    "manifest: a pickle": _manifest(pickle.dumps),
    "manifest: empty": _manifest(lambda m: ""),
    "manifest: not text": _manifest(lambda m: b"\xff\xfe{}"),
    "manifest: a list": _manifest(lambda m: []),
    "manifest: a number": _manifest(lambda m: "1" + "0" * 5000),
    "manifest: nested": _manifest(lambda m: "[" * 100_000),
    "manifest: 2 MB": _manifest(lambda m: {**m, "note": "x" * (1 << 21)}),
    "manifest: no files": _manifest(lambda m: {**m, "files": {}}),
    "manifest: files as a list": _manifest(lambda m: {**m, "files": ["weights.pt"]}),
    "manifest: a parent folder": _listing("../evil.pth", ENTRY),
    "manifest: an absolute path": _listing("/etc/passwd", ENTRY),
    "manifest: a subfolder": _listing("code/evil.py", ENTRY),
    "manifest: itself": _listing("manifest.json", ENTRY),
    "manifest: one more file": _listing("evil.pkl", ENTRY),
    "manifest: facts as a list": _listing("weights.pt", []),
    "manifest: a size as text": _listing("weights.pt", {**ENTRY, "size": "1"}),
    "manifest: a hash as a number": _listing("weights.pt", {**ENTRY, "sha256": 0}),
    "manifest: no hash": _listing("weights.pt", {"size": 1}),
    "manifest: a negative size": _listing("weights.pt", {**ENTRY, "size": -1}),
    "manifest: other classes": _manifest(lambda m: {**m, "classes": ["a"]}),
    "manifest: another temperature": _manifest(lambda m: {**m, "temperature": 1e9}),
    "manifest: something more": _manifest(lambda m: {**m, "loader": "os.system"}),
    "manifest: something less": _manifest(lambda m: {k: m[k] for k in m if k != "kind"}),
    "folder: a link to the weights": _replaced("weights.pt", Path.symlink_to),
    "folder: a link to the graph": _replaced("model.onnx", Path.symlink_to),
    "folder: a link to the manifest": _replaced("manifest.json", Path.symlink_to),
    "folder: a link to nothing": _replaced("weights.pt", lambda p, moved: p.symlink_to("nowhere")),
    "folder: a link to a device": _replaced(
        "weights.pt", lambda p, moved: p.symlink_to("/dev/zero")
    ),
    "folder: a pipe": _replaced("weights.pt", lambda p, moved: os.mkfifo(p)),
    "folder: a folder as weights": _replaced("weights.pt", lambda p, moved: p.mkdir()),
    "folder: no weights": _replaced("weights.pt", lambda p, moved: None),
    "folder: no manifest": _replaced("manifest.json", lambda p, moved: None),
    "folder: a program": _added("evil.py"),
    "folder: a start file": _added("sitecustomize.py"),
    "folder: a hidden file": _added(".evil"),
    "folder: a pickle": _added("python_model.pkl"),
}
