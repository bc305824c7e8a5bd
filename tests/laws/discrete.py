"""Laws of models of binary vectors: mass, autoregressive causality, cached sampling."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, must_work, seeded
from tests.laws.enumeration import all_binary, assert_follow, assert_is_mass, string_counts
from tests.laws.module import Module
from tests.laws.sampler import Sampler


class BinaryMass(Sampler):
    """log_prob is a normalised mass on {0, 1}^D and the samples follow it."""

    values = "binary"
    num_draws = 20_000

    def test_mass_sums_to_one(self):
        model = self.build()
        cause = (
            "an average over pixels instead of a sum, a mask that lets a pixel see itself, or a "
            "missing normaliser"
        )
        assert_is_mass(*self._table(model), cause)

    def test_samples_follow_the_mass(self):
        model = self.build()
        _, log_prob = self._table(model)
        with torch.no_grad():
            draws = model.sample(self.num_draws, generator=seeded(30)).flatten(1)
        cause = (
            "dimensions sampled in another order than the masks', a temperature, or a threshold in "
            "place of a Bernoulli draw"
        )
        assert_follow(string_counts(draws, 2), log_prob.exp(), "exp(log_prob)", cause)

    def _table(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        shape, _ = self._event(model)
        states = all_binary(int(np.prod(shape))).reshape(-1, *shape)
        with torch.no_grad():
            return states, model.log_prob(states)


class Autoregressive(Module):
    """Each conditional depends on all earlier dimensions of the ordering and on no other.

    The model offers ``conditional_logits(x) -> (B, D)``, the logits of p(x_d = 1 | x before d),
    and ``ordering`` (D,), the position of each dimension in the chain (from 0 or from 1).
    """

    values = "binary"
    every_dependency = False  # True demands every allowed path, where connectivity is not random

    def entries(self, model):
        return super().entries(model) | {"conditional_logits": model.conditional_logits}

    def test_ordering_is_a_permutation(self):
        ordering = torch.as_tensor(self.build().ordering).flatten()
        ranks = ordering.sort().values - ordering.min()
        assert torch.equal(ranks.cpu(), torch.arange(len(ordering))), (
            f"ordering = {ordering.tolist()} is not a permutation: it must hold the position of "
            "each input dimension in the chain, each position once"
        )

    def test_jacobian_is_zero_where_the_ordering_forbids(self):
        model = self.build()
        jacobian = self._jacobian(model)  # (D, D): [i, j] = largest |d logit_i / d x_j|
        forbidden = ~self._allowed(model)
        if bool((jacobian[forbidden] != 0).any()):
            i, j = (forbidden & (jacobian != 0)).nonzero()[0].tolist()
            order = torch.as_tensor(model.ordering).tolist()
            raise AssertionError(
                f"d logit_{i} / d x_{j} = {jacobian[i, j].item():.3g}, expected exactly 0: "
                f"dimension {i} has position {order[i]}, dimension {j} position {order[j]}. Likely "
                "cause: a mask with >= where > belongs (the output layer is strict), or masks "
                "built for another ordering"
            )

    def test_flipped_bits_do_not_reach_earlier_conditionals(self):
        model = self.build()
        allowed = self._allowed(model)
        x = self.inputs(16, seeded(31), model)
        with torch.no_grad():
            logits = model.conditional_logits(x)  # (B, D)
            for j in range(logits.shape[1]):
                flipped = x.flatten(1).clone()
                flipped[:, j] = 1 - flipped[:, j]
                moved = (model.conditional_logits(flipped.reshape(x.shape)) != logits).any(0)
                leaks = (moved & ~allowed[:, j]).nonzero().flatten().tolist()
                assert not leaks, (
                    f"flipping x_{j} changes the logits of dimensions {leaks}, which come before "
                    "it or are it. Likely cause: a leak that the gradient does not see (a "
                    "threshold, a detach, a statistic over all dimensions)"
                )

    def test_jacobian_is_not_zero_where_the_ordering_allows(self):
        model = self.build()
        connected, allowed = self._jacobian(model) != 0, self._allowed(model)
        missing = (allowed & ~connected).nonzero().tolist()
        assert not (self.every_dependency and missing), (
            f"logit_i does not depend on x_j for (i, j) in {missing}, though the ordering allows "
            "it. Likely cause: a hidden mask that is strict too (> where >= belongs), or too few "
            "hidden units (then enlarge the test's model)"
        )
        position = torch.as_tensor(model.ordering).flatten().argsort()
        neighbours = connected[position[1:], position[:-1]]  # (D - 1,) in the chain's order
        assert neighbours.double().mean() >= 0.5, (
            f"only {int(neighbours.sum())} of the {len(neighbours)} conditionals depend on the "
            "dimension just before theirs; expected at least half. Likely cause: a hidden mask "
            "that is strict too (> where >= belongs), or inputs that never reach the output"
        )

    def test_log_prob_is_the_sum_of_the_conditionals(self):
        model = self.build()
        x = self.inputs(16, seeded(32), model)
        with torch.no_grad():
            logits = model.conditional_logits(x)
            log_prob = model.log_prob(x)
        assert (
            logits.shape == x.flatten(1).shape
        ), f"conditional_logits gave {tuple(logits.shape)}, expected {tuple(x.flatten(1).shape)}"
        bernoulli = torch.distributions.Bernoulli(logits=logits)
        assert_close(
            log_prob,
            bernoulli.log_prob(x.flatten(1)).sum(1),
            1e-10,
            "log_prob(x) against the sum over d of log Bernoulli(x_d | logit_d)",
            "a mean over pixels, a sign, or logits and data swapped in the cross-entropy",
        )

    def _allowed(self, model: nn.Module) -> Tensor:
        """[i, j] is true where dimension j comes strictly before dimension i, (D, D)."""
        ordering = torch.as_tensor(model.ordering).flatten()
        return ordering[None, :] < ordering[:, None]

    def _jacobian(self, model: nn.Module) -> Tensor:
        x = self.inputs(32, seeded(33), model).requires_grad_()
        logits = model.conditional_logits(x)
        rows = []
        for i in range(logits.shape[1]):
            (gradient,) = torch.autograd.grad(
                logits[:, i].sum(), x, retain_graph=True, allow_unused=True
            )
            gradient = torch.zeros_like(x) if gradient is None else gradient
            rows.append(gradient.flatten(1).abs().amax(0))
        return torch.stack(rows)  # (D, D)


class CachedSampler(Sampler):
    """sample, which computes only what is new, equals sample_naive, which computes everything."""

    def test_cached_sampler_equals_naive_sampler(self):
        for dtype in (torch.float64, torch.float32):
            model = self.build().to(dtype)
            for n, seed in ((1, 40), (7, 41), (2048, 42)):
                with torch.no_grad(), must_work(f"sample({n}) in {dtype}", "a dtype in the cache"):
                    cached = model.sample(n, generator=seeded(seed))
                    naive = model.sample_naive(n, generator=seeded(seed))
                assert torch.equal(cached, naive), (
                    f"{int((cached != naive).sum())} of {cached.numel()} entries differ between "
                    f"sample({n}) and sample_naive({n}) with the same generator ({dtype}); expected "
                    "none. Likely cause: a cache updated one step late or with the wrong mask "
                    "row, or noise drawn in another order"
                )
