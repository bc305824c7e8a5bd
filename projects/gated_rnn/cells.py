"""The recurrent units of Chung et al. (2014), Section 3, one step of each from its equations.

The letters are the paper's: W weighs the input x_t, U the state h_{t-1}, V (diagonal) the memory
cell of the LSTM; sigma is the logistic function. The paper writes no biases; every unit here has one.
What depends on x alone is computed for all steps at once (`project`), the rest step by step.

Two units have a twin that differs in one place, as torch's fused networks do from the paper:
`ResetAfterGRUCell` from `GRUCell`, and `LSTMCell` from `PeepholeLSTMCell`.

Shapes: B sequences, T steps, D inputs, H hidden units.
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

State = tuple[Tensor, ...]  # h, or h and c: each (B, H)


class Cell(nn.Module):
    """What all units share: the candidate's or all gates' weights W, U and b, and the loop.

    Args:
        input_size: D.
        hidden_size: H.
        generator: source of the initial weights.

    Raises:
        ValueError: for a size below 1.
    """

    num_blocks: ClassVar[int] = 1  # of H rows each in W, U and b
    num_states: ClassVar[int] = 1

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"sizes must be at least 1, got {input_size} and {hidden_size}")
        self.hidden_size = hidden_size
        self.W, self.U, self.b = weights(self.num_blocks, input_size, hidden_size, generator)

    def initial(self, n: int) -> State:
        """The state before the first step: zeros, each (n, H)."""
        return tuple(self.b.new_zeros(n, self.hidden_size) for _ in range(self.num_states))

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the input decides of every gate, W x + b, for x (..., D): each (..., rows of W)."""
        return (nn.functional.linear(x, self.W, self.b),)

    def step(self, Wx: tuple[Tensor, ...], state: State) -> State:
        """One step from the projected input and the state; the first part of a state is h_t."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """All steps in turn.

        Args:
            x: (B, T, D).
            state: what an earlier call returned; None for the zero state.

        Returns:
            h of every step, (B, T, H), and the state after the last.
        """
        state = self.initial(len(x)) if state is None else state
        outputs = []
        for Wx in zip(*(part.unbind(1) for part in self.project(x)), strict=True):
            state = self.step(Wx, state)
            outputs.append(state[0])
        if not outputs:
            return x.new_zeros(len(x), 0, self.hidden_size), state
        return torch.stack(outputs, 1), state


def weights(
    num_blocks: int, input_size: int, hidden_size: int, generator: Generator | None
) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
    """W by Glorot's uniform law and U orthogonal, block by block, and b zero."""
    W = torch.empty(num_blocks, hidden_size, input_size)
    U = torch.empty(num_blocks, hidden_size, hidden_size)
    for block in range(num_blocks):
        nn.init.xavier_uniform_(W[block], generator=generator)
        nn.init.orthogonal_(U[block], generator=generator)
    b = torch.zeros(num_blocks * hidden_size)
    return nn.Parameter(W.flatten(0, 1)), nn.Parameter(U.flatten(0, 1)), nn.Parameter(b)


class TanhCell(Cell):
    """The traditional unit: h_t = tanh(W x_t + U h_{t-1}); Section 2."""

    def step(self, Wx: tuple[Tensor, ...], state: State) -> State:
        (h,) = state
        return (torch.tanh(torch.addmm(Wx[0], h, self.U.T)),)


class GRUCell(Cell):
    """The gated recurrent unit; Section 3.2.

    z_t = sigma(W_z x_t + U_z h_{t-1}), the update gate
    r_t = sigma(W_r x_t + U_r h_{t-1}), the reset gate
    h~_t = tanh(W x_t + U (r_t * h_{t-1})), the candidate
    h_t = (1 - z_t) h_{t-1} + z_t h~_t

    W_zr holds W_z above W_r, and so on.
    """

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        self.W_zr, self.U_zr, self.b_zr = weights(2, input_size, hidden_size, generator)

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        return nn.functional.linear(x, self.W_zr, self.b_zr), *super().project(x)

    def step(self, Wx: tuple[Tensor, ...], state: State) -> State:
        (h,), (gates, candidate) = state, Wx
        z, r = torch.sigmoid(torch.addmm(gates, h, self.U_zr.T)).chunk(2, 1)  # (B, H) each
        return (torch.lerp(h, self.candidate(candidate, r, h), z),)

    def candidate(self, Wx: Tensor, r: Tensor, h: Tensor) -> Tensor:
        """h~_t from W x_t, the reset gate and h_{t-1}, each (B, H)."""
        return torch.tanh(torch.addmm(Wx, r * h, self.U.T))


class ResetAfterGRUCell(GRUCell):
    """The GRU that fused kernels compute: h~_t = tanh(W x_t + r_t * (U h_{t-1} + b_U))."""

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        self.b_U = nn.Parameter(torch.zeros(hidden_size))

    def candidate(self, Wx: Tensor, r: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(torch.addcmul(Wx, r, torch.addmm(self.b_U, h, self.U.T)))


class LSTMCell(Cell):
    """The long short-term memory without peepholes: V = 0 in `PeepholeLSTMCell`.

    W, U and b hold the blocks of i, f, o and c. The forget gate starts open (bias 1).
    """

    num_blocks = 4
    num_states = 2

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        with torch.no_grad():
            self.b[hidden_size : 2 * hidden_size] = 1.0

    def step(self, Wx: tuple[Tensor, ...], state: State) -> State:
        h, c = state
        i, f, o, candidate = torch.addmm(Wx[0], h, self.U.T).chunk(4, 1)  # (B, H) each
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
        return torch.sigmoid(o) * torch.tanh(c), c


class PeepholeLSTMCell(LSTMCell):
    """The long short-term memory of the paper, whose gates see the memory cell; Section 3.1.

    i_t = sigma(W_i x_t + U_i h_{t-1} + V_i c_{t-1}), the input gate
    f_t = sigma(W_f x_t + U_f h_{t-1} + V_f c_{t-1}), the forget gate
    c_t = f_t c_{t-1} + i_t tanh(W_c x_t + U_c h_{t-1})
    o_t = sigma(W_o x_t + U_o h_{t-1} + V_o c_t), the output gate
    h_t = o_t tanh(c_t)

    V_i, V_f and V_o are diagonal, (H,) each.
    """

    def __init__(self, input_size: int, hidden_size: int, *, generator: Generator | None = None):
        super().__init__(input_size, hidden_size, generator=generator)
        self.V_i, self.V_f, self.V_o = (nn.Parameter(torch.zeros(hidden_size)) for _ in range(3))

    def step(self, Wx: tuple[Tensor, ...], state: State) -> State:
        h, c = state
        i, f, o, candidate = torch.addmm(Wx[0], h, self.U.T).chunk(4, 1)  # (B, H) each
        i = torch.sigmoid(torch.addcmul(i, self.V_i, c))
        f = torch.sigmoid(torch.addcmul(f, self.V_f, c))
        c = f * c + i * torch.tanh(candidate)
        return torch.sigmoid(torch.addcmul(o, self.V_o, c)) * torch.tanh(c), c


CELLS: dict[str, type[Cell]] = {
    "tanh": TanhCell,
    "gru": GRUCell,
    "gru-reset-after": ResetAfterGRUCell,
    "lstm": PeepholeLSTMCell,
    "lstm-without-peepholes": LSTMCell,
}
