"""Drawing text token by token: with or without a cache, temperature, top-k and nucleus.

The window of a transformer is finite. When it is full, the oldest tokens are forgotten until `keep`
are left, which are read anew from position 0. With a cache each token is read once, and the kept ones
again after such a jump; without it the whole window is read for every new token. The text is the same.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from projects.transformer.model import Transformer


def generate(
    model: "Transformer",
    prompt: Tensor,
    num_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    keep: int | None = None,
    cached: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """Continue prompts by draws from the model's conditionals, one token after another.

    Args:
        model: the network, in eval mode.
        prompt: (B, P) int64 tokens, P at least 1.
        num_tokens: how many to draw, at least 0.
        temperature: logits are divided by it; 0 takes the most probable token.
        top_k: draw from the k most probable tokens only.
        top_p: draw from the smallest set of most probable tokens that holds this mass ("nucleus",
            Holtzman et al., 2020, https://arxiv.org/abs/1904.09751).
        keep: tokens that stay in the window when it is full; None is half of it, and the whole
            context slides by one token, at the cost of reading it all for each.
        cached: keep keys and values instead of computing them again.
        generator: source of randomness, on the model's device.

    Returns:
        (B, P + num_tokens) int64.

    Raises:
        ValueError: for an argument out of its range.
    """
    keep = max(1, model.context // 2) if keep is None else keep
    check_choices(model, num_tokens, temperature, top_k, top_p, keep)
    start = prompt.shape[1]
    tokens = prompt.new_empty(len(prompt), start + num_tokens)
    tokens[:, :start] = prompt
    first = max(0, start - model.context)  # of the window
    cache = model.cache(len(prompt)) if cached else None
    for place in range(start, start + num_tokens):
        if place - first > model.context:
            first = place - keep
            cache = model.cache(len(prompt)) if cached else None
        known = first + (cache[0].length if cached else 0)
        hidden = model.hidden(tokens[:, known:place], cache)
        logits = model.logits(hidden[:, -1])  # (B, V)
        tokens[:, place] = draw(restrict(logits, temperature, top_k, top_p), generator)
    return tokens


def restrict(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Logits (B, V) at a temperature, minus infinity outside of the top k and of the nucleus.

    Temperature comes first, so that the nucleus is one of the distribution that is drawn from.

    >>> logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    >>> restrict(logits, top_p=0.6).softmax(-1).tolist()[0][2], restrict(logits, top_k=1).argmax()
    (0.0, tensor(0))
    """
    top_k = 1 if temperature == 0 else top_k
    logits = logits / (temperature or 1.0)
    if top_k is not None and top_k < logits.shape[-1]:
        best = logits.topk(top_k).indices
        logits = torch.full_like(logits, -math.inf).scatter(-1, best, logits.gather(-1, best))
    if top_p is not None and top_p < 1:
        ranked, order = logits.sort(stable=True, dim=-1, descending=True)
        mass = ranked.softmax(-1)
        before = mass.cumsum(-1) - mass  # what the more probable ones hold
        outside = (before >= top_p).scatter(-1, order, before >= top_p)
        logits = logits.masked_fill(outside, -math.inf)
    return logits


def draw(logits: Tensor, generator: Generator | None) -> Tensor:
    """One token of softmax(logits) in each row, (B,), by Gumbel's maximum.

    argmax(logit - log E) with E from Exp(1): no sum over the vocabulary, and nothing for which the
    last digit of a probability matters but a tie.
    """
    waits = torch.empty_like(logits).exponential_(generator=generator)
    return (logits - waits.log()).argmax(-1)


def check_choices(model, num_tokens, temperature, top_k, top_p, keep) -> None:
    """Raise ValueError that names the first argument out of range."""
    if num_tokens < 0:
        raise ValueError(f"num_tokens is {num_tokens}, expected at least 0")
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, expected a number of at least 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}, expected at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}, expected above 0 and at most 1")
    if not 1 <= keep <= model.context:
        raise ValueError(f"keep is {keep}, expected 1 to the context, {model.context}")
