"""Recurrent networks over binary vectors: Chung et al., Empirical Evaluation of Gated Recurrent
Neural Networks on Sequence Modeling, 2014 (arXiv:1412.3555).

Section 2 (a sequence's probability is the product of its steps', each given all before it) and
Section 4 (one recurrent layer, logistic outputs); the units of Section 3 are in `cells`. Given the
past, the notes of one step are independent of each other: all that the network knows of a chord is
in its probabilities. The first step is predicted too, from the zero state; so `log_prob` is the mass
of a whole sequence of known length.

Shapes: B sequences, T steps, D notes.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from projects.gated_rnn.cells import CELLS, State


class RecurrentNet(nn.Module):
    """p(x_1, ..., x_T) = prod_t p(x_t | h_t), where h_t is a recurrent unit's state after x_{t-1}.

    Args:
        num_notes: D, the size of a step's binary vector.
        num_steps: T, the length of the sequences that `sample` draws unless told otherwise.
        unit: one of `cells.CELLS`: "tanh", "gru", "lstm", ...
        hidden_size: H, the number of units.
        generator: source of the initial weights.

    Raises:
        ValueError: for a size below 1 or an unknown unit.

    Example:
        >>> model = RecurrentNet(num_notes=5, num_steps=8, unit="gru", hidden_size=3)
        >>> x = torch.ones(2, 8, 5)
        >>> model.log_prob(x).shape, model.log_prob(x, lengths=torch.tensor([8, 3])).shape
        (torch.Size([2]), torch.Size([2]))
    """

    def __init__(
        self,
        num_notes: int,
        num_steps: int,
        *,
        unit: str = "gru",
        hidden_size: int = 46,
        generator: Generator | None = None,
    ):
        super().__init__()
        if unit not in CELLS:
            raise ValueError(f"unit {unit!r} is not one of {', '.join(CELLS)}")
        if num_steps < 1:
            raise ValueError(f"num_steps is {num_steps}, expected at least 1")
        self.num_notes, self.num_steps = num_notes, num_steps
        self.cell = CELLS[unit](num_notes, hidden_size, generator=generator)
        self.output = nn.utils.skip_init(nn.Linear, hidden_size, num_notes)
        nn.init.xavier_uniform_(self.output.weight, generator=generator)
        nn.init.zeros_(self.output.bias)

    def start_from(self, frequencies: Tensor) -> None:
        """Let the untrained network predict each note with its frequency in the data, (D,)."""
        with torch.no_grad():
            self.output.bias.copy_(torch.logit(frequencies, eps=1e-4))

    def logits(self, x: Tensor) -> Tensor:
        """The logits of p(x_t = 1 | x_1, ..., x_{t-1}) for every step and note.

        Args:
            x: (B, T, D) of 0 and 1. Whatever stands after a sequence's end has no influence on the
                steps before it.

        Returns:
            (B, T, D).
        """
        x = self._checked(x)
        before = F.pad(x[:, :-1], (0, 0, 1, 0)) if x.shape[1] else x  # x_{t-1}; x_0 is silence
        hidden, _ = self.cell(before)
        return self.output(hidden)

    def log_prob_steps(self, x: Tensor) -> Tensor:
        """log p(x_t | x_1, ..., x_{t-1}) of every step in nats, (B, T); x (B, T, D)."""
        logits = self.logits(x)
        return -F.binary_cross_entropy_with_logits(logits, x.to(logits), reduction="none").sum(-1)

    def log_prob(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """log p(x) of whole sequences in nats, summed over notes and steps; Section 2.

        Args:
            x: (B, T, D) of 0 and 1.
            lengths: (B,) steps of each sequence, at most T; what follows is padding. None: T.

        Returns:
            (B,) in nats.

        Raises:
            ValueError: for a wrong shape, numbers other than 0 and 1, or lengths beyond T.
        """
        steps = self.log_prob_steps(x)  # (B, T)
        if lengths is None:
            return steps.sum(1)
        return torch.where(self._mask(x, lengths), steps, 0.0).sum(1)

    forward = log_prob

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        num_steps: int | None = None,
        prompt: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw n sequences step by step, keeping the state: every step costs the same.

        Args:
            n: how many.
            num_steps: their length; None for the model's own.
            prompt: (P, D) of 0 and 1, a beginning that all of them share.
            generator: source of the draws.

        Returns:
            (n, num_steps, D) of 0 and 1, the prompt included.
        """
        rows, state = self._beginning(n, num_steps, prompt)
        if rows:
            _, state = self.cell(torch.stack([self._silence(n), *rows[:-1]], 1))
        last = rows[-1] if rows else self._silence(n)
        for _ in range(len(rows), num_steps or self.num_steps):
            state = self.cell.step(self.cell.project(last), state)
            last = self._draw(self.output(state[0]), generator)
            rows.append(last)
        return torch.stack(rows, 1)

    @torch.no_grad()
    def sample_naive(
        self, n: int, *, num_steps: int | None = None, generator: Generator | None = None
    ) -> Tensor:
        """The same draws with the whole past computed anew for every step, (n, num_steps, D)."""
        x = self.output.bias.new_zeros(n, num_steps or self.num_steps, self.num_notes)
        for t in range(x.shape[1]):
            x[:, t] = self._draw(self.logits(x[:, : t + 1])[:, t], generator)
        return x

    def _beginning(
        self, n: int, num_steps: int | None, prompt: Tensor | None
    ) -> tuple[list[Tensor], State]:
        """The prompt's steps, each (n, D), and the zero state; ValueError for what cannot be."""
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        total = self.num_steps if num_steps is None else num_steps
        if total < 1:
            raise ValueError(f"num_steps is {total}, expected at least 1")
        rows = []
        if prompt is not None:
            given = self._checked(prompt[None])
            if given.shape[1] > total:
                raise ValueError(f"a prompt of {given.shape[1]} steps is longer than {total}")
            rows = list(given.expand(n, -1, -1).unbind(1))
        return rows, self.cell.initial(n)

    def _silence(self, n: int) -> Tensor:
        """x_0, (n, D)."""
        return self.output.bias.new_zeros(n, self.num_notes)

    def _draw(self, logits: Tensor, generator: Generator | None) -> Tensor:
        """Independent Bernoulli draws, like the logits."""
        noise = torch.rand(
            logits.shape, generator=generator, dtype=logits.dtype, device=logits.device
        )
        return (noise < torch.sigmoid(logits)).to(logits.dtype)

    def _checked(self, x: Tensor) -> Tensor:
        """x as (B, T, D) in the type of the weights; ValueError for another shape or value."""
        if x.ndim != 3 or x.shape[2] != self.num_notes:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, T, {self.num_notes})")
        wrong = x[(x != 0) & (x != 1)]
        if len(wrong):
            raise ValueError(f"x holds {wrong[0].item():g}, expected 0 and 1")
        return x.to(self.output.bias.dtype)

    def _mask(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Which steps belong to the sequences, (B, T); ValueError for lengths that cannot be."""
        if lengths.shape != (len(x),):
            raise ValueError(f"lengths has shape {tuple(lengths.shape)}, expected ({len(x)},)")
        if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= x.shape[1]:
            raise ValueError(
                f"lengths are {int(lengths.min())} to {int(lengths.max())}, expected 0 to {x.shape[1]}"
            )
        return torch.arange(x.shape[1], device=x.device) < lengths[:, None]


def perturbed(model: nn.Module, deviation: float, generator: Generator) -> dict[str, Tensor]:
    """Weight noise (Graves 2011; Section 4.2): every parameter plus a draw of N(0, deviation^2).

    Gradients reach the parameters themselves. For `torch.func.functional_call`; the noise is drawn on
    the generator's device, so that every process and device adds the same.
    """
    noisy = {}
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator, device=generator.device)
        noisy[name] = parameter + deviation * noise.to(parameter)
    return noisy
