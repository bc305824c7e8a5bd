"""What every law stands on: seeds, the model under test, the inputs it is tried with.

A law is a class whose name does not begin with ``Test``, so pytest leaves it alone; a project's test
class inherits the laws of its kind and supplies ``model()``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

_seed_offset = 0


def seeded(seed: int) -> torch.Generator:
    """A fresh CPU generator with this seed; inside `other_seeds` it gives another stream."""
    generator = torch.Generator()
    generator.manual_seed(seed + _seed_offset)
    return generator


@contextlib.contextmanager
def other_seeds() -> Iterator[None]:
    """Within this context ``seeded(s)`` gives a different stream, so ``model()`` builds another model.

    The state_dict law needs a model that differs from the first in everything drawn at random;
    whatever still differs after ``load_state_dict`` is state that the state_dict does not hold.
    """
    global _seed_offset
    _seed_offset += 104_729
    try:
        yield
    finally:
        _seed_offset -= 104_729


@contextlib.contextmanager
def must_work(what: str, cause: str) -> Iterator[None]:
    """Turn any exception of the model into a failed law that says which promise it broke."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"{what} raised {type(error).__name__}: {error}. Likely cause: {cause}"
        ) from error


def assert_close(actual: Tensor, expected: Tensor, tolerance: float, what: str, cause: str) -> None:
    """Fail unless ``|actual - expected| <= tolerance * max(1, |expected|)`` everywhere (NaN fails)."""
    assert (
        actual.shape == expected.shape
    ), f"{what}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}. Likely cause: {cause}"
    if actual.numel() == 0:
        return
    actual, expected = actual.detach().double(), expected.detach().double()
    error = (actual - expected).abs() / expected.abs().clamp(min=1.0)
    error = torch.where(
        actual == expected, torch.zeros_like(error), error
    )  # equal infinities agree
    worst = int(torch.nan_to_num(error, nan=math.inf).argmax())
    assert bool((error <= tolerance).all()), (
        f"{what}: got {actual.flatten()[worst].item():.10g}, expected "
        f"{expected.flatten()[worst].item():.10g} (entry {worst} of {actual.numel()}; tolerance "
        f"{tolerance:g}, absolute or relative). Likely cause: {cause}"
    )


class Law:
    """The hooks of every law. Only `model` must be given; the rest have defaults for its kind.

    Where a law does not hold for a paper's model, its test says so in a line, with the reason:
    ``test_gradient_is_the_finite_difference = None  # straight-through estimator, Section 3.2``.
    """

    values: str | None = None  # "binary" or "real"; None: found out from the model's own samples
    event_shape: tuple[int, ...] | None = None  # None: found out from the model's own samples
    noise = 0.5  # size of what `build` adds to every parameter; see there

    def model(self) -> nn.Module:
        """A tiny model, the same at every call: ``return MADE(num_dims=6, generator=seeded(0))``."""
        raise NotImplementedError(f"{type(self).__name__} must define model(self)")

    def build(self) -> nn.Module:
        """The model in float64 and eval mode, moved away from its initial values.

        Many initialisations are special: a zero last layer makes a flow the identity, small
        weights make a mass uniform, and a law that holds only there proves nothing. So one batch
        passes in train mode (running statistics), then seeded noise goes to every parameter:
        N(0, noise^2 / fan_in), so that a wide layer moves no further than a narrow one.
        """
        model = self.model().double().train()
        works = must_work("the loss of a float64 model", "a dtype or a shape written into the code")
        with torch.no_grad(), works:
            self.loss(model, self.inputs(16, seeded(1), model), seeded(2))
            generator = seeded(3)
            for parameter in model.parameters():
                step = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                if parameter.requires_grad:
                    fan_in = max(1, math.prod(parameter.shape[1:]))
                    parameter.add_(self.noise / math.sqrt(fan_in) * step)
        return model.eval()

    def inputs(self, n: int, generator: torch.Generator, model: nn.Module | None = None) -> Tensor:
        """``n`` inputs in float64: fair coin flips or standard normals of the event's shape."""
        shape, values = self._event(self.build() if model is None else model)
        if values == "binary":
            half = torch.full((n, *shape), 0.5, dtype=torch.float64)
            return torch.bernoulli(half, generator=generator)
        return torch.randn(n, *shape, generator=generator, dtype=torch.float64)

    def loss(self, model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        """The training loss: minus the mean log_prob, or minus the mean elbo."""
        if hasattr(model, "log_prob"):
            return -model.log_prob(x).mean()
        if hasattr(model, "elbo"):
            return -model.elbo(x, generator=generator).mean()
        raise NotImplementedError(
            "the model has neither log_prob nor elbo: define loss() in the test"
        )

    def evaluate(self, model: nn.Module, x: Tensor) -> Tensor:
        """One number per example that involves no noise, (B,); the default is log_prob(x)."""
        if hasattr(model, "log_prob"):
            return model.log_prob(x)
        raise NotImplementedError("the model has no log_prob: define evaluate() in the test")

    def entries(self, model: nn.Module) -> dict[str, Callable[[Tensor], object]]:
        """Every public method of the model that takes a batch of data, by name."""
        found: dict[str, Callable[[Tensor], object]] = {}
        if hasattr(model, "log_prob"):
            found["log_prob"] = model.log_prob
        if hasattr(model, "elbo"):
            found["elbo"] = lambda x: model.elbo(x, generator=seeded(5))
        if hasattr(model, "log_weights"):
            found["log_weights"] = lambda x: model.log_weights(
                x, num_samples=3, generator=seeded(6)
            )
        return found

    def _event(self, model: nn.Module) -> tuple[tuple[int, ...], str]:
        if self.event_shape is not None and self.values is not None:
            return self.event_shape, self.values
        assert hasattr(model, "sample"), (
            "the law cannot know what data looks like: give the test class `event_shape` and "
            "`values`, or the model a sample(n, *, generator)"
        )
        training = model.training
        with torch.no_grad():
            draws = model.eval().sample(64, generator=seeded(4))
        model.train(training)
        is_binary = bool(((draws == 0) | (draws == 1)).all())
        shape = tuple(draws.shape[1:]) if self.event_shape is None else self.event_shape
        return shape, self.values or ("binary" if is_binary else "real")
