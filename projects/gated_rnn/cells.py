"""The recurrent units of Chung et al. (2014), Section 3, one step of each from its equations.

The letters are the paper's: W weighs the input x_t, U the state h_{t-1}, V (diagonal) the memory
cell of the LSTM; sigma is the logistic function. The paper writes no biases; every unit here has one.
What depends on x alone is computed for all steps at once (`project`), the rest step by step.

Two units have a twin that differs in one place, as torch's fused networks do from the paper:
`ResetAfterGRUCell` from `GRUCell`, and `LSTMCell` from `PeepholeLSTMCell`.

Shapes: B sequences, T steps, D inputs, H hidden units, G blocks of H numbers that the input feeds.
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

State = tuple[Tensor, ...]  # h, or h and c: each (B, H)


class Cell(nn.Module):
    """What all units share: the input's weights W, the state's weights U, a bias, and the loop.

    Args:
        input_size: D.
        hidden_size: H.
        generator: source of the initial weights.

    Raises:
        ValueError: for a size below 1.
    """

    num_blocks: ClassVar[int]  # G
    num_states: ClassVar[int] = 1

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"sizes must be at least 1, got {input_size} and {hidden_size}")
        self.hidden_size = hidden_size
        self.W = nn.Parameter(torch.empty(self.num_blocks * hidden_size, input_size))
        self.U = nn.Parameter(torch.empty(self.num_blocks * hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(self.num_blocks * hidden_size))
        for W, U in zip(self.W.chunk(self.num_blocks), self.U.chunk(self.num_blocks), strict=True):
            nn.init.xavier_uniform_(W.data, generator=generator)
            nn.init.orthogonal_(U.data, generator=generator)

    def initial(self, n: int) -> State:
        """The state before the first step: zeros, each (n, H)."""
        return tuple(self.b.new_zeros(n, self.hidden_size) for _ in range(self.num_states))

    def project(self, x: Tensor) -> Tensor:
        """The part of every gate that the input decides, W x + b: (..., D) -> (..., G H)."""
        return nn.functional.linear(x, self.W, self.b)

    def step(self, Wx: Tensor, state: State) -> State:
        """One step from the projected input (B, G H) and the state; its first part is h_t."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """All steps in turn.

        Args:
            x: (B, T, D).
            state: what an earlier call returned; None for the zero state.

        Returns:
            h of every step, (B, T, H), and the state after the last.
        """
        state, outputs = self.initial(len(x)) if state is None else state, []
        for Wx in self.project(x).unbind(1):
            state = self.step(Wx, state)
            outputs.append(state[0])
        return (
            torch.stack(outputs, 1) if outputs else x.new_zeros(len(x), 0, self.hidden_size)
        ), state


class TanhCell(Cell):
    """The traditional unit: h_t = tanh(W x_t + U h_{t-1}); Section 2."""

    num_blocks = 1

    def step(self, Wx: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(torch.addmm(Wx, h, self.U.T)),)


class GRUCell(Cell):
    """The gated recurrent unit; Section 3.2. The blocks are those of z, r and the candidate.

    z_t = sigma(W_z x_t + U_z h_{t-1}), the update gate
    r_t = sigma(W_r x_t + U_r h_{t-1}), the reset gate
    h~_t = tanh(W x_t + U (r_t * h_{t-1}))
    h_t = (1 - z_t) h_{t-1} + z_t h~_t
    """

    num_blocks = 3

    def step(self, Wx: Tensor, state: State) -> State:
        (h,), H = state, self.hidden_size
        gates = torch.sigmoid(torch.addmm(Wx[:, : 2 * H], h, self.U[: 2 * H].T))
        z, r = gates.chunk(2, 1)  # (B, H) each
        return (torch.lerp(h, self.candidate(Wx[:, 2 * H :], r, h), z),)

    def candidate(self, Wx: Tensor, r: Tensor, h: Tensor) -> Tensor:
        """h~_t from W x_t, the reset gate and h_{t-1}, each (B, H)."""
        return torch.tanh(torch.addmm(Wx, r * h, self.U[2 * self.hidden_size :].T))


class ResetAfterGRUCell(GRUCell):
    """The GRU that fused kernels compute: h~_t = tanh(W x_t + r_t * (U h_{t-1} + b_U))."""

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        self.b_U = nn.Parameter(torch.zeros(hidden_size))

    def candidate(self, Wx: Tensor, r: Tensor, h: Tensor) -> Tensor:
        Uh = torch.addmm(self.b_U, h, self.U[2 * self.hidden_size :].T)
        return torch.tanh(torch.addcmul(Wx, r, Uh))


class LSTMCell(Cell):
    """The long short-term memory without peepholes: V = 0 in `PeepholeLSTMCell`.

    The blocks are those of i, f, o and the candidate. The forget gate starts open (bias 1).
    """

    num_blocks = 4
    num_states = 2

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        with torch.no_grad():
            self.b[hidden_size : 2 * hidden_size] = 1.0

    def step(self, Wx: Tensor, state: State) -> State:
        h, c = state
        i, f, o, candidate = torch.addmm(Wx, h, self.U.T).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
        return torch.sigmoid(o) * torch.tanh(c), c


class PeepholeLSTMCell(LSTMCell):
    """The long short-term memory of the paper, whose gates see the memory cell; Section 3.1.

    i_t = sigma(W_i x_t + U_i h_{t-1} + V_i c_{t-1}), the input gate
    f_t = sigma(W_f x_t + U_f h_{t-1} + V_f c_{t-1}), the forget gate
    c_t = f_t c_{t-1} + i_t tanh(W_c x_t + U_c h_{t-1})
    o_t = sigma(W_o x_t + U_o h_{t-1} + V_o c_t), the output gate
    h_t = o_t tanh(c_t)

    V_i, V_f and V_o are diagonal: the rows of V, (3, H).
    """

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        self.V = nn.Parameter(torch.zeros(3, hidden_size))

    def step(self, Wx: Tensor, state: State) -> State:
        h, c = state
        V_i, V_f, V_o = self.V.unbind()
        i, f, o, candidate = torch.addmm(Wx, h, self.U.T).chunk(4, 1)
        i, f = torch.sigmoid(torch.addcmul(i, V_i, c)), torch.sigmoid(torch.addcmul(f, V_f, c))
        c = f * c + i * torch.tanh(candidate)
        return torch.sigmoid(torch.addcmul(o, V_o, c)) * torch.tanh(c), c


CELLS: dict[str, type[Cell]] = {
    "tanh": TanhCell,
    "gru": GRUCell,
    "gru-reset-after": ResetAfterGRUCell,
    "lstm": PeepholeLSTMCell,
    "lstm-without-peepholes": LSTMCell,
}
