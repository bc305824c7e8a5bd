"""The laws of strings of tokens hold for a correct model and catch each broken one."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests import laws
from tests.laws.broken import Break, parametrise
from tests.laws.enumeration import all_strings
from tests.laws.reference import drawn


class Fading(nn.Module):
    """logits_t = tanh(sum over s <= t of decay^(t - s) E[x_s]) W + b, with a window of T tokens.

    When the window is full it starts anew from the last token, as a network with positions must.
    """

    def __init__(self, generator, num_tokens=3, length=5, decay=0.6):
        super().__init__()
        self.num_tokens, self.length, self.decay = num_tokens, length, decay
        self.embedding = drawn(generator, num_tokens, 6)
        self.weight = drawn(generator, 6, num_tokens)
        self.bias = drawn(generator, num_tokens)

    def mixing(self, size: int) -> Tensor:
        """(T, T) weights of each token s in the memory of each token t."""
        place = torch.arange(size, dtype=self.bias.dtype)
        gap = place[:, None] - place[None, :]
        return torch.where(gap >= 0, self.decay**gap, 0.0)

    def read(self, memory: Tensor) -> Tensor:
        return torch.tanh(memory) @ self.weight + self.bias

    def forward(self, tokens: Tensor) -> Tensor:
        return self.read(self.mixing(tokens.shape[1]) @ self.embedding[tokens.long()])

    def step_log_prob(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or not 1 <= x.shape[1] <= self.length + 1:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, 1 to {self.length + 1})")
        logits = self(x[:, :-1]).transpose(1, 2)
        return -F.cross_entropy(logits, x[:, 1:].long(), reduction="none")

    def log_prob(self, x: Tensor) -> Tensor:
        return self.step_log_prob(x).sum(1)

    def draw(self, logits: Tensor, generator) -> Tensor:
        waits = torch.empty_like(logits).exponential_(generator=generator)
        return (logits - waits.log()).argmax(1, keepdim=True)

    def sample(self, n: int, *, generator=None) -> Tensor:
        return self.generate(torch.zeros(n, 1, dtype=torch.long), self.length, generator=generator)

    def generate(self, prompt: Tensor, count: int, *, cached=True, generator=None) -> Tensor:
        text, first, known = prompt, max(0, prompt.shape[1] - self.length), None
        for place in range(prompt.shape[1], prompt.shape[1] + count):
            if place - first > self.length:
                first, known = place - 1, self.restart(known)
            if known is None or not cached:
                window = self.embedding[text[:, first:]]
                known = self.mixing(window.shape[1])[-1:].matmul(window)[:, 0]
            else:
                known = self.update(known, self.embedding[text[:, -1]])
            text = torch.cat([text, self.draw(self.read(known), generator)], 1)
        return text

    def restart(self, known):
        return None

    def update(self, known: Tensor, new: Tensor) -> Tensor:
        return self.decay * known + new


class TestFading(laws.CausalTokens, laws.CachedGeneration):
    def model(self):
        return Fading(laws.seeded(0))


class Bag(Fading):
    def __init__(self, generator):
        super().__init__(generator, decay=1.0)


class TestBag(laws.Unordered):
    def model(self):
        return Bag(laws.seeded(0))


class TokenAverage(Fading):
    """The mean over the tokens in place of the sum."""

    def log_prob(self, x):
        return self.step_log_prob(x).mean(1)


class SwappedSign(Fading):
    def step_log_prob(self, x):
        return -super().step_log_prob(x)


class SeesWhatItPredicts(Fading):
    """The mask off by one: each token also sees the next."""

    def mixing(self, size):
        return super().mixing(size) + torch.diag(torch.ones(size - 1, dtype=self.bias.dtype), 1)


class SeesTheMean(Fading):
    """A normalisation over the positions: a leak through which every token reaches every other."""

    def forward(self, tokens):
        logits = super().forward(tokens)
        return logits - logits.mean(1, keepdim=True)


class BlindToItself(Fading):
    """The mask too strict: a token does not see itself."""

    def mixing(self, size):
        return super().mixing(size).tril(-1)


class ShortMemory(Fading):
    def mixing(self, size):
        return super().mixing(size).triu(-2)


class NotShifted(Fading):
    """Each token predicts itself."""

    def step_log_prob(self, x):
        logits = self(x[:, :-1]).transpose(1, 2)
        return -F.cross_entropy(logits, x[:, :-1].long(), reduction="none")


class Temperature(Fading):
    def draw(self, logits, generator):
        return super().draw(2 * logits, generator)


class MostProbable(Fading):
    def draw(self, logits, generator):
        return logits.argmax(1, keepdim=True)


class LastTokenOnly(Fading):
    def mixing(self, size):
        return torch.eye(size, dtype=self.bias.dtype)


class CacheWithoutDecay(Fading):
    """The cached memory does not fade."""

    def update(self, known, new):
        return known + new


class CacheOutlivesTheWindow(Fading):
    """The window starts anew, the memory goes on."""

    def restart(self, known):
        return known


class ForgetsThePrompt(Fading):
    def generate(self, prompt, count, *, cached=True, generator=None):
        text = super().generate(prompt, count, cached=cached, generator=generator)
        return text.roll(-1, 1)


CAUSAL, CACHED = laws.CausalTokens, laws.CachedGeneration
BREAKS = (
    Break(CAUSAL, "test_mass_of_strings_sums_to_one", TokenAverage, "mean over the tokens"),
    Break(CAUSAL, "test_mass_of_strings_sums_to_one", SwappedSign, "never above one"),
    Break(CAUSAL, "test_mass_of_strings_sums_to_one", SeesWhatItPredicts, "sums to .* expected 1"),
    Break(CAUSAL, "test_mass_of_strings_sums_to_one", SeesTheMean, "sums to .* expected 1"),
    Break(CAUSAL, "test_samples_follow_the_mass_of_strings", Temperature, "chi-square p = "),
    Break(CAUSAL, "test_samples_follow_the_mass_of_strings", MostProbable, "chi-square p = "),
    Break(
        CAUSAL,
        "test_later_tokens_do_not_reach_earlier_logits",
        SeesWhatItPredicts,
        r"position 1 changes the logits at \[0\]",
    ),
    Break(CAUSAL, "test_later_tokens_do_not_reach_earlier_logits", SeesTheMean, "a normalisation"),
    Break(CAUSAL, "test_every_earlier_token_is_seen", BlindToItself, r"logits at \[0\]"),
    Break(CAUSAL, "test_every_earlier_token_is_seen", ShortMemory, r"position 0 .* \[3, 4\]"),
    Break(CAUSAL, "test_log_prob_is_the_sum_over_the_steps", NotShifted, "not shifted by one"),
    Break(CAUSAL, "test_log_prob_is_the_sum_over_the_steps", TokenAverage, "mean over the tokens"),
    Break(laws.Unordered, "test_the_order_of_the_past_does_not_matter", Fading, "a decay"),
    Break(laws.Unordered, "test_the_bag_of_the_past_matters", LastTokenOnly, "last token alone"),
    Break(
        CACHED,
        "test_cached_generation_equals_uncached_token_for_token",
        CacheWithoutDecay,
        "differs from position",
    ),
    Break(
        CACHED,
        "test_cached_generation_equals_uncached_token_for_token",
        CacheOutlivesTheWindow,
        "outlives the window",
    ),
    Break(CACHED, "test_generation_continues_the_prompt", ForgetsThePrompt, "begin with its"),
    Break(CACHED, "test_generation_follows_the_logits", Temperature, "chi-square p = "),
)


@parametrise(*BREAKS)
def test_caught(case):
    case.check()


def test_strings_too_many_to_count_are_refused():
    with pytest.raises(ValueError, match=r"65\^5 strings"):
        all_strings(65, 5)
