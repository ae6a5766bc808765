# ruff: noqa: ARG005  (entries of one table take the same arguments)
"""Changes of a valid model's folder that try to run code or to exhaust memory, in place.

After changes of the weights and of the graph, the manifest fits the changed files, so that the
hashes are right and only the content is wrong.
"""

import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from digits.inference.model_manifest import MANIFEST
from digits.project import atomic_files, hashing
from tests import sealed

# Callables that real malicious pickles use, with arguments that create the canary file.
CALLS = {
    "os system": lambda canary: (f"touch {canary}",),
    "builtins exec": lambda canary: (f"open({str(canary)!r}, 'w').close()",),
    "torch save": lambda canary: ([1.0], str(canary)),
}
PICKLES = [*((name, "GLOBAL") for name in CALLS), ("os system", "STACK_GLOBAL")]


def pickled(name, how, canary):
    """Return a pickle that calls `name` when it is loaded, by the opcodes `how`."""
    arguments = pickle.dumps(CALLS[name](canary), protocol=2)[2:-1]
    module, function = name.split(" ")
    names = [b"X" + struct.pack("<I", len(part)) + part.encode() for part in (module, function)]
    found = f"c{module}\n{function}\n".encode()
    found = b"".join(names) + b"\x93" if how == "STACK_GLOBAL" else found
    return b"\x80\x02" + found + arguments + b"R."


def _archived(folder, evil, **more):
    """Return the model's weights, an archive of torch, with another pickle and more files in it."""
    with zipfile.ZipFile(folder / "weights.pt") as old:
        files = {name.removeprefix("archive/"): old.read(name) for name in old.namelist()}
    buffer = io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)  # it adds some of the files itself
    for name, content in (files | {"data.pkl": evil} | more).items():
        if not name.startswith(".") and name not in {"version", "byteorder"}:
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    return buffer.getvalue()


def _legacy(evil):
    """Return weights in the format of old torch: pickles without an archive."""
    buffer = io.BytesIO()
    torch.save({"weights": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue() + evil


WEIGHTS = {  # the bytes of weights.pt, from the folder and a pickle
    "an archive": _archived,
    "a bare pickle": lambda folder, evil: evil,
    "torch's old format": lambda folder, evil: _legacy(evil),
    "an archive before it": lambda f, evil: _archived(f, evil) + (f / "weights.pt").read_bytes(),
    "an archive after it": lambda f, evil: (f / "weights.pt").read_bytes() + _archived(f, evil),
    "one file more": lambda folder, evil: _archived(folder, evil, **{"evil.py": evil}),
    "20,000 files": lambda f, evil: _archived(f, evil, **{f"data/{n}": b"" for n in range(20_000)}),
    "a plain archive": lambda folder, evil: _plain(evil),
}


def _plain(evil):
    """Return an archive that torch did not write."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", evil)
    return buffer.getvalue()


def change_weights(folder, form, evil):
    """Put a pickle into the weights, in one of the forms of WEIGHTS."""
    (folder / "weights.pt").write_bytes(WEIGHTS[form](folder, evil))
    sealed.reseal(folder)


def _outside(tensor):
    """Declare that the values of a tensor are in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")


def _far():
    """Return a tensor whose values are in another file."""
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[2])
    _outside(tensor)
    return tensor


def _node(operator, domain="", **attributes):
    """Return a change that adds a node whose output is not used."""

    def change(model):
        value = numpy_helper.from_array(np.array([1 << 40], np.int64), "huge")
        model.graph.initializer.append(value)
        node = helper.make_node(operator, ["huge"], ["unused"], domain=domain, **attributes)
        model.graph.node.append(node)

    return change


def _function(model):
    node = helper.make_node("Constant", [], ["y"], value=_far())
    opset = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("evil", "f", [], ["y"], [node], opset))


def _sparse(model):
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_far())
    sparse.dims.append(1 << 40)


