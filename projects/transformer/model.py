"""A decoder-only transformer: Vaswani et al., Attention Is All You Need, NeurIPS 2017.

https://arxiv.org/abs/1706.03762, Section 3 without encoder and cross-attention, as a language model:
p(x_1 .. x_T | x_0) = prod_t p(x_t | x_0 .. x_(t-1)). The first token is given, so that a window may be
cut anywhere out of a text. Attention and the sinusoids are in `attention`, drawing in `generation`.

Beyond the paper, as in the literature of such models: learned positions and GELU (Radford et al.,
2018), normalisation before each sublayer instead of after it, a last one before the output, and
output projections of the residual stream that start smaller by the root of their number (Radford et
al., 2019; Xiong et al., 2020, https://arxiv.org/abs/2002.04745, on why).

Shapes: B sequences, T tokens of each, W the width (d_model), V the size of the vocabulary.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from projects.transformer.attention import CausalAttention, KeyValues, linear, sinusoids
from projects.transformer.generation import generate

POSITIONS = ("learned", "sinusoidal", "none")
NORMS = ("pre", "post")
ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}
STD = 0.02  # of the initial weights


class FeedForward(nn.Module):
    """FFN(x) = max(0, x W_1 + b_1) W_2 + b_2, Eq. (2), or with GELU in place of the maximum."""

    def __init__(self, width, hidden_size, activation, bias, out_std, generator):
        super().__init__()
        self.inner = linear(width, hidden_size, bias, STD, generator)
        self.out = linear(hidden_size, width, bias, out_std, generator)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, W) to (B, T, W), each token by itself."""
        return self.out(self.activation(self.inner(x)))


class Block(nn.Module):
    """Attention, then the feed-forward network, each with a residual connection (Section 3.1).

    "post": x = LayerNorm(x + Sublayer(x)), the paper's; "pre": x = x + Sublayer(LayerNorm(x)).
    """

    def __init__(self, attention: CausalAttention, feed_forward: FeedForward, norm, dropout):
        super().__init__()
        self.attention, self.feed_forward, self.norm = attention, feed_forward, norm
        width, bias = attention.out.in_features, attention.out.bias is not None
        self.attention_norm = nn.LayerNorm(width, bias=bias)
        self.feed_forward_norm = nn.LayerNorm(width, bias=bias)
        self.dropout = nn.Dropout(dropout)  # Section 5.4: of each sublayer's output

    def forward(self, x: Tensor, past: KeyValues | None = None) -> Tensor:
        """(B, T, W) to (B, T, W)."""
        if self.norm == "pre":
            x = x + self.dropout(self.attention(self.attention_norm(x), past))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x, past)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))

    def weights(self, x: Tensor) -> Tensor:
        """The attention weights for the block's input x, (B, h, T, T)."""
        return self.attention.weights(self.attention_norm(x) if self.norm == "pre" else x)


