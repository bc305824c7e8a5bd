"""Laws of state and seeds: what is stored is what is computed, and a seed decides every number."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from tests.laws.base import Law, assert_close, must_work, other_seeds, seeded


def _global_state() -> tuple:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


@contextlib.contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed every global generator, and give each its state back afterwards."""
    before = _global_state()
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global generator is what the law watches
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        random.setstate(before[2])


def _global_draws() -> tuple:
    """The next number of every global generator: it changes when one of them was drawn from."""
    state = _global_state()
    draws = (torch.rand(4).tolist(), np.random.rand(), random.random())  # noqa: NPY002
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    random.setstate(state[2])
    return draws


def _flat(result: object) -> Tensor:
    parts = result if isinstance(result, tuple) else (result,)
    return torch.cat([part.flatten() for part in parts])


class State(Law):
    """The state_dict holds the whole model, and passed generators are its only randomness."""

    def test_state_dict_round_trip(self):
        model = self.build()
        with other_seeds():
            other = self.model().double().eval()
        cause = (
            "something that the function depends on (a mask, an ordering, a running mean) is "
            "neither a parameter nor a persistent buffer, or is not rebuilt after loading"
        )
        with must_work("state_dict -> safetensors -> load_state_dict", cause):
            self._load(other, model)
        self._assert_same(
            other, model, "A differently seeded model that loaded the state_dict", cause
        )

    def test_new_weights_take_effect(self):
        """Evaluate, change the weights in each of the ways there are, and evaluate again."""
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        with other_seeds():
            other = self.build()

        def step():
            torch.optim.SGD(model.parameters(), lr=0.01).step()

        def fused_step():  # which leaves Tensor._version as it was
            torch.optim.Adam(model.train().parameters(), lr=0.01, fused=True).step()
            model.eval()

        def replace():
            for parameter in model.parameters():
                parameter.data = parameter.data * 0.9

        self.loss(model, x, seeded(13)).backward()
        ways = {
            "an optimiser's step": step,
            "a fused optimiser's step between train() and eval()": fused_step,
            "load_state_dict": lambda: self._load(model, other),
            "parameter.data = ...": replace,
            "parameter.data = ... again": replace,
        }
        for way, change in ways.items():
            with torch.no_grad():
                self._outputs(model, x)  # whatever is cached is cached now
            change()
            fresh = self.model().double().eval()
            self._load(fresh, model)
            cause = "something computed from the weights is cached and outlives them"
            self._assert_same(model, fresh, f"After {way} the model", cause)

    def _load(self, model: nn.Module, source: nn.Module) -> None:
        state = {name: value.clone() for name, value in source.state_dict().items()}
        model.load_state_dict(load_safetensors(save_safetensors(state)))

    def _outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        parts = [self.evaluate(model, x)]
        if hasattr(model, "sample"):
            parts.append(_flat(model.sample(8, generator=seeded(11))))
        return torch.cat(parts)

    def _assert_same(self, model: nn.Module, wanted: nn.Module, what: str, cause: str) -> None:
        x = self.inputs(8, seeded(10), wanted)
        what = f"{what} computes something else (8 values, then samples)"
        with torch.no_grad():
            assert_close(self._outputs(model, x), self._outputs(wanted, x), 1e-12, what, cause)

    def test_every_tensor_is_a_parameter_or_a_buffer(self):
        for name, module in self.model().named_modules():
            for attribute, value in vars(module).items():
                held = value if isinstance(value, list | tuple) else [value]
                assert not any(isinstance(item, Tensor) for item in held), (
                    f"`{name + '.' if name else ''}{attribute}` is a tensor kept as a plain "
                    "attribute, so .to(device), .double() and state_dict() miss it. Use "
                    "register_buffer (persistent=False if it can be rebuilt) or nn.Parameter"
                )

    def test_same_seed_same_numbers(self):
        results = []
        for global_seed in (0, 1):
            with _global_seed(global_seed), torch.no_grad():
                model = self.model().double().eval()
                x = self.inputs(8, seeded(10), model)
                outputs = {"evaluation": self.evaluate(model, x)}
                for name, entry in self._noisy_entries(model).items():
                    outputs[f"{name}(...)"] = _flat(entry(x))
            results.append(dict(model.state_dict()) | outputs)
        for name, value in results[0].items():
            assert torch.equal(value, results[1][name]), (
                f"`{name}` changes with torch.manual_seed though every generator was passed in. "
                "Likely cause: a draw without generator=, such as nn.Linear's default "
                "initialisation, torch.randn_like or torch.bernoulli"
            )

    def test_global_random_state_is_left_alone(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        for name, entry in self._noisy_entries(model).items():
            before = _global_draws()
            with torch.no_grad():
                entry(x)
            assert before == _global_draws(), (
                f"{name} drew from the global random state although a generator was passed. "
                "Likely cause: torch.randn_like, Distribution.sample or dropout in eval mode"
            )

    def _noisy_entries(self, model: nn.Module) -> dict:
        entries = dict(self.entries(model))
        if hasattr(model, "sample"):
            entries["sample"] = lambda x: model.sample(len(x), generator=seeded(11))
        return entries
