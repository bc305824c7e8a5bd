"""Laws of every sampler: what decides its draws, and their shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.laws.base import must_work, seeded
from tests.laws.module import Module


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
        assert (
            len(torch.unique(draws, dim=0)) > 1
        ), "64 draws are all equal. Likely cause: one noise vector is shared by the whole batch"

    def test_generator_may_be_left_out(self):
        model = self.build()
        works = must_work("sample(64) without a generator", "generator=None is not the default")
        with torch.random.fork_rng(devices=[]), torch.no_grad(), works:
            torch.manual_seed(0)
            first, second = model.sample(64), model.sample(64)
        assert not torch.equal(first, second), (
            "two calls without a generator gave the same 64 samples. Likely cause: a seed fixed "
            "inside sample(); None means the global random state"
        )

    def _draw(self, model: nn.Module, n: int, seed: int) -> Tensor:
        assert hasattr(model, "sample"), "the model needs sample(n, *, generator=None)"
        with torch.no_grad():
            return model.sample(n, generator=seeded(seed))
