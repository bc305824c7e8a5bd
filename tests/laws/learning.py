"""Laws of learning: one batch can be overfitted, and every parameter takes part."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.laws.base import Law, must_work, seeded


class Learning(Law):
    """Gradients reach every parameter, and following them lowers the loss."""

    overfit_batch = 4
    overfit_steps = 150
    overfit_rate = 0.02
    overfit_nats = 1.0  # how far the loss must fall

    def test_one_batch_can_be_overfitted(self):
        losses, *_ = self._overfit(self.overfit_steps)
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
            with must_work(
                "the gradient of the loss", "everything is detached from the parameters"
            ):
                loss.backward()
            optimiser.step()
            losses.append(loss.item())
        return losses, model, start
