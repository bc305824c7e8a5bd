"""The weights behind the numbers: half precision in the tree, and the model built around them again."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from common import config as configs
from common.files import write_bytes
from common.projects import Project, find_project
from common.results import Result, ResultError, read_result, result_path

MAX_WEIGHT_BYTES = 16 * 2**20


def half_precision(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a model with floating tensors rounded to float16, contiguous, on the CPU.

    What a model holds in float64 stays so: it is there because its digits are needed.

    Raises ResultError if a value overflows half precision.
    """
    state = {}
    for name, value in model.state_dict().items():
        value = value.detach().cpu().contiguous()
        if value.is_floating_point() and value.dtype != torch.float64:
            rounded = value.half()
            if not torch.isfinite(rounded).all():
                raise ResultError(f"the weights {name!r} do not fit into half precision.")
            value = rounded
        state[name] = value.clone()
    return state


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> str:
    """Write tensors as safetensors, atomically, and return the file's SHA-256."""
    data = save(dict(state))
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def load_weights(model: nn.Module, path: Path) -> nn.Module:
    """Load safetensors of any precision into `model`, in the model's precision; returns it in eval.

    Raises ResultError if the file is missing, damaged, or of another architecture.
    """
    try:
        state = load_file(path)
    except FileNotFoundError:
        raise ResultError(f"there are no weights at {path}.") from None
    except (SafetensorError, OSError) as error:
        raise ResultError(f"{path} is not a whole safetensors file: {error}.") from error
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ResultError(f"{path} does not fit the model: {error}") from error
    return model.eval()


def rebuild(project: Project, config: Any, weights: Path) -> tuple[nn.Module, Any]:
    """The model of `config` with weights loaded, and the data it was made for."""
    data = project.training.load_data(config)
    model = project.training.build(config, data, generator=torch.Generator().manual_seed(0))
    return load_weights(model, weights), data


def load_result(slug: str, goal_id: str) -> tuple[nn.Module, Result]:
    """The model behind a committed number, in eval mode, and the number with its provenance."""
    project = find_project(slug)
    result = read_result(result_path(project, project.goal(goal_id).id))
    if result.weights is None:
        raise ResultError(
            f"the weights of {slug}/{goal_id} are too large for the tree; "
            f"`dgm reproduce {slug} {goal_id}` trains them again."
        )
    config = configs.from_dict(project.training.Config, result.config)
    model, _ = rebuild(project, config, result_path(project, goal_id).parent / result.weights)
    return model, result