def _dims(dims):
    def change(model):
        model.graph.initializer[0].dims[:] = dims

    return change


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


def _images_by_images(model):
    """Multiply each image's logits with those of every other image."""
    model.graph.node.append(helper.make_node("Transpose", ["logits"], ["columns"], perm=[1, 0]))
    model.graph.node.append(helper.make_node("MatMul", ["logits", "columns"], ["unused"]))


def _doubled(model):
    """Double the number of images again and again."""
    for i in range(30):
        before = f"double{i - 1}" if i else "logits"
        node = helper.make_node("Concat", [before, before], [f"double{i}"], axis=0)
        model.graph.node.append(node)


def _slow(model):
    """Pool over everything, thousands of times: seconds for an image, in a few kilobytes."""
    model.graph.initializer.append(
        numpy_helper.from_array(np.zeros((1, 1, 1024, 1024), np.float32), "plane")
    )
    pool = {"kernel_shape": [1023, 1023], "pads": [511] * 4}
    for i in range(20):
        before = f"pool{i - 1}" if i else "plane"
        model.graph.node.append(helper.make_node("MaxPool", [before], [f"pool{i}"], **pool))


def _many(model):
    for i in range(10_001):
        before = f"step{i - 1}" if i else "logits"
        model.graph.node.append(helper.make_node("Relu", [before], [f"step{i}"]))


GRAPHS = {  # a change of the model, or bytes in its place, and why it is refused
    "numbers in /etc": (lambda model: _outside(model.graph.initializer[0]), "not hold the numbers"),
    "numbers in an attribute": (_node("Relu", value=_far()), "hides a graph or numbers"),
    "a graph": (_node("Relu", body=helper.make_graph([], "g", [], [])), "hides a graph or numbers"),
    "a function": (_function, "brings functions"),
    "sparse weights": (_sparse, "brings functions"),
    "a training": (lambda model: model.training_info.add(), "brings functions"),
    "an operator of somebody": (_node("Relu", "ai.somebody"), "the operator ai.somebody.Relu"),
    "a trillion zeros": (_node("ConstantOfShape"), "the operator ai.onnx.ConstantOfShape"),
    "an image a trillion wide": (_pads, "more than 16,777,216 values"),
    "a column times a row": (_outer, "more than 16,777,216 values"),
    "images times images": (_images_by_images, "grows faster than the number of images"),
    "twice as many images, 30 times": (_doubled, "more than 16,777,216 values"),
    "pools without end": (_slow, "more than 100,000,000,000 multiplications"),
    "ten thousand steps": (_many, "operators"),
    "a shape of a trillion": (_dims([1 << 40]), "not hold the numbers"),
    "a negative shape": (_dims([-1]), "not hold the numbers"),
    "half a file": (lambda model: model.SerializeToString()[:2000], "no ONNX model"),
    "a pickle": (lambda model: pickle.dumps({"weights": 1}), "no ONNX model"),
    "other classes": (
        lambda model: _classes(model, [*"abcdefghij"]),
        "differ in 'classes'",
    ),
    "another number of classes": (lambda model: _classes(model, ["a"]), "to 1 classes"),
    "a class that clears the screen": (
        lambda model: _classes(model, [*"abcdefghi", "\x1b[2J"]),
        "cannot be shown",
    ),
    "a class twice": (lambda model: _classes(model, [*"abcdefghii"]), "appears twice"),
    "classes as a number": (lambda model: _classes(model, 10), "no list of names"),
    "classes as text": (lambda model: _classes(model, "0123456789"), "no list of names"),
    "two inputs": (lambda model: _more(model.graph.input, "other"), "is not from 28 x 28"),
    "two outputs": (lambda model: model.graph.output.append(model.graph.output[0]), "is not from"),
    "no output": (lambda model: model.graph.ClearField("output"), "no ONNX model"),
    "no input": (lambda model: model.graph.ClearField("input"), "no ONNX model"),
    "an input of text": (lambda model: _kind(model.graph.input[0], TensorProto.STRING), "no ONNX"),
    "an input of 3 axes more": (lambda model: _axes(model.graph.input[0], 3), "no ONNX model"),
    "an output of pixels": (
        lambda model: _kind(model.graph.output[0], TensorProto.UINT8),
        "no ONNX model",
    ),
}


