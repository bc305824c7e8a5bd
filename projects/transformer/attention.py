"""Multi-head causal attention with a cache of keys and values, and sinusoidal positions.

Vaswani et al., Attention Is All You Need, 2017 (https://arxiv.org/abs/1706.03762), Sections 3.2
and 3.5. Shapes: B sequences, T tokens of each, h heads of d = W / h numbers in a width of W.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn


class KeyValues:
    """The keys and values of the tokens that one attention layer has already seen.

    They never change: in a causal layer no later token reaches them. Room for all of them is taken
    at once, so that a step writes one column instead of copying what is there.

    Attributes:
        length: tokens held so far.
    """

    def __init__(self, batch: int, num_heads: int, room: int, head_size: int, like: Tensor) -> None:
        self.kept = like.new_empty(2, batch, num_heads, room, head_size)
        self.length = 0

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append those of new tokens (B, h, T, d), and give all there are, (B, h, length, d)."""
        start, self.length = self.length, self.length + keys.shape[2]
        self.kept[0, :, :, start : self.length] = keys
        self.kept[1, :, :, start : self.length] = values
        return self.kept[0, :, :, : self.length], self.kept[1, :, :, : self.length]


class CausalAttention(nn.Module):
    """MultiHead(Q, K, V) of Section 3.2.2 as self-attention in which no token sees a later one.

    head_i = softmax(Q_i K_i^T / sqrt(d)) V_i, Eq. (1); the heads are concatenated and projected.

    Args:
        width: W, a multiple of num_heads.
        num_heads: h.
        dropout: share of the attention weights dropped in training.
        bias: whether the projections have one.
        std, out_std: of the initial weights, of the output projection's.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        *,
        dropout: float = 0.0,
        bias: bool = True,
        std: float = 0.02,
        out_std: float = 0.02,
        generator: Generator | None = None,
    ):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.queries_keys_values = linear(width, 3 * width, bias, std, generator)
        self.out = linear(width, width, bias, out_std, generator)

    def forward(self, x: Tensor, past: KeyValues | None = None) -> Tensor:
        """Attend from x (B, T, W) to itself and to the past; gives (B, T, W)."""
        queries, keys, values = self.heads(x)
        seen = 0 if past is None else past.length
        if past is not None:
            keys, values = past.extend(keys, values)
        mixed = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=later(seen, queries.shape[2], x.device) if seen and x.shape[1] > 1 else None,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=not seen and x.shape[1] > 1,
        )  # (B, h, T, d)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor) -> Tensor:
        """The softmax of Eq. (1) itself, (B, h, T, T): row t says where token t looks."""
        queries, keys, _ = self.heads(x)
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
        visible = later(0, x.shape[1], x.device)
        return scores.masked_fill(~visible, -math.inf).softmax(-1)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x (B, T, W), each (B, h, T, d)."""
        split = self.queries_keys_values(x).unflatten(-1, (3, self.num_heads, -1))
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # (3, B, h, T, d)
        return queries, keys, values

    def room(self, batch: int, tokens: int) -> KeyValues:
        """An empty cache for so many tokens of so many sequences."""
        weight = self.out.weight
        return KeyValues(batch, self.num_heads, tokens, len(weight) // self.num_heads, weight)


def later(seen: int, new: int, device: torch.device) -> Tensor:
    """Which of `seen + new` tokens each of the `new` ones may look at, (new, seen + new) Boolean."""
    visible = torch.ones(new, seen + new, dtype=torch.bool, device=device)
    return visible.tril(diagonal=seen)


def sinusoids(context: int, width: int) -> Tensor:
    """The positional encoding of Section 3.5, (context, W).

    PE(p, 2i) = sin(p / 10000^(2i / W)), PE(p, 2i + 1) = cos(p / 10000^(2i / W)).

    >>> sinusoids(2, 4)[1].tolist() == [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]
    True
    """
    even = torch.arange(0, width, 2, dtype=torch.float64)
    angles = torch.arange(context, dtype=torch.float64)[:, None] / 10_000 ** (even / width)
    table = torch.stack([angles.sin(), angles.cos()], -1)  # (context, ceil(W / 2), 2)
    return table.flatten(1)[:, :width]


def linear(
    fan_in: int, fan_out: int, bias: bool, std: float, generator: Generator | None
) -> nn.Linear:
    """A linear layer with weights from N(0, std^2) and biases of zero."""
    layer = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=bias)
    nn.init.normal_(layer.weight, std=std, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
