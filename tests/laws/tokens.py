"""Laws of models of strings of tokens: mass, causality, what order means, cached generation.

The model offers ``num_tokens`` (V), ``forward(tokens) -> (B, T, V)``, the logits of what follows each
token, ``log_prob(x)`` of x (B, 1 + T) given its first token, and ``sample(n) -> (n, 1 + T)``, strings
that all begin with one given token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.laws.base import assert_close, must_work, seeded
from tests.laws.enumeration import all_strings, assert_follow, assert_is_mass, string_counts
from tests.laws.module import Module
from tests.laws.sampler import Sampler


class Tokens(Module):
    """What the laws of strings share: inputs that are random strings of the model's tokens."""

    values = "tokens"

    def inputs(self, n: int, generator: torch.Generator, model: nn.Module | None = None) -> Tensor:
        """``n`` random strings (n, 1 + T) in float64, so that dtypes are tried as everywhere."""
        model = self.build() if model is None else model
        shape, _ = self._event(model)
        return torch.randint(0, model.num_tokens, (n, *shape), generator=generator).double()


class CausalTokens(Tokens, Sampler):
    """A normalised mass over strings, whose logits see earlier tokens and no later ones."""

    num_draws = 20_000

    def entries(self, model):
        return super().entries(model) | {"step_log_prob": model.step_log_prob}

    def test_mass_of_strings_sums_to_one(self):
        cause = (
            "a mean over the tokens instead of a sum, logits that see the token they predict, or "
            "the first token predicted although it is given"
        )
        assert_is_mass(*self._table(self.build()), cause)

    def test_samples_follow_the_mass_of_strings(self):
        model = self.build()
        _, log_prob = self._table(model)
        with torch.no_grad():
            draws = model.sample(self.num_draws, generator=seeded(30))[:, 1:]
        cause = (
            "a temperature, a truncation (top-k, nucleus), positions that are off by one while "
            "drawing, or most probable tokens in place of draws"
        )
        counts = string_counts(draws, model.num_tokens)
        assert_follow(counts, log_prob.exp(), "exp(log_prob)", cause)

    def test_later_tokens_do_not_reach_earlier_logits(self):
        model = self.build()
        logits, changed = self._substitutions(model)
        for place, other in enumerate(changed):
            moved = (other[:, :place] != logits[:, :place]).flatten(2).any(2).any(0)
            leaks = moved.nonzero().flatten().tolist()
            assert not leaks, (
                f"another token at position {place} changes the logits at {leaks}, which come "
                "before it. Likely cause: attention without a causal mask or with one that is off "
                "by one, or a normalisation over the positions"
            )

    def test_every_earlier_token_is_seen(self):
        model = self.build()
        logits, changed = self._substitutions(model)
        for place, other in enumerate(changed):
            still = (other[:, place:] == logits[:, place:]).flatten(2).all(2).all(0)
            blind = (still.nonzero().flatten() + place).tolist()
            assert not blind, (
                f"no other token at position {place} changes the logits at {blind}, which may see "
                "it. Likely cause: a mask that is too strict (a token must see itself), or a "
                "memory that is not carried on"
            )

    def test_log_prob_is_the_sum_over_the_steps(self):
        model = self.build()
        x = self.inputs(16, seeded(32), model)
        with torch.no_grad():
            logits, found = model(x[:, :-1]), model.log_prob(x)
            steps = model.step_log_prob(x)
        wanted = torch.distributions.Categorical(logits=logits).log_prob(x[:, 1:])  # (B, T)
        cause = "targets that are not shifted by one, a mean over the tokens, or a sign"
        assert_close(steps, wanted, 1e-10, "step_log_prob(x) against log softmax(logits)", cause)
        assert_close(found, wanted.sum(1), 1e-10, "log_prob(x) against the sum of its steps", cause)

    def _table(self, model: nn.Module) -> tuple[Tensor, Tensor]:
        (length,), _ = self._event(model)
        strings = all_strings(model.num_tokens, length - 1)
        with torch.no_grad():
            first = model.sample(1, generator=seeded(4))[:, :1].to(strings).expand(len(strings), 1)
            return strings, model.log_prob(torch.cat([first, strings], 1))

    def _substitutions(self, model: nn.Module) -> tuple[Tensor, list[Tensor]]:
        """Logits of random strings, and those with another token at each position in turn."""
        x = self.inputs(16, seeded(31), model)[:, :-1]
        changed = []
        with torch.no_grad():
            logits = model(x)  # (B, T, V)
            for place in range(x.shape[1]):
                other = x.clone()
                other[:, place] = (other[:, place] + 1) % model.num_tokens
                changed.append(model(other))
        return logits, changed


