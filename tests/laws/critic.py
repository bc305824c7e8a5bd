"""Laws of critics that a gradient penalty keeps near the 1-Lipschitz functions.

Gulrajani et al. (2017), arXiv:1704.00028, Eq. (3): the critic minimises
E f(G(z)) - E f(x) + lambda E (|gradient of f at x^| - 1)^2, with x^ on segments from samples to data.
"""

from __future__ import annotations

import torch
from scipy.stats import kstest, wasserstein_distance
from torch import Tensor, nn

from tests.laws.base import assert_close, must_work, seeded
from tests.laws.module import Module
from tests.laws.statistics import ALPHA


class Linear(nn.Module):
    """f(x) = w . x + 3, whose gradient is w everywhere."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight + 3


class Function(nn.Module):
    """A critic without weights."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x.flatten(1))


class Critic(Module):
    """A critic, and the loss and the penalty that train it.

    `model()` is the critic, examples (B, *event_shape) to (B,). The test supplies the four functions
    below; they must take any critic, a `nn.Module` with nothing but a `forward` as well.
    """

    values = "real"
    tolerance = 0.07  # of the trained critic's Wasserstein distance, relative
    critic_steps = 250  # in which it must reach it

    def penalty(self, critic: nn.Module, x: Tensor) -> Tensor:
        """The penalty at the points x (B, *event_shape), a scalar without lambda."""
        raise NotImplementedError("define penalty(critic, x): the mean of (|gradient| - 1)^2")

    def interpolates(self, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
        """The points x^ at which the penalty is taken, shaped like `real` and `fake`."""
        raise NotImplementedError("define interpolates(real, fake, generator)")

    def critic_loss(
        self,
        critic: nn.Module,
        real: Tensor,
        fake: Tensor,
        *,
        penalty_weight: float,
        generator: torch.Generator,
    ) -> Tensor:
        """What the critic minimises, a scalar."""
        raise NotImplementedError("define critic_loss(critic, real, fake, ...)")

    def line_critic(self) -> nn.Module:
        """A critic (B, 1) to (B,) large enough for distributions on the line."""
        raise NotImplementedError("define line_critic(): the model for event_shape (1,)")

    def loss(self, model: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
        fake = 3 + torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return self.critic_loss(model, x, fake, penalty_weight=0.1, generator=generator)

    def evaluate(self, model: nn.Module, x: Tensor) -> Tensor:
        return model(x)

    def entries(self, model: nn.Module) -> dict:
        return {"the critic": model}

    def _points(self, n: int, seed: int) -> Tensor:
        return torch.randn(n, *self.event_shape, generator=seeded(seed), dtype=torch.float64)

    # --- the penalty -----------------------------------------------------------------------------

    def test_penalty_of_a_linear_critic_is_its_closed_form(self):
        x = self._points(6, 30)
        direction = self._points(1, 31).flatten()
        for norm in (0.25, 1.0, 3.0):
            critic = Linear(norm * direction / direction.norm())
            assert_close(
                self.penalty(critic, x),
                torch.tensor((norm - 1) ** 2, dtype=x.dtype),
                1e-10,
                f"the penalty of a linear critic with |w| = {norm:g}, which is (|w| - 1)^2",
                "a square of the norm, a norm that is penalised on one side only, a sum over the "
                "examples instead of their mean, or a mean over the coordinates in the norm",
            )

    def test_penalty_of_a_unit_gradient_is_zero(self):
        centre = self._points(1, 32).flatten() + 9
        distance = Function(lambda x: (x - centre).norm(dim=1))
        assert_close(
            self.penalty(distance, self._points(6, 33)),
            torch.zeros((), dtype=torch.float64),
            1e-20,
            "the penalty of the distance from a point, whose gradient has norm 1 and a direction "
            "of its own at every example",
            "gradients that are averaged over the examples before the norm is taken",
        )

    def test_penalty_is_of_each_example(self):
        x = self._points(6, 34)
        norms = x.flatten(1).norm(dim=1)
        assert_close(
            self.penalty(Function(lambda x: 0.5 * x.square().sum(1)), x),
            (norms - 1).square().mean(),
            1e-10,
            "the penalty of f(x) = |x|^2 / 2, which is the mean of (|x| - 1)^2",
            "one norm of the whole batch's gradient, a mean of norms before the square, or a norm "
            "over another dimension than the example's own",
        )

    def test_penalty_of_the_model_is_that_of_its_autograd_gradient(self):
        """A gradient in closed form must be the one that automatic differentiation finds."""
        model, x = self.build(), self._points(8, 35)
        with must_work("the penalty of the model", "a gradient that needs something special"):
            found = self.penalty(model, x)
        inputs = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(model(inputs).sum(), inputs, create_graph=True)
        expected = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        cause = "a layer, a slope or a bias that the closed form has wrong"
        assert_close(found, expected, 1e-9, "the model's penalty", cause)
        assert found.requires_grad, (
            "the model's penalty has no gradient in its weights, so it cannot train them. Likely "
            "cause: create_graph=False, a detach, or torch.no_grad()"
        )
        parameters = list(model.parameters())
        grads = [torch.autograd.grad(v, parameters, allow_unused=True) for v in (found, expected)]
        for (name, parameter), mine, exact in zip(model.named_parameters(), *grads, strict=True):
            zero = torch.zeros_like(parameter)
            assert_close(
                zero if mine is None else mine,
                zero if exact is None else exact,
                1e-9,
                f"the gradient of the penalty in `{name}` against a double backward pass",
                "a part of the penalty's graph that is detached",
            )

    # --- the points at which it is taken ---------------------------------------------------------

    def test_interpolates_lie_on_segments(self):
        real, fake = self._points(512, 36), self._points(512, 37) + 5
        x = self.interpolates(real, fake, seeded(38))
        assert x.shape == real.shape, f"interpolates have shape {tuple(x.shape)}, not the data's"
        steps = ((x - fake) / (real - fake)).flatten(1)  # the share of the data, by coordinate
        assert_close(
            steps,
            steps[:, :1].expand_as(steps),
            1e-6,
            "the coordinates of x^ = eps x + (1 - eps) G(z), which share the example's one eps",
            "an epsilon for each coordinate, or pairs that were shuffled: such points are in the "
            "box between x and G(z), and not on the segment",
        )
        eps = steps[:, 0].numpy()
        assert kstest(eps, "uniform").pvalue > ALPHA, (
            f"the 512 epsilons of a batch are not uniform on [0, 1]: {len(set(eps))} different "
            f"ones from {eps.min():.3g} to {eps.max():.3g}. Likely cause: one epsilon for the "
            "whole batch, or another law"
        )

    # --- the critic ------------------------------------------------------------------------------

    def test_critic_judges_each_example_by_itself(self):
        model, x = self.build().train(), self._points(5, 39).requires_grad_()
        for i, value in enumerate(model(x)):
            (gradient,) = torch.autograd.grad(value, x, retain_graph=True)
            others = torch.cat([gradient[:i], gradient[i + 1 :]])
            assert not others.any(), (
                "in train mode f(x_i) depends on other examples of the batch, so the penalty is "
                "not that of a function of x. Likely cause: batch normalisation in the critic; "
                "layer normalisation does not do that"
            )

    def test_critic_loss_has_its_sign(self):
        """-(mean f(x) - mean f(G(z))), and plus the penalty."""
        real, fake = self._points(64, 40), self._points(64, 41) - 1
        direction = torch.ones(real[0].numel(), dtype=torch.float64)
        direction /= direction.norm()
        for norm in (1.0, 2.0):
            critic = Linear(norm * direction)
            estimate = (critic(real).mean() - critic(fake).mean()).detach()
            assert_close(
                self.critic_loss(critic, real, fake, penalty_weight=7.0, generator=seeded(42)),
                -estimate + 7 * (norm - 1) ** 2,
                1e-9,
                f"the loss of a linear critic with |w| = {norm:g}, -(mean f(x) - mean f(G(z))) + "
                f"lambda (|w| - 1)^2 with lambda = 7",
                "data and samples exchanged, the estimate added instead of subtracted, or a "
                "penalty that is forgotten, subtracted or weighted otherwise",
            )

    def test_trained_critic_finds_the_wasserstein_distance(self):
        """In one dimension W1 is known: the integral of |F - G|, or of the quantiles' distance.

        Lambda grows from 0.3 to 50: at first the data decide the sign of every slope, at last slopes
        are 1 to a few per cent. With a high lambda from the start a wrong sign would stay, because
        the way through zero leads over the penalty's maximum; a property of the loss, not a fault.
        """
        noise = [torch.randn(512, 1, generator=seeded(s), dtype=torch.float64) for s in (43, 44)]
        side = (torch.arange(512) % 2 * 2 - 1)[:, None]
        pairs = {
            "a shift by 2": (noise[0], noise[1] + 2),
            "one Gaussian between two": (1.5 * side + 0.3 * noise[0], noise[1]),
        }
        for name, (real, fake) in pairs.items():
            exact = wasserstein_distance(real.flatten().numpy(), fake.flatten().numpy())
            found = self._trained_estimate(real.float(), fake.float())
            error = abs(found - exact) / exact
            assert error <= self.tolerance, (
                f"{name}: a critic trained for {self.critic_steps} steps estimates {found:.4f}, and "
                f"the Wasserstein distance is {exact:.4f} (relative error {error:.3f}, tolerance "
                f"{self.tolerance:g}). Likely cause: a penalty with the wrong sign or scale, or one "
                "that does not reach the weights"
            )

    def _trained_estimate(self, real: Tensor, fake: Tensor) -> float:
        critic, generator = self.line_critic().float(), seeded(45)
        optimiser = torch.optim.Adam(critic.parameters(), lr=0.01, fused=True)
        for step in range(self.critic_steps):
            progress = step / self.critic_steps
            optimiser.param_groups[0]["lr"] = 0.01 * (1 - 0.9 * progress)
            weight = 0.3 * (50 / 0.3) ** min(1, 1.25 * progress)
            paired = fake[torch.randperm(len(fake), generator=generator)]
            loss = self.critic_loss(
                critic, real, paired, penalty_weight=weight, generator=generator
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            return (critic(real).mean() - critic(fake).mean()).item()
