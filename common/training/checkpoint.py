"""Checkpoints: one safetensors file, written whole or not at all, checked when it is read."""

import contextlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from common.training.errors import CheckpointError
from common.training.trees import flatten, storable, unflatten

FORMAT = "run/1"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a nested state atomically: whoever is killed when, the old file or the new one is there.

    The tensors are the file's tensors, the rest is JSON in the header's metadata, with a checksum.
    Nothing is pickled.

    Args:
        path: the file; a temporary neighbour is written, synced to the disk and renamed to it.
        state: dicts, lists, tuples, numbers, texts, None and tensors.

    Raises:
        CheckpointError: if the state holds anything else, or the disk refuses.
    """
    skeleton, tensors = flatten(state)
    tensors = storable(tensors)
    text = json.dumps(skeleton)
    metadata = {"format": FORMAT, "state": text, "crc32": str(checksum(text, tensors))}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, temporary, metadata=metadata)
        os.chmod(temporary, 0o644)
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except (OSError, SafetensorError) as error:
        kept = f"; the earlier checkpoint {path} is whole" if path.exists() else ""
        raise CheckpointError(
            f"could not write the checkpoint {path}: {error}{kept}. Free some space or choose "
            "another folder, then resume."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, on the CPU.

    Raises:
        CheckpointError: if the file is cut short, changed, or not a checkpoint of this format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise damaged(path, str(error)) from error
    if metadata.get("format") != FORMAT:
        raise damaged(path, f"its format is {metadata.get('format')!r}, expected {FORMAT!r}")
    if str(checksum(metadata["state"], tensors)) != metadata.get("crc32"):
        raise damaged(path, "its checksum does not agree with its contents")
    return unflatten(json.loads(metadata["state"]), tensors)


def damaged(path: Path, why: str) -> CheckpointError:
    """The error for a file that cannot be continued from."""
    return CheckpointError(
        f"the checkpoint {path} cannot be used: {why}. Restore the file from a copy, or train "
        "anew without resuming (the folder is then moved aside, not deleted)."
    )


def checksum(text: str, tensors: dict[str, Tensor]) -> int:
    """CRC-32 of the JSON text and of every tensor's bytes, in the order of their names."""
    value = zlib.crc32(text.encode())
    for name in sorted(tensors):
        value = zlib.crc32(name.encode(), value)
        value = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy(), value)
    return value


def sync(path: Path) -> None:
    """Ask the disk to hold a file, or a folder's list of files, before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