class Transformer(nn.Module):
    """A mass over what follows a first token: each token given all earlier ones, by causal attention.

    Args:
        num_tokens: V >= 2, the size of the vocabulary.
        context: tokens that it sees at once, at least 1.
        width: W, a multiple of num_heads (d_model in the paper).
        num_layers: blocks (N in the paper).
        num_heads: h of each attention.
        hidden_size: of the feed-forward networks; None is 4 W (Section 3.3).
        positions: "learned", "sinusoidal" (Section 3.5), or "none".
        norm: "pre" or "post" (the paper's).
        activation: "gelu" or "relu" (the paper's).
        tied: use the embedding as output projection too (Section 3.4).
        bias: whether linear layers and normalisations have one.
        dropout: of embeddings, attention weights and sublayers (Section 5.4).
        start: the token x_0 with which samples begin.
        generator: source of the initial weights.

    Raises:
        ValueError: for sizes that are impossible or a word that is not known.

    >>> model = Transformer(2, 3, width=8, num_layers=1, num_heads=2)
    >>> every = torch.cartesian_prod(torch.tensor([0]), *[torch.arange(2)] * 3)  # (8, 1 + 3)
    >>> round(model.log_prob(every).exp().sum().item(), 5)
    1.0
    """

    def __init__(
        self,
        num_tokens: int,
        context: int,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        hidden_size: int | None = None,
        positions: str = "learned",
        norm: str = "pre",
        activation: str = "gelu",
        tied: bool = True,
        bias: bool = True,
        dropout: float = 0.0,
        start: int = 0,
        generator: Generator | None = None,
    ):
        super().__init__()
        check_sizes(num_tokens, context, width, num_layers, num_heads, start, dropout)
        for name, value, known in (
            ("positions", positions, POSITIONS),
            ("norm", norm, NORMS),
            ("activation", activation, ACTIVATIONS),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        self.num_tokens, self.context, self.start, self.positions = (
            num_tokens,
            context,
            start,
            positions,
        )
        self.embedding = table(num_tokens, width, generator)
        self.position = table(context, width, generator) if positions == "learned" else None
        if positions == "sinusoidal":
            self.register_buffer("waves", sinusoids(context, width).float(), persistent=False)
        self.dropout = nn.Dropout(dropout)
        out_std = STD / math.sqrt(2 * num_layers)
        hidden_size = hidden_size or 4 * width
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            attention = CausalAttention(
                width, num_heads, dropout=dropout, bias=bias, std=STD, out_std=out_std,
                generator=generator,
            )  # fmt: skip
            feed_forward = FeedForward(width, hidden_size, activation, bias, out_std, generator)
            self.blocks.append(Block(attention, feed_forward, norm, dropout))
        self.norm = nn.LayerNorm(width, bias=bias) if norm == "pre" else nn.Identity()
        self.head = None if tied else linear(width, num_tokens, False, STD, generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logits of what follows each token, (B, T, V), for tokens (B, T) of at most `context`.

        Raises:
            ValueError: for a wrong shape, too many tokens, or any that is not 0 .. V-1.
        """
        return self.logits(self.hidden(self._tokens(tokens, self.context)))

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x_1 .. x_T | x_0) in nats, (B,), for x (B, 1 + T) with T at most `context`.

        Raises:
            ValueError: for a wrong shape, too many tokens, or any that is not 0 .. V-1.
        """
        return self.step_log_prob(x).sum(1)

    def step_log_prob(self, x: Tensor) -> Tensor:
        """log p(x_t | x_0 .. x_(t-1)) of each token but the first, (B, T), for x (B, 1 + T).

        Raises:
            ValueError: as `log_prob`.
        """
        x = self._tokens(x, self.context + 1)
        logits = self.logits(self.hidden(x[:, :-1])).transpose(1, 2)  # (B, V, T)
        return -F.cross_entropy(logits, x[:, 1:], reduction="none")

    @torch.no_grad()
    def generate(self, prompt: Tensor, num_tokens: int, **choices) -> Tensor:
        """Continue prompts (B, P) by so many tokens, (B, P + num_tokens): see `generation`."""
        return generate(self, self._tokens(prompt, None), num_tokens, **choices)

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Draw n independent strings that follow the start token, (n, 1 + context) with it."""
        return self._sample(n, generator, cached=True)

    def sample_naive(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """`sample` by the whole network for every token: the same draws, more work."""
        return self._sample(n, generator, cached=False)

    @torch.no_grad()
    def attention_weights(self, tokens: Tensor) -> Tensor:
        """Where each token looks: (num_layers, B, h, T, T), rows that sum to one over the past."""
        x = self._embed(self._tokens(tokens, self.context), 0)
        found = []
        for block in self.blocks:
            found.append(block.weights(x))
            x = block(x)
        return torch.stack(found)

    def cache(self, batch: int) -> list[KeyValues]:
        """An empty cache of keys and values for every layer."""
        return [block.attention.room(batch, self.context) for block in self.blocks]

    def hidden(self, tokens: Tensor, cache: list[KeyValues] | None = None) -> Tensor:
        """The last layer's (B, T, W) for int64 tokens (B, T) that follow those in the cache."""
        x = self._embed(tokens, cache[0].length if cache else 0)
        for layer, block in enumerate(self.blocks):
            x = block(x, cache[layer] if cache else None)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., W) to (..., V), by the embedding's transpose where the two are tied."""
        return F.linear(hidden, self.embedding.weight if self.head is None else self.head.weight)

    def _embed(self, tokens: Tensor, seen: int) -> Tensor:
        """Embeddings plus positions `seen`, `seen` + 1, ..., (B, T, W)."""
        x, places = self.embedding(tokens), slice(seen, seen + tokens.shape[1])
        if self.position is not None:
            x = x + self.position.weight[places]
        elif self.positions == "sinusoidal":  # Section 3.4: times sqrt(d_model), against waves of 1
            x = x * math.sqrt(x.shape[-1]) + self.waves[places]
        return self.dropout(x)

    def _sample(self, n: int, generator: Generator | None, *, cached: bool) -> Tensor:
        if n < 0:
            raise ValueError(f"n is {n}, expected at least 0")
        first = torch.full((n, 1), self.start, device=self.embedding.weight.device)
        return self.generate(first, self.context, generator=generator, cached=cached)

    def _tokens(self, x: Tensor, most: int | None) -> Tensor:
        """Check x once and give it as int64; whole numbers of a floating type pass."""
        if x.ndim != 2 or x.shape[1] < 1 or (most is not None and x.shape[1] > most):
            limit = "" if most is None else f" to {most}"
            raise ValueError(f"tokens have shape {tuple(x.shape)}, expected (B, 1{limit})")
        tokens = x.long()
        wrong = (tokens < 0) | (tokens >= self.num_tokens) | (tokens != x)
        if wrong.any():
            raise ValueError(
                f"{x[wrong][0].item():g} among the tokens, expected 0 to {self.num_tokens - 1}"
            )
        return tokens


def table(rows: int, width: int, generator: Generator | None) -> nn.Embedding:
    """A learned vector for each token or position, from N(0, 0.02^2)."""
    embedding = nn.utils.skip_init(nn.Embedding, rows, width)
    nn.init.normal_(embedding.weight, std=STD, generator=generator)
    return embedding


def check_sizes(num_tokens, context, width, num_layers, num_heads, start, dropout) -> None:
    """Raise ValueError that names the first size that is impossible."""
    least = {"num_tokens": (num_tokens, 2), "context": (context, 1), "width": (width, 1)}
    least |= {"num_layers": (num_layers, 1), "num_heads": (num_heads, 1)}
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise ValueError(f"{name} is {value}, expected at least {lowest}")
    if width % num_heads:
        raise ValueError(f"width is {width}, expected a multiple of num_heads = {num_heads}")
    if not 0 <= start < num_tokens:
        raise ValueError(f"start is {start}, expected a token, 0 to {num_tokens - 1}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}, expected at least 0 and below 1")
