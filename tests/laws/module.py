"""Laws of every model, whatever it models: state, seeds, dtypes, batches, errors, learning."""

from __future__ import annotations

import random

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from tests.laws.base import Law, assert_close, must_work, other_seeds, seeded


def _seed_globals(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global generator is what the law watches
    random.seed(seed)


def _global_state() -> tuple[object, ...]:
    name, keys, position, *_ = np.random.get_state()  # noqa: NPY002
    return (torch.get_rng_state().tolist(), keys.tolist(), position, random.getstate())


class Module(Law):
    """Every model: what is stored is what is computed, and a seed decides every number."""

    overfit_batch = 4
    overfit_steps = 150
    overfit_rate = 0.02
    overfit_nats = 1.0  # how far the loss must fall

    def test_state_dict_round_trip(self):
        model = self.build()
        with other_seeds():
            copy = self.model().double().eval()
        cause = (
            "something that the function depends on (a mask, an ordering, a running mean) is "
            "neither a parameter nor a persistent buffer, or is not rebuilt after loading"
        )
        with must_work("state_dict -> safetensors -> load_state_dict", cause):
            state = {name: value.clone() for name, value in model.state_dict().items()}
            copy.load_state_dict(load_safetensors(save_safetensors(state)))
        x = self.inputs(8, seeded(10), model)
        with torch.no_grad():
            assert_close(
                self.evaluate(copy, x),
                self.evaluate(model, x),
                0.0,
                "A differently seeded model that loaded the state_dict computes something else",
                cause,
            )

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
            _seed_globals(global_seed)
            model = self.model().double().eval()
            x = self.inputs(8, seeded(10), model)
            with torch.no_grad():
                found = [self.evaluate(model, x)]
                found += [_flat(entry(x)) for entry in self.entries(model).values()]
                if hasattr(model, "sample"):
                    found.append(_flat(model.sample(8, generator=seeded(11))))
            results.append(dict(model.state_dict()) | {f"output {i}": v for i, v in enumerate(found)})
        for name, value in results[0].items():
            assert torch.equal(value, results[1][name]), (
                f"{name} changes with torch.manual_seed though every generator was passed in. "
                "Likely cause: a draw without generator=, such as nn.Linear's default "
                "initialisation, torch.randn_like or torch.bernoulli"
            )

    def test_global_random_state_is_left_alone(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        entries = dict(self.entries(model))
        if hasattr(model, "sample"):
            entries["sample"] = lambda x: model.sample(len(x), generator=seeded(11))
        for name, entry in entries.items():
            before = _global_state()
            with torch.no_grad():
                entry(x)
            assert before == _global_state(), (
                f"{name} drew from the global random state although a generator was passed. "
                "Likely cause: torch.randn_like, Distribution.sample or dropout in eval mode"
            )

    def test_float32_agrees_with_float64(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        cause = "a dtype written into the code (torch.float32, .float(), torch.zeros without dtype=x.dtype)"
        with torch.no_grad():
            with must_work("float64 input to a float64 model", cause):
                exact = self.evaluate(model, x)
            assert exact.dtype == torch.float64, f"float64 in, {exact.dtype} out: {cause}"
            assert not torch.equal(exact, exact.float().double()), (
                "every float64 result is exactly a float32 number, so part of the model computes "
                f"in single precision. Likely cause: {cause}"
            )
            with must_work("float32 input to a float32 model", cause):
                single = self.evaluate(model.float(), x.float())
            assert single.dtype == torch.float32, f"float32 in, {single.dtype} out: {cause}"
        assert_close(single, exact, 1e-3, "float32 against float64", "a step that loses precision")

    def test_batch_of_one_is_a_row_of_the_batch(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        cause = (
            "squeeze() without a dimension, statistics of the batch used in eval mode, or an "
            "average over the batch inside the model"
        )
        with torch.no_grad(), must_work("a batch of one", cause):
            together = self.evaluate(model, x)
            assert together.shape == (8,), (
                f"8 examples gave shape {tuple(together.shape)}, expected (8,): one number per "
                "example, never averaged or summed for the caller"
            )
            for i in range(8):
                what = f"example {i} alone against the same example in a batch of 8"
                assert_close(self.evaluate(model, x[i : i + 1])[None, 0], together[i, None], 1e-9, what, cause)

    def test_non_contiguous_input(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        strided = torch.stack([x, -x], dim=-1)[..., 0]  # the same values, every other number in memory
        assert not strided.is_contiguous()
        cause = ".view(...) on the input; use .reshape or .flatten"
        with torch.no_grad(), must_work("non-contiguous input", cause):
            what = "non-contiguous input against its contiguous copy"
            assert_close(self.evaluate(model, strided), self.evaluate(model, x), 1e-12, what, cause)

    def test_input_is_not_modified(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        for name, entry in self.entries(model).items():
            given = x.clone()
            with torch.no_grad():
                entry(given)
            assert torch.equal(given, x), (
                f"{name} changed the batch it was given. Likely cause: an in-place operation "
                "(x -= ..., x.clamp_, x[:, i] = ...) on the caller's tensor"
            )

    def test_evaluation_leaves_the_state_alone(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with torch.no_grad():
            for entry in self.entries(model).values():
                entry(x)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), (
                f"`{name}` changed while an eval-mode model was evaluated. Likely cause: running "
                "statistics updated without asking self.training"
            )

    def test_wrong_shape_is_refused(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        wide = torch.cat([x, x[..., :1]], dim=-1)
        for name, entry in self.entries(model).items():
            for wrong, fault in ((wide, "one column too many"), (x[0], "no batch dimension")):
                self._must_refuse(name, entry, wrong, fault)

    def _must_refuse(self, name, entry, wrong: Tensor, fault: str) -> None:
        shape = tuple(wrong.shape)
        try:
            with torch.no_grad():
                entry(wrong)
        except ValueError as error:
            text = str(error)
            assert all(str(size) in text for size in shape), (
                f"{name} refused shape {shape} ({fault}) without naming it: {text!r}. Say the "
                "shape that came and the shape that was expected"
            )
            return
        except Exception as error:
            raise AssertionError(
                f"{name} met shape {shape} ({fault}) with {type(error).__name__}: {error}. Check "
                "the shape once at the public border and raise ValueError naming it"
            ) from error
        raise AssertionError(
            f"{name} accepted shape {shape} ({fault}) in silence. Likely cause: broadcasting or "
            "reshape(-1, ...) hides the mistake; check the shape and raise ValueError"
        )

    def test_one_batch_can_be_overfitted(self):
        losses, model, start = self._overfit(self.overfit_steps)
        first, last = losses[0], sum(losses[-5:]) / len(losses[-5:])
        assert first - last >= self.overfit_nats, (
            f"after {self.overfit_steps} Adam steps on the same {self.overfit_batch} examples the "
            f"loss went from {first:.3f} to {last:.3f}, a fall of {first - last:.3f} nats; expected "
            f"at least {self.overfit_nats:g}. Likely cause: a detached tensor, a frozen layer, a "
            "mask that disconnects the input, or a loss with the wrong sign"
        )

    def test_every_parameter_learns(self):
        _, model, start = self._overfit(5)
        for name, value in model.named_parameters():
            assert not value.requires_grad or not torch.equal(value, start[name]), (
                f"`{name}` did not move in five Adam steps. Likely cause: it is not used, or "
                "its path to the loss is detached or masked away"
            )

    def _overfit(self, steps: int) -> tuple[list[float], nn.Module, dict[str, Tensor]]:
        model = self.model().double().train()
        start = {name: value.detach().clone() for name, value in model.named_parameters()}
        x = self.inputs(self.overfit_batch, seeded(10), model)
        optimiser = torch.optim.Adam(model.parameters(), lr=self.overfit_rate)
        generator, losses = seeded(12), []
        for _ in range(steps):
            loss = self.loss(model, x, generator)
            optimiser.zero_grad()
            with must_work("the gradient of the loss", "everything is detached from the parameters"):
                loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses, model, start


def _flat(result: object) -> Tensor:
    parts = result if isinstance(result, tuple) else (result,)
    return torch.cat([part.flatten() for part in parts])


class Sampler(Module):
    """A sampler's draws are decided by its generator and by nothing else."""

    def test_same_generator_same_draws(self):
        model = self.build()
        first, second = self._draw(model, 16, 20), self._draw(model, 16, 20)
        assert torch.equal(first, second), (
            "two generators with the same seed gave different samples. Likely cause: sample() "
            "ignores its generator and draws from the global random state"
        )

    def test_different_generators_different_draws(self):
        model = self.build()
        first, second = self._draw(model, 16, 20), self._draw(model, 16, 21)
        assert not torch.equal(first, second), (
            "generators with different seeds gave the same 16 samples. Likely cause: sample() "
            "makes its own generator with a fixed seed, or returns means instead of draws"
        )

    def test_one_generator_moves_on(self):
        model, generator = self.build(), seeded(20)
        with torch.no_grad():
            first = model.sample(16, generator=generator)
            second = model.sample(16, generator=generator)
        assert not torch.equal(first, second), (
            "two calls with one generator gave the same samples. Likely cause: sample() seeds a "
            "copy of the generator instead of drawing from it"
        )

    def test_sample_shapes(self):
        model = self.build()
        shape, _ = self._event(model)
        for n in (0, 1, 5):
            with must_work(f"sample({n})", "a size that is squeezed or assumed to be positive"):
                draws = self._draw(model, n, 20)
            assert tuple(draws.shape) == (n, *shape), (
                f"sample({n}) gave shape {tuple(draws.shape)}, expected {(n, *shape)}: the number "
                "of draws first, then the shape of one example"
            )

    def test_samples_are_distinct_rows(self):
        draws = self._draw(self.build(), 64, 20).flatten(1)
        assert len(torch.unique(draws, dim=0)) > 1, (
            "64 draws are all equal. Likely cause: one noise vector is shared by the whole batch"
        )

    def _draw(self, model: nn.Module, n: int, seed: int) -> Tensor:
        assert hasattr(model, "sample"), "the model needs sample(n, *, generator=None)"
        with torch.no_grad():
            return model.sample(n, generator=seeded(seed))
