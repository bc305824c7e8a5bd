"""What the metrics of one evaluation share: the examples, the noise, the sizes of batches."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from common.bars import bar
from common.data import Dataset
from common.evaluation.measurement import EvaluationError


@dataclass(frozen=True)
class Context:
    """One model on one split.

    Attributes:
        model: in eval mode.
        data: the data set with the model's preprocessing.
        split: the name of the split.
        x: (N, *data.shape) its preprocessed examples, on the CPU.
        seed: of the preprocessing's noise and, mixed with a purpose, of every metric's own.
        batch_size: examples at once.
        num_importance_samples: K of the importance-weighted bound.
        num_fresh_samples: draws from the data's exact density.
        max_samples: draws from the model, at most.
        progress: show a progress bar for each metric.
        feature_net: the network whose features samples are compared by; None for the data's own.
        memo: what several metrics need and one computes.
    """

    model: Any
    data: Dataset
    split: str
    x: Tensor
    seed: int
    batch_size: int
    num_importance_samples: int
    num_fresh_samples: int
    max_samples: int
    progress: bool
    feature_net: str | None = None
    memo: dict[str, Any] = field(default_factory=dict)

    def generator(self, purpose: str, *, device: torch.device | str = "cpu") -> torch.Generator:
        """A fresh generator for one purpose, so that a metric alone gives the same number."""
        # Mixed by a hash: the CPU generator reads no more than the low 32 bits of its seed.
        digest = hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:4]))

    def model_generator(self, purpose: str) -> torch.Generator:
        """The same on the model's device, for the noise that the model draws."""
        return self.generator(purpose, device=self.like.device)

    @property
    def like(self) -> Tensor:
        """An empty tensor with the dtype and device of the model's parameters."""
        parameters = getattr(self.model, "parameters", None)
        floating = [p for p in parameters() if p.is_floating_point()] if parameters else []
        return (floating[0] if floating else self.x).new_empty(0)

    @property
    def lengths(self) -> Tensor | None:
        """(N,) int64 steps of each example of x on the CPU; None where none is padded."""
        lengths = self.data.splits[self.split].lengths
        return None if lengths is None else lengths[: len(self.x)].cpu()

    def for_model(self, x: Tensor) -> Tensor:
        """x on the model's device and in its dtype; symbols, which are integers, stay integers."""
        return x.to(self.like) if x.is_floating_point() else x.to(self.like.device)

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """`compute()`, done by the first metric that asks."""
        if key not in self.memo:
            self.memo[key] = compute()
        return self.memo[key]

    def per_example(
        self,
        function: Callable[..., Tensor],
        x: Tensor,
        *,
        label: str,
        batch_size: int | None = None,
    ) -> Tensor:
        """`function` over batches of x (N, *event): (N,) float64 on the CPU, checked for shape.

        Where the examples are padded it is also given `lengths`, (B,) int64, and the batch is cut
        to the longest.
        """
        size, lengths = batch_size or self.batch_size, self.lengths
        if lengths is not None and len(lengths) != len(x):
            raise ValueError(f"{len(lengths)} lengths do not belong to {len(x)} examples")
        parts = []
        batches = range(0, len(x), size)
        for start in bar(batches, label, shown=self.progress):
            batch, more = x[start : start + size], {}
            if lengths is not None:
                steps = lengths[start : start + size]
                batch, more = batch[:, : int(steps.max())], {"lengths": steps.to(self.like.device)}
            values = function(self.for_model(batch), **more)
            if values.shape != (len(batch),):
                raise EvaluationError(
                    f"{label}: {type(self.model).__name__} gave shape {tuple(values.shape)} for "
                    f"{len(batch)} examples; expected one value an example, ({len(batch)},), "
                    f"averaged over nothing."
                )
            parts.append(values.detach().double().cpu())
        return torch.cat(parts)

    def nll(self) -> Tensor:
        """(N,) -log p(x) of every example in the model's space, in nats."""
        compute = lambda: -self.per_example(self.model.log_prob, self.x, label="nll")  # noqa: E731
        return self.once("nll", compute)

    def steps(self) -> Tensor:
        """(N,) float64 how many steps of each example the likelihood is of, without the given."""
        whole = torch.full((len(self.x),), self.x.shape[1])
        lengths = whole if self.lengths is None else self.lengths
        return lengths.double() - self.data.given

    def samples(self, n: int) -> Tensor:
        """(n, *data.shape) draws of the model on the CPU, shared by what compares samples."""
        return self.once(f"samples {n}", lambda: self._draw(n))

    def _draw(self, n: int) -> Tensor:
        generator, shape, parts = self.model_generator("samples"), tuple(self.data.shape), []
        sizes = [min(self.batch_size, n - start) for start in range(0, n, self.batch_size)]
        for size in bar(sizes, "samples", shown=self.progress):
            drawn = self.model.sample(size, generator=generator)
            if math.prod(drawn.shape) != size * math.prod(shape) or len(drawn) != size:
                raise EvaluationError(
                    f"{type(self.model).__name__}.sample({size}) gave shape {tuple(drawn.shape)}; "
                    f"expected {(size, *shape)}, the shape of the preprocessed {self.data.name}."
                )
            parts.append(drawn.detach().to(self.x).reshape(size, *shape))
        return torch.cat(parts)

    @property
    def noise(self) -> str:
        """How the preprocessing drew the examples, in words."""
        preprocess = self.data.preprocess
        if preprocess is None:
            return "no preprocessing"
        if not preprocess.is_random:
            return f"preprocessing {preprocess}"
        return f"preprocessing {preprocess}, its noise drawn once with seed {self.seed}"

    def on(self, x: Tensor) -> "Context":
        """The same evaluation on other examples."""
        return replace(self, x=x, memo={})
