"""Laws of recurrent networks: their steps, the state they carry, and padding that counts for nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.laws.base import Law, assert_close, must_work, seeded
from tests.laws.module import Module


class Recurrent(Law):
    """A recurrent unit reads a sequence step by step and keeps all it knows of it in its state.

    ``model()`` is the unit, with D inputs: ``forward(x, state=None) -> (h, state)`` for x (B, T, D),
    h (B, T, H) and a tuple of states (B, H), the first of which is the last h. Where torch has a
    fused network of the same equations, ``fused(unit)`` makes it with the unit's weights.
    """

    event_shape = (6, 3)  # (T, D)
    values = "real"

    def fused(self, unit: nn.Module) -> nn.RNNBase:
        """Torch's network with the weights of `unit`, ``batch_first``."""
        raise NotImplementedError(f"{type(self).__name__} must define fused(self, unit)")

    def loss(self, model, x, generator):
        return model(x)[0].square().mean()

    def test_equals_the_fused_network(self):
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
            unit = self.build().to(dtype)
            fused = self.fused(unit).to(dtype)
            x = self.inputs(5, seeded(10), unit).to(dtype)
            outputs, gradients = [], []
            for network in (unit, fused):
                given = x.clone().requires_grad_()
                h, state = network(given)
                last = [part.reshape(len(x), -1) for part in _parts(state)]
                outputs.append((h, *last))
                weight = torch.linspace(-1, 1, h.numel(), dtype=dtype).view_as(h)
                gradients.append(torch.autograd.grad((h * weight).sum(), given)[0])
            assert len(outputs[0]) == len(outputs[1]), (
                f"the unit has {len(outputs[0]) - 1} states, torch's network "
                f"{len(outputs[1]) - 1}: h, and c where there is a memory cell"
            )
            what = f"against {type(fused).__name__} with the same weights in {dtype}"
            cause = "gates in another order, 1 - z for z, a tanh forgotten, or h where c belongs"
            for ours, theirs in zip(*outputs, strict=True):
                assert_close(ours, theirs, tolerance, f"a step {what}", cause)
            cause = "a detached state: backpropagation through time is cut"
            assert_close(*gradients, 10 * tolerance, f"the gradient {what}", cause)

    def test_state_carries_over(self):
        unit = self.build()
        x = self.inputs(5, seeded(10), unit)
        with torch.no_grad(), must_work("a sequence in parts", "state= is not what was returned"):
            whole, last = unit(x)
            for cut in range(1, x.shape[1]):
                first, state = unit(x[:, :cut])
                second, end = unit(x[:, cut:], state)
                what = f"the outputs of a sequence cut after step {cut}"
                cause = "the state is not all that a step hands on, or it is reset at every call"
                assert_close(torch.cat([first, second], 1), whole, 1e-12, what, cause)
                for ours, theirs in zip(_parts(end), _parts(last), strict=True):
                    assert_close(ours, theirs, 1e-12, f"{what}: the state at the end", cause)

    def test_later_inputs_do_not_reach_earlier_outputs(self):
        unit = self.build()
        x = self.inputs(3, seeded(10), unit).requires_grad_()
        h, _ = unit(x)
        for t in range(x.shape[1]):
            (gradient,) = torch.autograd.grad(h[:, t].sum(), x, retain_graph=True)
            size = gradient.abs().amax((0, 2))  # (T,)
            assert not size[t + 1 :].any(), (
                f"h_{t + 1} depends on inputs after step {t + 1}. Likely cause: the sequence is read "
                "backwards as well, or a statistic over all steps"
            )
            assert size[: t + 1].all(), (
                f"h_{t + 1} does not depend on all inputs up to step {t + 1}. Likely cause: the "
                "state is lost or detached between steps"
            )


class Padded(Module):
    """``log_prob(x, lengths=...)`` of padded sequences (B, T, D) is that of each without its padding."""

    def test_padding_counts_for_nothing(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)  # (B, T, D)
        lengths = torch.arange(8) % (x.shape[1] + 1)
        with torch.no_grad(), must_work("log_prob(x, lengths=...)", "lengths= is not taken"):
            padded = model.log_prob(x, lengths=lengths)
            for i, length in enumerate(lengths.tolist()):
                alone = model.log_prob(x[i : i + 1, :length])
                what = f"a sequence of {length} steps padded to {x.shape[1]} against itself alone"
                cause = "steps of padding are summed, or a mask that is one step off"
                assert_close(padded[i : i + 1], alone, 1e-10, what, cause)

    def test_what_stands_in_the_padding_has_no_influence(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        lengths = torch.arange(8) % x.shape[1]
        other = torch.where(self._is_padding(x, lengths), 1 - x, x)
        with torch.no_grad():
            before = model.log_prob(x, lengths=lengths)
            after = model.log_prob(other, lengths=lengths)
        cause = "a sum or a normalisation over all steps, or a network that reads backwards"
        assert_close(after, before, 1e-12, "log_prob after the padding was changed", cause)

    def test_gradients_do_not_pass_through_padding(self):
        model = self.build()
        x = self.inputs(8, seeded(10), model)
        lengths = torch.arange(8) % x.shape[1]
        other = torch.where(self._is_padding(x, lengths), 1 - x, x)
        found = []
        for batch in (x, other):
            loss = model.log_prob(batch, lengths=lengths).sum()
            found.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
        for (name, _), ours, theirs in zip(model.named_parameters(), *found, strict=True):
            if ours is not None:
                what = f"the gradient of `{name}` after the padding was changed"
                cause = (
                    "padding is masked in the value and not in the gradient, such as by clamping"
                )
                assert_close(theirs, ours, 1e-12, what, cause)

    def _is_padding(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = torch.arange(x.shape[1]) >= lengths[:, None]  # (B, T)
        return mask.view(*mask.shape, *[1] * (x.ndim - 2))


def _parts(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)
