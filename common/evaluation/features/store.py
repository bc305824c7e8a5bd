"""The committed networks: half-precision weights, and beside them the record of how they were made."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from torch import nn

from common import json_lines, schema
from common.data import get_info
from common.evaluation.features.net import FeatureNet
from common.evaluation.features.recipes import RECIPES, Recipe
from common.evaluation.features.train import build
from common.evaluation.measurement import EvaluationError
from common.files import write_text
from common.results import FileName, Finite, Hash, ResultError
from common.schema import Count, Number, Text, strict_table
from common.weights import half_precision, load_weights, save_weights

SCHEMA = "feature-net/1"
FOLDER = Path(__file__).parent / "weights"


@strict_table
@dataclass(frozen=True)
class Record:
    """How a network was made and how well it classifies, with the hash of its weights."""

    name: Text
    recipe: Mapping[str, Any]
    seed: Count
    dataset: Text
    dataset_sha256: Hash
    num_features: Count
    valid_accuracy: Finite
    test_accuracy: Finite
    test_n: Count
    weights: FileName
    weights_sha256: Hash
    commit: Text
    hardware: Text
    train_seconds: Number
    schema: Literal["feature-net/1"] = SCHEMA


def check_name(name: str) -> None:
    """EvaluationError with the names there are if there is no recipe of this one."""
    if name not in RECIPES:
        raise EvaluationError(
            f"there is no feature net {name!r}; there are: {', '.join(RECIPES)}, inception. "
            f"A new one is a recipe in common/evaluation/features/recipes.py."
        )


def read_record(name: str, folder: Path = FOLDER) -> Record:
    """The record of a network; EvaluationError if it is missing or damaged."""
    check_name(name)
    path = folder / f"{name}.json"
    try:
        text = path.read_text(encoding="utf-8")
        return schema.validated(
            json.loads(text), Record, lambda: json_lines.line_numbers(text), path
        )
    except FileNotFoundError:
        raise EvaluationError(
            f"the feature net {name} has not been trained: {path} is missing. "
            f"`dgm features train {name}` makes it."
        ) from None
    except (ValueError, schema.SchemaError) as error:
        raise EvaluationError(
            f"{path} is damaged: {error} Restore it from git, or `dgm features train {name}`."
        ) from error


def store(name: str, model: nn.Module, facts: Mapping[str, Any], folder: Path = FOLDER) -> Record:
    """Write weights and record, each whole or not at all; the record last, so that it can be trusted."""
    path = folder / f"{name}.safetensors"
    sha256 = save_weights(half_precision(model), path)
    record = Record(name=name, weights=path.name, weights_sha256=sha256, **facts)
    text = json.dumps(dataclasses.asdict(record), indent=2, allow_nan=False)
    write_text(folder / f"{name}.json", text + "\n")
    return record


def load_module(name: str, folder: Path = FOLDER) -> tuple[nn.Module, Record]:
    """The network of a record in float32; EvaluationError if its file is missing or another."""
    record = read_record(name, folder)
    path = folder / record.weights
    again = f"Restore it from git, or `dgm features train {name}`."
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}. {again}") from error
    if found != record.weights_sha256:
        raise EvaluationError(
            f"{path} is not the file that its record describes: sha256 {found[:12]}..., expected "
            f"{record.weights_sha256[:12]}.... {again}"
        )
    recipe = recipe_of(record)
    try:
        return load_weights(build(recipe), path), record
    except ResultError as error:
        raise EvaluationError(f"{error} {again}") from error


def recipe_of(record: Record) -> Recipe:
    """The recipe that a network was made by, which need not be today's."""
    from common import config

    return config.from_dict(Recipe, record.recipe)


@cache
def get_feature_net(name: str) -> FeatureNet:
    """The network of this name, proved and ready on the CPU; the same object at every call.

    Args:
        name: "digits", "mnist" or "fashion_mnist", small classifiers that are part of the
            repository, or "inception": Inception-v3 as FID is known with (see `inception`).

    Raises:
        EvaluationError: unknown name; weights missing, damaged or others than the record's.

    >>> import torch
    >>> net = get_feature_net("digits")
    >>> net.features(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 64])
    """
    if name == "inception":
        from common.evaluation.features.inception import load_inception

        return load_inception()
    module, record = load_module(name)
    return FeatureNet(
        name,
        record.weights_sha256,
        module,
        shape=get_info(record.dataset).shape,
        num_features=record.num_features,
        num_classes=get_info(record.dataset).num_classes,
    )
