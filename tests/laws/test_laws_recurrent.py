"""The laws of recurrent networks hold for a correct one and catch each broken one."""

import torch
from torch import nn
from torch.nn import functional as F

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import drawn


class Unit(nn.Module):
    """h_t = tanh(W x_t + U h_{t-1} + b)."""

    def __init__(self, generator, inputs=3, hidden=4):
        super().__init__()
        self.W, self.U = drawn(generator, hidden, inputs), drawn(generator, hidden, hidden)
        self.b = drawn(generator, hidden)

    def step(self, x, h):
        return torch.tanh(x @ self.W.T + h @ self.U.T + self.b)

    def forward(self, x, state=None):
        h, outputs = self.b.new_zeros(len(x), len(self.b)) if state is None else state[0], []
        for t in range(x.shape[1]):
            h = self.step(x[:, t], h)
            outputs.append(h)
        return torch.stack(outputs, 1), (h,)


class Fused(laws.Recurrent):
    """The laws, with torch's network for the tiny unit."""

    def fused(self, unit):
        network = nn.RNN(3, 4, batch_first=True)
        for mine, theirs in (("W", "weight_ih_l0"), ("U", "weight_hh_l0"), ("b", "bias_ih_l0")):
            getattr(network, theirs).data = getattr(unit, mine).data.clone()
        network.bias_hh_l0.data = torch.zeros_like(unit.b)
        return network


class TestUnit(Fused):
    def model(self):
        return Unit(laws.seeded(0))


class ForgetsTanh(Unit):
    def step(self, x, h):
        return x @ self.W.T + h @ self.U.T + self.b


class CutGradient(Unit):
    def step(self, x, h):
        return super().step(x, h.detach())


class TwoStates(Unit):
    def forward(self, x, state=None):
        h, state = super().forward(x, state)
        return h, (*state, *state)


class StartsAnew(Unit):
    """The state of an earlier call is taken and dropped."""

    def forward(self, x, state=None):
        return super().forward(x)


class ReadsBackwards(Unit):
    def forward(self, x, state=None):
        h, state = super().forward(x, state)
        return h + super().forward(x.flip(1))[0].flip(1), state


class LosesState(Unit):
    def step(self, x, h):
        return super().step(x, torch.zeros_like(h))


class Notes(nn.Module):
    """Binary vectors given the state after those before: a tiny recurrent network."""

    def __init__(self, generator, num_steps=4, num_notes=2):
        super().__init__()
        self.num_steps, self.num_notes = num_steps, num_notes
        self.unit = Unit(generator, num_notes)
        self.weight, self.bias = drawn(generator, num_notes, 4), drawn(generator, num_notes)

    def steps(self, x):
        if x.ndim != 3 or x.shape[2] != self.num_notes:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, T, {self.num_notes})")
        if not x.shape[1]:
            return x.sum(2)
        hidden, _ = self.unit(F.pad(x[:, :-1], (0, 0, 1, 0)))
        logits = hidden @ self.weight.T + self.bias
        return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(2)  # (B, T)

    def mask(self, x, lengths):
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        return torch.arange(x.shape[1]) < lengths[:, None]

    def log_prob(self, x, lengths=None):
        return torch.where(self.mask(x, lengths), self.steps(x), 0.0).sum(1)

    @torch.no_grad()
    def sample(self, n, *, generator=None):
        x = self.bias.new_zeros(n, self.num_steps, self.num_notes)
        for t in range(self.num_steps):
            hidden, _ = self.unit(F.pad(x[:, :t], (0, 0, 1, 0)))
            chance = torch.sigmoid(hidden[:, -1] @ self.weight.T + self.bias)
            x[:, t] = torch.bernoulli(chance, generator=generator)
        return x


class TestNotes(laws.Padded, laws.BinaryMass):
    def model(self):
        return Notes(laws.seeded(0))


class SumsPadding(Notes):
    def log_prob(self, x, lengths=None):
        return super().log_prob(x)


class MaskOneStepOff(Notes):
    def mask(self, x, lengths):
        return super().mask(x, None if lengths is None else lengths + 1)


class MeanOverSteps(Notes):
    """The mean over the padded steps, by which a bigger batch makes each sequence likelier."""

    def log_prob(self, x, lengths=None):
        return super().log_prob(x, lengths) / max(1, x.shape[1])


class SeesTheWholeBatch(Notes):
    """The first step is told how many notes sound in all, padding and all."""

    def log_prob(self, x, lengths=None):
        return super().log_prob(x, lengths) + 0.01 * x.sum((1, 2))


class GradientThroughPadding(Notes):
    """The value is masked, the gradient is not."""

    def log_prob(self, x, lengths=None):
        whole, masked = self.steps(x).sum(1), super().log_prob(x, lengths)
        return masked.detach() + whole - whole.detach()


def _unit(test, model, says):
    return Break(Fused, test, model, says)


def _notes(test, model, says):
    return Break(laws.Padded, test, model, says)


BREAKS = (
    _unit("test_equals_the_fused_network", ForgetsTanh, "a step against RNN with the same weights"),
    _unit("test_equals_the_fused_network", CutGradient, "backpropagation through time is cut"),
    _unit("test_equals_the_fused_network", TwoStates, "the unit has 2 states"),
    _unit("test_state_carries_over", StartsAnew, "reset at every call"),
    _unit("test_later_inputs_do_not_reach_earlier_outputs", ReadsBackwards, "read backwards"),
    _unit("test_later_inputs_do_not_reach_earlier_outputs", LosesState, "the state is lost"),
    _notes("test_padding_counts_for_nothing", SumsPadding, "steps of padding are summed"),
    _notes("test_padding_counts_for_nothing", MaskOneStepOff, "one step off"),
    _notes("test_padding_counts_for_nothing", MeanOverSteps, "padded to 4 against itself"),
    _notes(
        "test_what_stands_in_the_padding_has_no_influence",
        SeesTheWholeBatch,
        "after the padding was changed",
    ),
    _notes("test_what_stands_in_the_padding_has_no_influence", SumsPadding, "log_prob after"),
    _notes("test_gradients_do_not_pass_through_padding", GradientThroughPadding, "not in the grad"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