def _classes(model, value):
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, metadata | {"classes": json.dumps(value)})


def _more(values, name):
    values.append(helper.make_tensor_value_info(name, TensorProto.UINT8, [1, 28, 28]))


def _kind(value, kind):
    value.type.tensor_type.elem_type = kind


def _axes(value, count):
    for _ in range(count):
        value.type.tensor_type.shape.dim.add().dim_value = 1


def change_graph(folder, name):
    """Change model.onnx as the entry of GRAPHS does."""
    path = folder / "model.onnx"
    model = onnx.load_model(path, load_external_data=False)
    content = GRAPHS[name][0](model)
    path.write_bytes(content if isinstance(content, bytes) else model.SerializeToString())
    sealed.reseal(folder)


def _listing(manifest, name, **entry):
    """Change the manifest's entry of a file, or add one; the content hash fits."""
    manifest["files"][name] = {"sha256": "0" * 64, "size": 0} | entry
    return manifest | {"content_sha256": hashing.json_sha256(manifest["files"])}


MANIFESTS = {  # a value or bytes in its place, and why it is refused
    "not text": (lambda m: b"\xff\xfe{}", "is not valid JSON"),
    "a number": (lambda m: b"1" + b"0" * 5000, "is not valid JSON"),
    "nested": (lambda m: b"[" * 100_000, "is not valid JSON"),
    "2 MB": (lambda m: m | {"note": "x" * (1 << 21)}, "larger than a manifest can be"),
    "another format": (lambda m: json.dumps(m).encode(), "is not formatted"),
    "files as a list": (lambda m: m | {"files": ["weights.pt"]}, "does not match itself"),
    "a parent folder": (lambda m: _listing(m, "../evil.pth"), "is missing"),
    "one key more": (lambda m: _listing(m, "weights.pt", path="/etc"), "does not match itself"),
    "a size as text": (lambda m: _listing(m, "weights.pt", size="1"), "expected 1"),
    "other classes": (lambda m: m | {"classes": ["a"]}, "differ in 'classes'"),
    "no run": (lambda m: {k: m[k] for k in m if k != "run_id"}, "names no run"),
    "a run elsewhere": (lambda m: m | {"run_id": "../" * 10}, "names no run"),
    "not a number": (lambda m: m | {"temperature": float("nan")}, "that is not finite"),
    "an endless number": (lambda m: m | {"network": [float("inf")]}, "that is not finite"),
    "another finder": (lambda m: m | {"finder": 5}, "another way to find glyphs"),
    "something more": (lambda m: m | {"loader": "os.system"}, "differ in 'loader'"),
    "something less": (lambda m: {k: m[k] for k in m if k != "kind"}, "differ in 'kind'"),
}


def change_manifest(folder, name):
    """Change the manifest as the entry of MANIFESTS does."""
    content = MANIFESTS[name][0](atomic_files.read_json(folder / MANIFEST))
    raw = content if isinstance(content, bytes) else atomic_files.json_bytes(content)
    (folder / MANIFEST).write_bytes(raw)


FOLDERS = {  # from the path of the weights, which were moved to another path
    "a link to the weights": lambda path, moved: path.symlink_to(moved),
    "a link to a device": lambda path, moved: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, moved: os.mkfifo(path),
    "a folder as weights": lambda path, moved: path.mkdir(),
    "no weights": lambda path, moved: None,
    "one more file": lambda path, moved: (moved.rename(path), path.with_suffix(".py").touch()),
}
