"""A model whose public methods compute in the precision of the run."""

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from lightning_fabric.plugins import Precision


def in_precision(module: nn.Module, precision: "Precision") -> nn.Module:
    """The module itself for "32-true", else a view of it that computes in another precision.

    The view shares everything with the module (parameters, mode, attributes) and is an instance of
    its class; only the methods that the class itself defines, `log_prob` or `elbo` as much as
    `forward`, run in the precision's context. Mixed precision leaves the inputs as they are
    (autocast decides operation by operation) and returns float32.
    """
    if precision.precision == "32-true":
        return module
    kind = type(module)
    methods = {name: compute_in(precision, getattr(module, name)) for name in own_methods(kind)}
    view = object.__new__(type(kind.__name__, (kind,), methods))
    view.__dict__ = module.__dict__
    return view


def own_methods(kind: type[nn.Module]) -> list[str]:
    """Public methods that a module's class adds to nn.Module, and `forward`."""
    return [
        name
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if name == "forward" or not (name.startswith("_") or hasattr(nn.Module, name))
    ]


def compute_in(precision: "Precision", method: Callable) -> Callable:
    """A bound method, its inputs, computation and outputs in the precision's hands."""
    is_mixed = precision.precision.endswith("-mixed")

    @functools.wraps(method)
    def wrapped(view: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not is_mixed:
            args, kwargs = precision.convert_input((args, kwargs))
        with precision.forward_context():
            return precision.convert_output(method(*args, **kwargs))

    return wrapped