class Unordered(Tokens):
    """One causal layer without positions: the past is a bag, and only the last token has a place."""

    def test_the_order_of_the_past_does_not_matter(self):
        model = self.build()
        x = self.inputs(16, seeded(33), model)[:, :-1]
        with torch.no_grad():
            last = model(x)[:, -1]
            for seed in range(3):
                order = torch.randperm(x.shape[1] - 1, generator=seeded(34 + seed))
                shuffled = torch.cat([x[:, :-1][:, order], x[:, -1:]], 1)
                assert_close(
                    model(shuffled)[:, -1],
                    last,
                    1e-10,
                    f"the last logits after the past was put into the order {order.tolist()}",
                    "a position enters (an embedding, a decay, a mask that is not causal)",
                )

    def test_the_bag_of_the_past_matters(self):
        model = self.build()
        x = self.inputs(16, seeded(33), model)[:, :-1]
        other = x.clone()
        other[:, :-1] = (other[:, :-1] + 1) % model.num_tokens
        with torch.no_grad():
            moved = (model(other)[:, -1] - model(x)[:, -1]).abs().amax(-1)
        assert (moved > 1e-6).any(), (
            "other tokens in the past leave the last logits as they were, so that their order "
            "could not matter either. Likely cause: attention to the last token alone"
        )


class CachedGeneration(Tokens):
    """``generate(prompt, n, cached=True)``, which computes what is new, gives what cached=False gives.

    Prompts may be shorter or longer than what the model sees at once, and the text may go on far
    beyond that. `choices` are the ways of drawing that are tried.
    """

    choices: tuple[dict, ...] = ({},)

    def test_cached_generation_equals_uncached_token_for_token(self):
        for dtype in (torch.float64, torch.float32):
            model = self.build().to(dtype)
            (width,), _ = self._event(model)
            for seed, length in enumerate((1, width // 2, width, 2 * width + 1)):
                size = (1 + seed, length)
                prompt = torch.randint(0, model.num_tokens, size, generator=seeded(50 + seed))
                for choice in self.choices:
                    fast, slow = (
                        self._text(model, prompt, 3 * width, cached, choice)
                        for cached in (True, False)
                    )
                    differ = (fast != slow).any(0).nonzero().flatten().tolist()
                    assert not differ, (
                        f"with a cache the text differs from position {differ[0]} on (prompts of "
                        f"{length} tokens, {choice or 'plain draws'}, {dtype}). Likely cause: "
                        "positions that start anew or are off by one, a mask that forgets the "
                        "past, or a cache that outlives the window"
                    )

    def test_generation_continues_the_prompt(self):
        model = self.build()
        prompt = torch.randint(0, model.num_tokens, (3, 2), generator=seeded(51))
        for cached in (True, False):
            text = self._text(model, prompt, 5, cached, {})
            assert text.shape == (3, 7), f"2 + 5 tokens gave shape {tuple(text.shape)}"
            assert torch.equal(text[:, :2], prompt), "the text does not begin with its prompt"

    def test_generation_follows_the_logits(self):
        """The first token drawn after each of the prompts, against the softmax of their logits."""
        model = self.build()
        (width,), _ = self._event(model)
        prompt = torch.randint(0, model.num_tokens, (1, width - 1), generator=seeded(52))
        with torch.no_grad():
            mass = model(prompt)[0, -1].softmax(-1)
        draws = self._text(model, prompt.expand(20_000, -1), 1, True, {})[:, -1:]
        counts = string_counts(draws, model.num_tokens)
        assert_follow(
            counts, mass, "softmax(logits)", "logits of another position, or a temperature"
        )

    def _text(self, model, prompt: Tensor, count: int, cached: bool, choice: dict) -> Tensor:
        works = must_work(f"generate({tuple(prompt.shape)}, {count})", "a size that is assumed")
        with torch.no_grad(), works:
            return model.generate(prompt, count, cached=cached, generator=seeded(53), **choice)
