"""The laws of every model catch each broken one.

That correct models pass them is seen wherever a law of a kind holds: each includes these.
"""

import torch
from torch import nn

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.reference import Chain


class TestPlainModule(laws.Module):
    """A model without a sampler says what its data look like."""

    values, event_shape = "binary", (5,)

    def model(self):
        return Chain(laws.seeded(0))


class SinglePrecision(Chain):
    """Logits in float32 between a float64 input and a float64 result."""

    def conditional_logits(self, x):
        return super().conditional_logits(x).float().to(x.dtype)


class SingleInside(Chain):
    """Everything in float32, and the result cast back."""

    def log_prob(self, x):
        return super().log_prob(x).float().to(x.dtype)


class HalfDetached(Chain):
    """The bias gets half of its gradient."""

    def conditional_logits(self, x):
        return super().conditional_logits(x) + (self.bias.detach() - self.bias) / 2


class SingleResult(Chain):
    def log_prob(self, x):
        return super().log_prob(x).float()


class SingleConstant(Chain):
    """A matrix made without dtype=x.dtype."""

    def log_prob(self, x):
        return super().log_prob(x @ torch.eye(self.num_dims, dtype=torch.float32))


class DoubleConstant(Chain):
    """A float64 buffer's worth of promotion: float32 in, float64 out."""

    def log_prob(self, x):
        return super().log_prob(x) + torch.zeros(len(x), dtype=torch.float64)


class BatchCentred(Chain):
    """Subtracts the mean of the batch in eval mode too."""

    def conditional_logits(self, x):
        return super().conditional_logits(x - x.mean(0))


class Squeezed(Chain):
    """squeeze() turns a batch of one into no batch."""

    def log_prob(self, x):
        return super().log_prob(x).squeeze()


class BatchMean(Chain):
    def log_prob(self, x):
        return super().log_prob(x).mean()


class Viewed(Chain):
    """.view on an input that need not be contiguous."""

    def log_prob(self, x):
        return super().log_prob(x.view(-1).reshape(x.shape))


class InPlace(Chain):
    """Centres the caller's batch."""

    def conditional_logits(self, x):
        logits = super().conditional_logits(x)
        x -= 0.5
        return logits


class Counting(Chain):
    """Running statistics updated in eval mode."""

    def __init__(self, generator):
        super().__init__(generator)
        self.register_buffer("seen", torch.zeros(()))

    def log_prob(self, x):
        self.seen += len(x)
        return super().log_prob(x)


class TakesAnything(Chain):
    """Drops the columns that are too many."""

    def conditional_logits(self, x):
        return super().conditional_logits(x.reshape(-1, x.shape[-1])[:, : self.num_dims])

    def log_prob(self, x):
        return super().log_prob(x.reshape(-1, x.shape[-1])[:, : self.num_dims])


class UncheckedShape(Chain):
    """The matrix product complains, in its own words."""

    def log_prob(self, x):
        return (x @ self.weight).sum(1)


class UnnamedShape(Chain):
    def log_prob(self, x):
        if x.shape[1:] != (self.num_dims,):
            raise ValueError("bad shape")
        return super().log_prob(x)


class Disconnected(Chain):
    """The likelihood hardly counts."""

    def log_prob(self, x):
        return super().log_prob(x) * 1e-3 - 1.0


class Detached(Chain):
    def log_prob(self, x):
        return super().log_prob(x).detach()


class UnusedLayer(Chain):
    def __init__(self, generator):
        super().__init__(generator)
        self.spare = nn.Parameter(torch.ones(3))


MODULE = laws.Module
BREAKS = (
    Break(MODULE, "test_float32_agrees_with_float64", SingleInside, "in single precision"),
    Break(MODULE, "test_gradient_is_the_finite_difference", SinglePrecision, "single precision"),
    Break(MODULE, "test_gradient_is_the_finite_difference", HalfDetached, "a detach"),
    Break(MODULE, "test_float32_agrees_with_float64", SingleResult, "float64 in, torch.float32"),
    Break(MODULE, "test_float32_agrees_with_float64", SingleConstant, "a dtype or a shape"),
    Break(MODULE, "test_float32_agrees_with_float64", DoubleConstant, "float32 in, torch.float64"),
    Break(MODULE, "test_batch_of_one_is_a_row_of_the_batch", BatchCentred, "in a batch of 8: got"),
    Break(MODULE, "test_batch_of_one_is_a_row_of_the_batch", Squeezed, "squeeze"),
    Break(MODULE, "test_batch_of_one_is_a_row_of_the_batch", BatchMean, "never averaged"),
    Break(MODULE, "test_non_contiguous_input", Viewed, "use .reshape or .flatten"),
    Break(MODULE, "test_input_is_not_modified", InPlace, "log_prob changed the batch"),
    Break(MODULE, "test_evaluation_leaves_the_state_alone", Counting, "`seen` changed"),
    Break(MODULE, "test_wrong_shape_is_refused", TakesAnything, r"accepted shape \(8, 6\)"),
    Break(MODULE, "test_wrong_shape_is_refused", UncheckedShape, "with RuntimeError"),
    Break(MODULE, "test_wrong_shape_is_refused", UnnamedShape, "without naming it: 'bad shape'"),
    Break(MODULE, "test_one_batch_can_be_overfitted", Disconnected, "disconnects the input"),
    Break(MODULE, "test_one_batch_can_be_overfitted", Detached, "everything is detached"),
    Break(MODULE, "test_every_parameter_learns", UnusedLayer, "`spare` did not move"),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()
