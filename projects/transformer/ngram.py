"""What counting can do: character n-grams with interpolated Kneser-Ney smoothing, the baseline.

Kneser and Ney, Improved backing-off for m-gram language modeling, ICASSP 1995; interpolated, with one
discount for each order, as in Chen and Goodman, An empirical study of smoothing techniques for
language modeling, 1999, Section 3:

    p_k(w | h) = max(c(h w) - d_k, 0) / c(h) + d_k N(h) / c(h) p_(k-1)(w | h'),

with h' the context without its oldest character, N(h) how many different characters follow h, and
d_k = n_1 / (n_1 + 2 n_2) from how many k-grams occur once and twice. Below the highest order c is not
how often a k-gram occurs but after how many different characters. Below the lowest stands 1 / V.
"""

import torch
from torch import Generator, Tensor


class Counts:
    """The k-grams of one order as sorted integers, so that a million lookups are one search."""

    def __init__(self, grams: Tensor, counts: Tensor, num_tokens: int) -> None:
        """Take distinct k-grams (N,), as numbers in base V, in order, with their counts (N,)."""
        self.grams, self.counts = grams, counts
        once, twice = (int((counts == times).sum()) for times in (1, 2))
        self.discount = once / (once + 2 * twice) if once else 0.5
        self.contexts, place = torch.unique_consecutive(grams // num_tokens, return_inverse=True)
        size = len(self.contexts)
        self.totals = torch.zeros(size, dtype=torch.int64).index_add_(0, place, counts)  # c(h)
        self.followers = torch.bincount(place, minlength=size)  # N(h)

    def interpolate(self, grams: Tensor, num_tokens: int, below: Tensor) -> Tensor:
        """p_k of k-grams, from p_(k-1) of their ends; where a context never occurred, the latter."""
        count = look_up(self.grams, self.counts, grams)
        total = look_up(self.contexts, self.totals, grams // num_tokens)
        followers = look_up(self.contexts, self.followers, grams // num_tokens)
        share = (count - self.discount).clamp(min=0) + self.discount * followers * below
        return torch.where(total > 0, share / total.clamp(min=1), below)


class NGram:
    """A mass over strings like the transformer's, in which a character sees the n - 1 before it.

    Args:
        text: (T,) int64 symbols to count.
        num_tokens: V, the size of the vocabulary.
        order: n, at least 1, with V^n below 2^63.

    >>> model = NGram(torch.tensor([0, 1, 0, 1, 0]), num_tokens=2, order=2)
    >>> model.log_prob(torch.tensor([[0, 1], [0, 0]])).exp().sum().item()
    1.0
    """

    def __init__(self, text: Tensor, num_tokens: int, order: int) -> None:
        if order < 1 or num_tokens**order >= 2**63:
            raise ValueError(f"order is {order}, expected 1 or more with {num_tokens}^n below 2^63")
        self.num_tokens, self.order = num_tokens, order
        highest = codes(text[None], order, num_tokens)[0, order - 1 :]
        grams, counts = highest.unique(return_counts=True)
        self.orders = [Counts(grams, counts, num_tokens)]
        for k in range(order - 1, 0, -1):  # how many different characters come before a k-gram
            grams, counts = (grams % num_tokens**k).unique(return_counts=True)
            self.orders.insert(0, Counts(grams, counts, num_tokens))

    def mass(self, x: Tensor) -> Tensor:
        """p(x_t | the n - 1 before it, at most x_0 ..) of every token of x (B, T), in float64."""
        p = torch.full(x.shape, 1 / self.num_tokens, dtype=torch.float64)
        for k, counts in enumerate(self.orders[: x.shape[1]], start=1):
            grams = codes(x, k, self.num_tokens)[:, k - 1 :]
            p[:, k - 1 :] = counts.interpolate(grams, self.num_tokens, p[:, k - 1 :])
        return p

    def step_log_prob(self, x: Tensor) -> Tensor:
        """log p of each token but the first, which is given: (B, T) nats for x (B, 1 + T)."""
        return self.mass(x)[:, 1:].log()

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x_1 .. x_T | x_0) in nats, (B,), for x (B, 1 + T)."""
        return self.step_log_prob(x).sum(1)

    def generate(self, prompt: Tensor, num_tokens: int, *, generator: Generator) -> Tensor:
        """Continue prompts (B, P) by so many tokens, (B, P + num_tokens)."""
        text, every = prompt, torch.arange(self.num_tokens).repeat(len(prompt))[:, None]
        for place in range(prompt.shape[1], prompt.shape[1] + num_tokens):
            known = text[:, max(0, place - self.order + 1) :]
            known = known.repeat_interleave(self.num_tokens, 0)  # (B V, n - 1)
            p = self.mass(torch.cat([known, every], 1))[:, -1].view(len(text), -1)  # (B, V)
            text = torch.cat([text, torch.multinomial(p, 1, generator=generator)], 1)
        return text


def codes(x: Tensor, k: int, num_tokens: int) -> Tensor:
    """The k symbols that end at each place of x (B, T) as one number; wrong for the first k - 1."""
    total = torch.zeros_like(x)
    for back in range(k):
        total[:, back:] += x[:, : x.shape[1] - back] * num_tokens**back
    return total


def look_up(keys: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    """The values of keys that are sorted, 0 where there is none."""
    place = torch.searchsorted(keys, wanted.contiguous()).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, values[place], 0)
