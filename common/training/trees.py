"""Nested state (dicts, lists, numbers, tensors) as JSON and a flat dict of tensors, and back."""

from typing import Any

import torch
from torch import Tensor

from common.training.errors import CheckpointError

TENSOR, PAIRS, TUPLE = "<tensor>", "<pairs>", "<tuple>"


def flatten(tree: Any) -> tuple[Any, dict[str, Tensor]]:
    """Take a tree apart: what JSON can say, and the tensors by their path in the tree.

    Dicts may have any JSON scalars as keys (the state of an optimiser has integers); tuples and
    lists come back as what they were. A tensor that occurs twice is stored once.

    Returns:
        (skeleton, tensors): the skeleton refers to each tensor by its path.

    >>> skeleton, tensors = flatten({"state": {0: {"step": torch.ones(())}}, "betas": (0.9, None)})
    >>> list(tensors), skeleton["betas"]
    (['state/0/step'], {'<tuple>': [0.9, None]})
    """
    tensors: dict[str, Tensor] = {}
    seen: dict[tuple, str] = {}

    def visit(node: Any, path: str) -> Any:
        if isinstance(node, Tensor):
            return {TENSOR: keep(node, path)}
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, dict):
            pairs = [(key, visit(value, f"{path}/{key}")) for key, value in node.items()]
            if all(isinstance(key, str) and not key.startswith("<") for key in node):
                return dict(pairs)
            return {PAIRS: [[visit(key, f"{path}/key"), value] for key, value in pairs]}
        if isinstance(node, list | tuple):
            items = [visit(value, f"{path}/{i}") for i, value in enumerate(node)]
            return {TUPLE: items} if isinstance(node, tuple) else items
        raise CheckpointError(
            f"cannot save {path.lstrip('/')!r}: it is a {type(node).__name__}; a checkpoint holds "
            "tensors, numbers, texts, None, and lists, tuples and dicts of them."
        )

    def keep(tensor: Tensor, path: str) -> str:
        path = path.lstrip("/")
        while path in tensors:  # keys may hold slashes themselves
            path += "'"
        same = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), tensor.device)
        if tensor.numel() and same in seen:
            return seen[same]
        seen[same] = path
        tensors[path] = tensor.detach()
        return path

    return visit(tree, ""), tensors


def unflatten(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """Put a tree together again; the inverse of `flatten`.

    >>> tree = {"state": {0: {"step": torch.ones(())}}, "betas": (0.9, None)}
    >>> unflatten(*flatten(tree)) == tree
    True
    """
    if isinstance(skeleton, list):
        return [unflatten(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    if TENSOR in skeleton:
        return tensors[skeleton[TENSOR]]
    if TUPLE in skeleton:
        return tuple(unflatten(item, tensors) for item in skeleton[TUPLE])
    if PAIRS in skeleton:
        return {key: unflatten(value, tensors) for key, value in skeleton[PAIRS]}
    return {key: unflatten(value, tensors) for key, value in skeleton.items()}


def storable(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each contiguous in memory of its own, as safetensors wants them."""
    result, storages = {}, set()
    for path, tensor in tensors.items():
        tensor = tensor.to("cpu").contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in storages or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone(memory_format=torch.contiguous_format)
        storages.add(tensor.untyped_storage().data_ptr())
        result[path] = tensor
    return result
