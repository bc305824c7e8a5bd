"""Laws of continuous models: densities by quadrature, flows by their Jacobian."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, must_work, seeded
from tests.laws.module import Module
from tests.laws.sampler import Sampler
from tests.laws.statistics import ALPHA, chi_square_p_value, uniform_p_value


class ContinuousDensity(Sampler):
    """log_prob is a normalised density on R^1 or R^2 and the samples follow it.

    The box of the quadrature is the range of the model's own samples, widened by half on each
    side, unless the test class gives `box`, (D, 2) lower and upper limits.
    """

    values = "real"
    noise = 0.3  # gentler than elsewhere: a very peaked density needs a finer grid
    box: tuple[tuple[float, float], ...] | None = None
    quadrature_tolerance = 2e-3
    num_draws = 20_000
    cells = 20  # along each axis, for the chi-square test

    def test_density_integrates_to_one(self):
        mass, _ = self._cell_masses(self.build())
        total = mass.sum().item()
        assert abs(total - 1) <= self.quadrature_tolerance, (
            f"the density integrates to {total:.6g}, expected 1 within "
            f"{self.quadrature_tolerance:g}. Likely cause: the log-determinant is missing or has "
            "the wrong sign, or the base density lacks its -D/2 log(2 pi)"
        )

    def test_samples_follow_the_density(self):
        model = self.build()
        mass, edges = self._cell_masses(model)
        with torch.no_grad():
            draws = model.sample(self.num_draws, generator=seeded(50))
        code = torch.zeros(len(draws), dtype=torch.long)
        inside = torch.ones(len(draws), dtype=torch.bool)
        for d, edge in enumerate(edges):
            cell = torch.bucketize(draws[:, d].contiguous(), edge, right=True) - 1
            inside &= (cell >= 0) & (cell < self.cells)
            code = code * self.cells + cell.clamp(0, self.cells - 1)
        code[~inside] = mass.numel()
        counts = np.bincount(code.numpy(), minlength=mass.numel() + 1)
        outside = max(1 - mass.sum().item(), 1e-6)
        p_value = chi_square_p_value(counts, np.append(mass.flatten().numpy(), outside))
        assert p_value >= ALPHA, (
            f"{self.num_draws} samples do not follow exp(log_prob) on a grid of {mass.numel()} "
            f"cells: chi-square p = {p_value:.2g} < {ALPHA:g}. Likely cause: sample() does not "
            "invert the transformation of log_prob, or its base noise has another scale"
        )

    def _cell_masses(self, model: nn.Module) -> tuple[Tensor, list[Tensor]]:
        """Probability of each coarse cell, by the midpoint rule, and the cells' edges."""
        with torch.no_grad():
            draws = model.sample(2048, generator=seeded(51))
        assert tuple(draws.shape[1:]) in ((1,), (2,)), (
            f"quadrature needs samples of shape (n, 1) or (n, 2), got {tuple(draws.shape)}: give "
            "the law a one- or two-dimensional model"
        )
        low, high = draws.min(0).values, draws.max(0).values
        margin = 0.5 * (high - low) + 1e-3
        box = torch.stack([low - margin, high + margin], 1)
        if self.box is not None:
            box = torch.tensor(self.box, dtype=torch.float64)
        fine = self.cells * (200 if len(box) == 1 else 25)  # points along each axis
        axes, edges, volume = [], [], 1.0
        for lower, upper in box.tolist():
            step = (upper - lower) / fine
            axes.append(lower + step * (torch.arange(fine, dtype=torch.float64) + 0.5))
            edges.append(torch.linspace(lower, upper, self.cells + 1, dtype=torch.float64))
            volume *= step
        points = torch.cartesian_prod(*axes).reshape(-1, len(axes))  # (fine^D, D)
        with torch.no_grad():
            density = torch.cat([model.log_prob(part) for part in points.split(50_000)]).exp()
        assert density.shape == (len(points),), f"log_prob gave shape {tuple(density.shape)}"
        per_cell = [size for _ in axes for size in (self.cells, fine // self.cells)]
        grid = (density * volume).reshape(per_cell)  # (cells, fine/cells) for each axis
        return grid.sum(dim=tuple(range(1, 2 * len(axes), 2))), edges


class Flow(Module):
    """forward and inverse are inverse maps and log_abs_det is the log-determinant of each.

    Hooks: `base_log_prob(z)` and `base_cdf(z)`, of a standard normal unless overridden.
    """

    values = "real"
    flow_tolerance = 1e-7

    def entries(self, model):
        return super().entries(model) | {"forward": model.forward, "inverse": model.inverse}

    def base_log_prob(self, z: Tensor) -> Tensor:
        """log-density of the base distribution, (B,), summed over the dimensions of z."""
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1)

    def base_cdf(self, z: Tensor) -> Tensor:
        """Cumulative distribution of every coordinate of the base distribution."""
        return torch.special.ndtr(z)

    def test_inverse_undoes_forward(self):
        model = self.build()
        x = 2 * self.inputs(16, seeded(60), model)
        with (
            torch.no_grad(),
            must_work("inverse(forward(x))", "shapes that differ on the way back"),
        ):
            z, log_abs_det = model.forward(x)
            assert log_abs_det.shape == (16,), (
                f"forward gave log_abs_det of shape {tuple(log_abs_det.shape)} for 16 examples, "
                "expected (16,): one log-determinant per example"
            )
            back, _ = model.inverse(z)
        cause = "a step that inverse leaves out, applies in forward's order, or with another scale"
        assert_close(back, x, self.flow_tolerance, "inverse(forward(x)) against x", cause)

    def test_forward_undoes_inverse(self):
        model = self.build()
        x = self.inputs(16, seeded(61), model)
        with torch.no_grad():
            z = torch.randn(model.forward(x)[0].shape, generator=seeded(62), dtype=x.dtype)
            again, _ = model.forward(model.inverse(z)[0])
        cause = "forward is not onto (clamped or saturated), or inverse is not its inverse"
        assert_close(again, z, self.flow_tolerance, "forward(inverse(z)) against z", cause)

    def test_log_abs_det_is_that_of_the_jacobian(self):
        model = self.build()
        x = self.inputs(4, seeded(63), model)
        with torch.no_grad():
            _, claimed = model.forward(x)
        jacobians = self._jacobians(model, x)
        assert jacobians.shape[1] == jacobians.shape[2], (
            f"forward maps {jacobians.shape[2]} dimensions to {jacobians.shape[1]}: a flow keeps "
            "their number"
        )
        assert_close(
            claimed,
            torch.linalg.slogdet(jacobians).logabsdet,
            self.flow_tolerance,
            "forward's log_abs_det against slogdet of the autograd Jacobian",
            "a term left out (a layer, a scale, a factored-out part), a wrong sign, or a mean or "
            "a sum over the wrong dimension",
        )

    def test_inverse_log_abs_det_is_minus_forward(self):
        model = self.build()
        x = self.inputs(16, seeded(64), model)
        with torch.no_grad():
            z, forward = model.forward(x)
            _, inverse = model.inverse(z)
        cause = "inverse returns forward's sign, or evaluates its scale at another point"
        what = "inverse's log_abs_det at forward(x) against minus forward's at x"
        assert_close(inverse, -forward, self.flow_tolerance, what, cause)

    def test_log_prob_is_the_change_of_variables(self):
        model = self.build()
        x = self.inputs(16, seeded(65), model)
        with torch.no_grad():
            z, log_abs_det = model.forward(x)
            log_prob = model.log_prob(x)
        assert_close(
            log_prob,
            self.base_log_prob(z) + log_abs_det,
            1e-9,
            "log_prob(x) against log p_base(z) + log |det dz/dx|",
            "the log-determinant is dropped or subtracted, or the base density lacks its constant",
        )

    def test_samples_map_back_to_base_noise(self):
        model = self.build()
        n = max(1000, 20_000 // math.prod(self._event(model)[0]))
        with torch.no_grad():
            draws = model.sample(n, generator=seeded(66))
            uniform = self.base_cdf(model.forward(draws)[0]).flatten(1)  # (n, D)
        p_values = {f"dimension {d}": uniform_p_value(u.numpy()) for d, u in enumerate(uniform.T)}
        p_values["all dimensions together"] = uniform_p_value(uniform.flatten().numpy())
        worst, p_value = min(p_values.items(), key=lambda item: item[1])
        assert p_value >= ALPHA / len(p_values), (
            f"forward(sample({n})) is not base noise: {worst} of z: Kolmogorov-Smirnov p = "
            f"{p_value:.2g} < {ALPHA / len(p_values):.2g}. Likely cause: a temperature on the "
            "noise, or sample() skips a step of inverse"
        )

    def _jacobians(self, model: nn.Module, x: Tensor) -> Tensor:
        """d z_i / d x_j of each example, (B, D, D): the examples are independent, so their sum
        has the gradient of each."""
        x = x.clone().requires_grad_()
        z = model.forward(x)[0].flatten(1).sum(0)  # (D,)
        rows = [torch.autograd.grad(value, x, retain_graph=True)[0].flatten(1) for value in z]
        return torch.stack(rows, 1)
