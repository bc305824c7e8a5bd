"""Laws of learning: one batch can be overfitted, and every parameter takes part."""

from __future__ import annotations

import math

import torch

from tests.laws.base import Law, must_work, seeded


class Learning(Law):
    """Gradients reach every parameter, and following them lowers the loss."""

    overfit_batch = 4
    overfit_steps = 400  # at most
    overfit_rate = 0.05
    overfit_nats = 1.0  # how far the loss must fall; a batch of four leaves ln 4 at best

    def test_one_batch_can_be_overfitted(self):
        first, losses, _, _ = self._fit(self.overfit_steps, enough=self.overfit_nats)
        last = _recent(losses)
        assert first - last >= self.overfit_nats, (
            f"after {len(losses)} Adam steps on the same {self.overfit_batch} examples the loss "
            f"went from {first:.3f} to {last:.3f}, a fall of {first - last:.3f} nats; expected at "
            f"least overfit_nats = {self.overfit_nats:g}. Likely cause: a detached tensor, a "
            "frozen layer, a mask that disconnects the input, or a loss with the wrong sign (or a "
            "model of two or three dimensions, that has no more nats to lose)"
        )

    def test_every_parameter_learns(self):
        _, _, model, start = self._fit(5)
        for name, value in model.named_parameters():
            assert not value.requires_grad or not torch.equal(value, start[name]), (
                f"`{name}` did not move in five Adam steps. Likely cause: it is not used, or its "
                "path to the loss is detached or masked away"
            )

    def _fit(self, steps: int, enough: float = math.inf):
        """At most so many steps on one batch, fewer once the loss has fallen enough."""
        model = self.model().double().train()
        start = {name: value.detach().clone() for name, value in model.named_parameters()}
        x = self.inputs(self.overfit_batch, seeded(10), model)
        optimiser = torch.optim.Adam(model.parameters(), lr=self.overfit_rate)
        generator, losses = seeded(12), []
        with torch.no_grad():  # a bound's loss is noisy, so the first is the mean of ten as well
            first = sum(self.loss(model, x, generator).item() for _ in range(10)) / 10
        for _ in range(steps):
            loss = self.loss(model, x, generator)
            optimiser.zero_grad()
            with must_work(
                "the gradient of the loss", "everything is detached from the parameters"
            ):
                loss.backward()
            optimiser.step()
            losses.append(loss.item())
            if len(losses) >= 10 and first - _recent(losses) >= enough:
                break
        return first, losses, model, start


def _recent(losses: list[float]) -> float:
    return sum(losses[-10:]) / len(losses[-10:])
