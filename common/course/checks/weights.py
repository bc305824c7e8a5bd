"""Weights are safetensors files that are what they say; pickles, which run code, are refused.

Nothing is unpickled: a pickle is known by its opcodes, a checkpoint by what its archive lists.
"""

import io
import json
import math
import pickletools
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from common.course.checks import Context
from common.course.checks.code_units import Unit, units
from common.course.checks.layout import WEIGHTS
from common.course.problems import Problem

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_PICKLE_BYTES = 32 * 2**20
MAX_OPCODES = 2000
BITS = {
    # Of one number, by the names that the format has for its types.
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "F64": 64,
    "I64": 64,
    "U64": 64,
    "C64": 64,
}
HINT = "`dgm reproduce` writes results/<goal>.safetensors; common.weights.load_weights reads it"
UNPICKLING = {
    "torch.load",
    "torch.jit.load",
    "torch.package.PackageImporter",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "_pickle.load",
    "_pickle.loads",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "shelve.open",
    "pandas.read_pickle",
}
PICKLING = {
    "torch.save",
    "pickle.dump",
    "pickle.dumps",
    "dill.dump",
    "cloudpickle.dump",
    "joblib.dump",
}


def check(context: Context) -> Iterator[Problem]:
    """Every weight file of the project, and every place in its code that loads a pickle."""
    for path in context.files:
        full = context.root / path
        if full.is_symlink() or not full.is_file():
            continue
        if path.lower().endswith(".safetensors"):
            for fault in safetensors_faults(full):
                yield Problem(path, 0, "weights.safetensors", fault, HINT)
        elif is_pickle(full):
            message = "holds pickled objects, which run code when they are loaded"
            yield Problem(path, 0, "weights.pickle", message, HINT)
        elif PurePosixPath(path).suffix.lower() in WEIGHTS:
            message = f"weights are .safetensors files, not {PurePosixPath(path).suffix}"
            yield Problem(path, 0, "weights.format", message, HINT)
    for unit in units(context):
        yield from code_problems(unit)


def safetensors_faults(path: Path) -> Iterator[str]:
    """What is wrong with a safetensors file; its numbers are not looked at."""
    with path.open("rb") as file:
        yield from stream_faults(file, path.stat().st_size)


def stream_faults(file: BinaryIO, size: int) -> Iterator[str]:
    """What is wrong with a safetensors file of `size` bytes, of which the header is read."""
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
    if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        yield f"is no safetensors file: its header would have {length} of {size} bytes"
        return
    data = file.read(length)
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=unique_names)
    except (ValueError, RecursionError) as error:
        yield f"is no safetensors file: its header is not JSON ({str(error)[:80]})"
        return
    if not isinstance(header, dict) or not data.startswith(b"{"):
        yield "is no safetensors file: its header is not a table"
        return
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        yield "its __metadata__ is not a table of texts"
    if not header:
        yield "has no tensor in it"
        return
    yield from tensor_faults(header, size - 8 - length)


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs as a dictionary; raises ValueError if a name is there twice."""
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name is there twice")
    return table


def tensor_faults(header: dict[str, Any], size: int) -> Iterator[str]:
    """Tensors whose type, shape and place do not agree, overlap, or leave `size` bytes."""
    places = []
    for name, entry in header.items():
        shape, dtype, place = (
            (entry.get(field) for field in ("shape", "dtype", "data_offsets"))
            if isinstance(entry, dict)
            else (None, None, None)
        )
        if not (are_counts(shape) and are_counts(place) and len(place) == 2 and dtype in BITS):
            yield f"the tensor {name[:60]!r} has no valid dtype, shape and data_offsets"
            return
        begin, end = place
        if not begin <= end <= size:
            yield f"the tensor {name[:60]!r} lies at bytes {begin} to {end} of {size}: cut off?"
            return
        if (end - begin) * 8 != math.prod(shape) * BITS[dtype]:
            yield f"the tensor {name[:60]!r} has {end - begin} bytes, not what {dtype}{shape} needs"
            return
        places.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(places):
        if begin < position:
            yield f"the tensor {name[:60]!r} overlaps another"
            return
        if begin > position:
            yield f"{begin - position} bytes before the tensor {name[:60]!r} belong to none"
            return
        position = end
    if position != size:
        yield f"{size - position} bytes at the end belong to no tensor"


def are_counts(value: Any) -> bool:
    """Whether a value is a list of whole numbers that are not negative."""
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, or an archive or array with pickles in it, by its content."""
    try:
        with path.open("rb") as file:
            return holds_pickle(file, path.suffix)
    except OSError:
        return False


def holds_pickle(file: BinaryIO, suffix: str) -> bool:
    """The same of an open file that has this suffix."""
    data = file.read(MAX_PICKLE_BYTES)
    if data.startswith(b"PK\x03\x04"):
        return has_pickled_member(file)
    if data.startswith(b"\x93NUMPY"):
        return is_object_array(data)
    if suffix.lower() in WEIGHTS:
        return has_opcodes(data, is_named_so=True)
    return data[:1] == b"\x80" and has_opcodes(data, is_named_so=False)


def has_pickled_member(file: BinaryIO) -> bool:
    """Whether a zip archive is a checkpoint of torch or holds arrays of objects."""
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist()[:10_000]:
                if name.endswith((".pkl", ".pickle")):
                    return True
                if name.endswith(".npy"):
                    with archive.open(name) as member:
                        if is_object_array(member.read(10_000)):
                            return True
    except Exception:  # zipfile promises no kind of error for a broken archive
        return False
    return False


def is_object_array(data: bytes) -> bool:
    """Whether a .npy file holds Python objects, which are pickled."""
    return b"'descr': '|O'" in data[:2000] or b"('|O'" in data[:2000] or b"'|O'" in data[:2000]


def has_opcodes(data: bytes, *, is_named_so: bool) -> bool:
    """Whether bytes begin with the opcodes of a pickle, to its end or for long enough.

    joblib's and torch's old files go on with raw numbers after some hundred opcodes, so a pickle
    that breaks off later than that, after it named a class or function, still is one.
    """
    count, names_something = 0, False
    try:
        for opcode, _, _ in pickletools.genops(io.BytesIO(data)):
            count += 1
            names_something |= opcode.name in {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "BUILD"}
            if opcode.name == "STOP" or count >= MAX_OPCODES:
                return count > 2 or is_named_so
    except Exception:  # pickletools promises no kind of error for bytes that are no pickle
        return names_something and count > 10
    return False


def code_problems(unit: Unit) -> Iterator[Problem]:
    """Calls that unpickle; tests may, since what they load they have just made."""
    for name, call in unit.calls():
        line = unit.line(call.lineno)
        if name in {"numpy.load", "np.load"} and allows_pickle(call):
            message = "np.load(allow_pickle=True) runs code that is hidden in the file"
            yield Problem(unit.path, line, "weights.load", message, "save arrays of numbers only")
        elif name in UNPICKLING:
            level = "warning" if unit.is_test else "error"
            message = f"{name} runs code that is hidden in the file"
            yield Problem(unit.path, line, "weights.load", message, HINT, level)
        elif name in PICKLING and not unit.is_test:
            message = f"{name} writes a pickle, which others cannot load safely"
            hint = "checkpoints are the Run's; weights: common.weights.save_weights"
            yield Problem(unit.path, line, "weights.save", message, hint, "warning")


def allows_pickle(call: Any) -> bool:
    """Whether a call has allow_pickle set to anything but False."""
    values = [word.value for word in call.keywords if word.arg == "allow_pickle"] + call.args[2:3]
    return any(getattr(value, "value", True) is not False for value in values)
