"""Laws of the adversarial losses of Goodfellow et al. (2014) and of packing (Lin et al. 2018).

They are exact: real and generated points are dealt in whole numbers, so that the mean over a batch
is the expectation under a density that is known, and the best discriminator is known with it.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from tests.laws.base import Law, assert_close, must_work, seeded

# Two pairs of densities on three points, in tenths: the real one and the generated one.
REAL = ((5, 3, 2), (1, 1, 8))
FAKE = ((2, 2, 6), (4, 4, 2))


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """JS(p, q) in nats of masses on the last dimension, by its definition."""
    middle = (p + q) / 2
    divergences = [torch.special.xlogy(a, a / middle).sum(-1) for a in (p, q)]
    return sum(divergences) / 2


def masses(counts: tuple[int, ...]) -> Tensor:
    """Counts as a mass, float64."""
    counts = torch.tensor(counts, dtype=torch.float64)
    return counts / counts.sum()


def dealt(values: Tensor, counts: tuple[int, ...]) -> Tensor:
    """Each value as often as its count says."""
    return values.repeat_interleave(torch.tensor(counts))


def best_logits(real: tuple, fake: tuple) -> Tensor:
    """log D / (1 - D) = log p / q of the best discriminator at every point."""
    return (masses(real) / masses(fake)).log()


class Adversarial(Law):
    """Losses by logits; the value of the game is 2 JS - log 4, packed or not; who moves whom.

    `model()` returns a module that offers

    - ``discriminator_loss(real, fake)``: logits (R, B) and (R, B) -> (R,) nats, to be minimised
    - ``generator_losses``: {"minimax": loss, "non-saturating": loss}, logits (R, B) -> (R,) nats
    - ``pack(x, m)``: (N m, d) samples -> (N, m d) inputs of the discriminator
    - ``turns(x, generator)``: the two losses of one round on data x (R B m, 2), the discriminator's
      first, as its training computes them, with the networks that they teach in ``players``, the
      discriminator first. An iterator, so that the second may be made after a step.
    """

    def test_loss_of_the_best_discriminator_is_log_4_less_twice_js(self):
        """Theorem 1 of Goodfellow et al., on two pairs of masses at once."""
        game = self.model()
        logits = [best_logits(p, q) for p, q in zip(REAL, FAKE, strict=True)]
        real, fake = (
            torch.stack([dealt(v, c) for v, c in zip(logits, counts, strict=True)])  # (2, 10)
            for counts in (REAL, FAKE)
        )
        p, q = (torch.stack([masses(c) for c in counts]) for counts in (REAL, FAKE))
        with must_work("discriminator_loss of logits (2, 10)", "it assumes one replicate"):
            loss = game.discriminator_loss(real, fake)
        assert_close(
            loss,
            math.log(4) - 2 * jensen_shannon(p, q),
            1e-12,
            "the discriminator's loss at D* = p / (p + q), for two pairs of masses",
            "a sign, a missing term, a sum of means halved (log 4 becomes log 2), or a mean over "
            "replicates in place of the batch",
        )

    def test_it_is_the_js_of_densities_too(self):
        """Two Gaussians, their expectations by 20,000 quantiles and their JS by quadrature."""
        game, shift, num = self.model(), 1.5, 20_000
        normal = torch.distributions.Normal(0.0, 1.0)
        levels = (torch.arange(num, dtype=torch.float64) + 0.5) / num
        x = normal.icdf(levels)  # of N(0, 1); shifted: of N(shift, 1)
        logit = lambda x: shift**2 / 2 - shift * x  # noqa: E731  log p / q
        grid = torch.linspace(-12, 14, 20_001, dtype=torch.float64)
        step = grid[1] - grid[0]
        p, q = (normal.log_prob(grid - mean).exp() * step for mean in (0.0, shift))
        assert_close(
            game.discriminator_loss(logit(x)[None], logit(x + shift)[None]),
            (math.log(4) - 2 * jensen_shannon(p, q))[None],
            1e-4,
            "the discriminator's loss at D* for N(0, 1) against N(1.5, 1)",
            "the loss is not that of Eq. (1) of Goodfellow et al.",
        )

    def test_no_discriminator_does_better(self):
        """The gradient by D's logit at each point is zero at D*, and the loss rises around it."""
        game = self.model()
        best = best_logits(REAL[0], FAKE[0])

        def loss(logits: Tensor) -> Tensor:
            return game.discriminator_loss(
                dealt(logits, REAL[0])[None], dealt(logits, FAKE[0])[None]
            ).sum()

        logits = best.clone().requires_grad_()
        cause = "real and generated change places, or their terms have different weights"
        (slope,) = torch.autograd.grad(loss(logits), logits)
        what = "the slope of the discriminator's loss at D*, by its logit at each of three points"
        assert_close(slope, torch.zeros(3), 1e-12, what, cause)
        for change in (-0.5, 0.5):
            assert loss(best + change) > loss(best), f"a better D than D* = p / (p + q): {cause}"

    def test_packing_is_the_js_of_products_and_grows_with_m(self):
        """Every m-tuple as often as its probability says, through the model's own `pack`."""
        game, before = self.model(), 0.0
        best = best_logits(REAL[0], FAKE[0])
        for m in (1, 2, 3):
            losses = []
            for counts in (REAL[0], FAKE[0]):
                rows = dealt(torch.arange(3.0, dtype=torch.float64), counts)  # (10,)
                tuples = torch.cartesian_prod(*[rows] * m).reshape(-1, m)  # (10^m, m)
                with must_work(f"pack of {m}", "a shape"):
                    packs = game.pack(tuples.reshape(-1, 1), m)
                assert packs.shape == tuples.shape, (
                    f"{tuples.numel()} samples of one number in packs of {m} have shape "
                    f"{tuple(packs.shape)}, expected {tuple(tuples.shape)}"
                )
                losses.append(best[packs.long()].sum(1)[None])  # log of a ratio of products
            product = [masses(c) for c in (REAL[0], FAKE[0])]
            joint = [
                torch.stack([torch.stack(t).prod() for t in itertools.product(p, repeat=m)])
                for p in product
            ]
            divergence = jensen_shannon(*joint)
            assert_close(
                game.discriminator_loss(*losses),
                (math.log(4) - 2 * divergence)[None],
                1e-10,
                f"the loss of the best discriminator of packs of {m}",
                "samples of different packs are mixed, or one is used twice",
            )
            assert divergence > before, "the reference itself is wrong"
            before = divergence

    def test_a_pack_is_m_neighbours(self):
        game = self.model()
        x = torch.randn(24, 2, dtype=torch.float64, generator=seeded(1))
        for m in (1, 2, 3):
            assert_close(
                game.pack(x, m),
                x.reshape(24 // m, 2 * m),
                0.0,
                f"24 points in packs of {m}",
                "the view runs over the batch first, so that packs share samples or their "
                "coordinates",
            )

    def test_both_generator_losses_point_the_same_way(self):
        """Slopes -s(l) and -s(-l) by the logit: both fall as D is fooled, their ratio is e^l."""
        game = self.model()
        logits = torch.linspace(-8, 8, 33, dtype=torch.float64)
        slopes = {}
        for name, loss in game.generator_losses.items():
            given = logits.clone()[None].requires_grad_()
            (slope,) = torch.autograd.grad(loss(given).sum(), given)
            slopes[name] = slope[0] * len(logits)  # the loss is a mean
        wanted = {
            "minimax": -torch.sigmoid(logits),
            "non-saturating": -torch.sigmoid(-logits),
        }
        for name, slope in wanted.items():
            assert_close(
                slopes[name],
                slope,
                1e-12,
                f"the slope of the {name} loss by the logits -8 ... 8, times their number",
                "a sign (the generator would help the discriminator), a sum in place of the mean, "
                "or one loss under the other's name",
            )

    def test_against_a_sure_discriminator_only_the_minimax_gradient_fades(self):
        game = self.model()
        for name, least, most in (("minimax", 0.0, 1e-12), ("non-saturating", 0.99, 1.01)):
            given = torch.full((1, 4), -30.0, dtype=torch.float64, requires_grad=True)
            (slope,) = torch.autograd.grad(game.generator_losses[name](given).sum(), given)
            size = slope.abs().sum().item()
            assert least <= size <= most, (
                f"where D is sure that samples are generated (logit -30) the {name} loss has a "
                f"gradient of {size:.3g}, expected {least:g} to {most:g}. Likely cause: the "
                "logarithm of a probability that is rounded or clamped, or the other loss"
            )

    def test_each_turn_teaches_its_own_player(self):
        """The discriminator's loss must not reach the generator; each reaches its own, all of it."""
        game = self.model().double().train()
        x = torch.randn(48, 2, dtype=torch.float64, generator=seeded(2))
        discriminator, generator = game.players
        turns = iter(game.turns(x, seeded(3)))
        loss = next(turns)
        assert not any(moves(loss, generator)), (
            "the discriminator's loss has a gradient for the generator, which would learn to be "
            "found out. Likely cause: the samples are not detached in the discriminator's turn"
        )
        for name, player in (("discriminator", discriminator), ("generator", generator)):
            loss = loss if player is discriminator else next(turns)
            moved = moves(loss, player)
            assert all(moved), (
                f"the {name}'s loss moves {sum(moved)} of its {len(moved)} parameters. Likely "
                "cause: the samples are detached in its turn, or a layer is not used"
            )


def moves(loss: Tensor, player: nn.Module) -> list[bool]:
    """Whether the loss has a gradient for each parameter."""
    slopes = torch.autograd.grad(
        loss, list(player.parameters()), allow_unused=True, retain_graph=True
    )
    return [slope is not None and bool((slope != 0).any()) for slope in slopes]
