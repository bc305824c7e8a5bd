"""The laws the transformer obeys, parity with other implementations, and what is special to the paper."""

import math

import pytest
import torch
from torch import nn

from common.config import ConfigError, override
from common.data import encode, load
from common.evaluation import evaluate
from common.training import Run
from projects.transformer import pictures
from projects.transformer.attention import later, sinusoids
from projects.transformer.generation import draw, restrict
from projects.transformer.model import Transformer
from projects.transformer.ngram import NGram
from projects.transformer.train import PRESETS, DecayMatrices, build, held_out, load_data, train
from tests import laws
from tests.laws import seeded

TINY = {"width": 8, "num_layers": 2, "num_heads": 2}
CHOICES = (
    {},
    {"temperature": 0.7, "top_k": 2},
    {"temperature": 1.3, "top_p": 0.8},
    {"temperature": 0.0},
    {"keep": 1},
    {"keep": 5},
)


class TestLearnedPositions(laws.CausalTokens, laws.CachedGeneration, laws.CachedSampler):
    """The literature's: normalisation first, learned positions, GELU, tied embeddings."""

    choices = CHOICES

    def model(self):
        return Transformer(3, 5, **TINY, generator=seeded(0))


class TestThePapers(laws.CausalTokens, laws.CachedGeneration):
    """The paper's: normalisation last, sinusoids, ReLU."""

    def model(self):
        kinds = {"positions": "sinusoidal", "norm": "post", "activation": "relu"}
        return Transformer(3, 5, **TINY, **kinds, tied=False, generator=seeded(1))


class TestWithoutPositions(laws.CausalTokens, laws.CachedGeneration, laws.Unordered):
    """One layer without positions; the first law of order holds, those of causality too."""

    def model(self):
        sizes = TINY | {"num_layers": 1}
        return Transformer(3, 5, **sizes, positions="none", bias=False, generator=seeded(2))


def noisy(model: nn.Module, seed: int = 9) -> nn.Module:
    """The model in float64 and eval mode with every parameter moved, so that no gain is one."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in model.double().parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator).double())
    return model.eval()


def tokens(*shape: int, num_tokens: int = 11, seed: int = 3) -> torch.Tensor:
    return torch.randint(0, num_tokens, shape, generator=seeded(seed))


# --- parity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_logits_equal_torchs_own_layers_with_the_same_weights(norm, activation, bias):
    """torch.nn.TransformerEncoderLayer was written by others, from the same paper."""
    kinds = {"norm": norm, "activation": activation, "bias": bias}
    model = noisy(
        Transformer(11, 7, width=12, num_layers=3, num_heads=3, **kinds, generator=seeded(4))
    )
    x = tokens(5, 7)
    h = model.embedding(x) + model.position.weight
    causal = nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64)
    for block in model.blocks:
        theirs = nn.TransformerEncoderLayer(
            12, 3, 48, 0.0, activation, batch_first=True, norm_first=norm == "pre", bias=bias
        )
        theirs = theirs.double().eval()
        theirs.load_state_dict(in_torchs_names(block))
        h = theirs(h, src_mask=causal, is_causal=True)
    if norm == "pre":
        h = nn.functional.layer_norm(h, (12,), model.norm.weight, model.norm.bias)
    torch.testing.assert_close(model(x), h @ model.embedding.weight.T, rtol=1e-10, atol=1e-10)


def in_torchs_names(block: nn.Module) -> dict[str, torch.Tensor]:
    """A block's weights under the names of torch's layer."""
    names = {
        "attention.queries_keys_values": "self_attn.in_proj_",
        "attention.out": "self_attn.out_proj.",
        "feed_forward.inner": "linear1.",
        "feed_forward.out": "linear2.",
        "attention_norm": "norm1.",
        "feed_forward_norm": "norm2.",
    }
    state = {}
    for name, value in block.state_dict().items():
        module, kind = name.rsplit(".", 1)
        state[names[module] + kind] = value
    return state


def test_logits_equal_gpt2s_with_the_same_weights():
    """Hugging Face's GPT-2, which `make bench` installs: an independent decoder-only model."""
    transformers = pytest.importorskip("transformers", reason="make bench installs transformers")
    from tests.benchmarks.gpt2 import as_gpt2

    assert transformers.__version__
    model = noisy(Transformer(11, 7, width=12, num_layers=3, num_heads=3, generator=seeded(4)))
    theirs = as_gpt2(model)
    x = tokens(5, 7)
    torch.testing.assert_close(model(x), theirs(x).logits, rtol=1e-9, atol=1e-9)


# --- the paper's equations -----------------------------------------------------------------------


def test_attention_is_equation_1():
    """softmax(Q K^T / sqrt(d)) V for each head, with the future at minus infinity, by hand."""
    model = noisy(Transformer(11, 6, width=8, num_layers=1, num_heads=2, generator=seeded(5)))
    attention = model.blocks[0].attention
    x = torch.randn(3, 6, 8, generator=seeded(6), dtype=torch.float64)
    q, k, v = attention.queries_keys_values(x).split(8, -1)
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = torch.einsum("btd,bsd->bts", q[..., part], k[..., part]) / 2.0
        for t in range(6):
            scores[:, t, t + 1 :] = -math.inf
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        torch.testing.assert_close(attention.weights(x)[:, head], weights)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(attention(x), attention.out(torch.cat(heads, -1)))


def test_attention_weights_are_distributions_over_the_past():
    """Each row is a distribution over the past, for every layer and head."""
    model = noisy(Transformer(11, 6, **TINY, generator=seeded(5)))
    weights = model.attention_weights(tokens(4, 6))
    assert weights.shape == (2, 4, 2, 6, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 2, 6, dtype=torch.float64))
    assert not weights[..., ~later(0, 6, weights.device)].any()


def test_sinusoids_of_a_shift_are_a_rotation():
    """Section 3.5: PE(p + k) is a linear function of PE(p), the same for all p."""
    table = sinusoids(50, 16)
    even, odd = table[:, 0::2], table[:, 1::2]
    frequency = 10_000 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    cos, sin = (7 * frequency).cos(), (7 * frequency).sin()
    torch.testing.assert_close(even[7:], even[:-7] * cos + odd[:-7] * sin)
    torch.testing.assert_close(odd[7:], odd[:-7] * cos - even[:-7] * sin)


def test_the_sinusoids_are_rebuilt_and_not_stored():
    model = Transformer(3, 5, **TINY, positions="sinusoidal", generator=seeded(0))
    assert not any("waves" in name for name in model.state_dict())


@pytest.mark.parametrize(("positions", "num_layers"), [("learned", 1), ("none", 2)])
def test_positions_or_a_second_causal_layer_tell_the_order(positions, num_layers):
    """The mask alone is a clock: a second layer sees how much each of the past has seen."""
    sizes = TINY | {"num_layers": num_layers}
    model = noisy(Transformer(11, 6, **sizes, positions=positions, generator=seeded(7)))
    x = torch.tensor([[1, 2, 3, 4, 5, 6]])
    swapped = torch.tensor([[3, 1, 2, 5, 4, 6]])
    assert (model(x)[:, -1] - model(swapped)[:, -1]).abs().max() > 1e-3


def test_the_residual_stream_starts_quietly():
    """GPT-2: output projections are smaller by the root of the number of residual layers."""
    model = Transformer(65, 64, width=128, num_layers=4, num_heads=4, generator=seeded(8))
    for block in model.blocks:
        for out in (block.attention.out, block.feed_forward.out):
            assert out.weight.std().item() == pytest.approx(0.02 / math.sqrt(8), rel=0.05)
        assert block.feed_forward.inner.weight.std().item() == pytest.approx(0.02, rel=0.05)
    uniform = math.log(65)
    assert -model.step_log_prob(tokens(8, 65, num_tokens=65)).mean().item() == pytest.approx(
        uniform, abs=0.05
    )


def test_dropout_acts_in_training_only():
    model = Transformer(11, 6, **TINY, dropout=0.5, generator=seeded(9))
    x = tokens(4, 6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not torch.equal(model.train()(x), model(x))
        assert torch.equal(model.eval()(x), model(x))


# --- drawing ---------------------------------------------------------------------------------------


def test_restrictions_keep_what_they_say():
    p = torch.tensor([[0.1, 0.4, 0.05, 0.25, 0.2], [0.2, 0.2, 0.2, 0.2, 0.2]]).double()
    kept = lambda **choice: restrict(p.log(), **choice).isfinite().sum(1).tolist()  # noqa: E731
    assert kept(top_k=2) == [2, 2]  # of equals, too, no more than k
    assert kept(top_k=9) == kept(top_p=1.0) == [5, 5]
    assert kept(top_p=0.39) == [1, 2]
    assert kept(top_p=0.5) == [2, 3]
    assert kept(top_p=1e-9) == [1, 1]  # never none
    torch.testing.assert_close(
        restrict(p.log(), top_p=0.6)[0].softmax(0)[[1, 3]], p[0, [1, 3]] / 0.65
    )
    assert restrict(p.log(), temperature=0.0)[0].argmax() == 1
    sharp = restrict(p.log(), temperature=0.5).softmax(1)
    torch.testing.assert_close(sharp, p.square() / p.square().sum(1, keepdim=True))


def test_the_nucleus_is_of_the_tempered_distribution():
    p = torch.tensor([[0.5, 0.3, 0.2]]).double()
    assert restrict(p.log(), temperature=0.25, top_p=0.8).isfinite().sum() == 1


def test_draws_follow_the_softmax():
    p = torch.tensor([0.5, 0.3, 0.15, 0.05]).double()
    drawn = draw(p.log().expand(40_000, -1), seeded(10))
    frequency = torch.bincount(drawn, minlength=4) / 40_000
    assert (frequency - p).abs().max() < 5 * math.sqrt(0.25 / 40_000)


def test_a_full_window_keeps_what_it_was_told_to():
    """With keep = context the window slides by one: each token is that of a fresh network."""
    model = noisy(Transformer(11, 4, **TINY, generator=seeded(11)))
    prompt = tokens(2, 3)
    text = model.generate(prompt, 9, temperature=0.0, keep=4)
    for place in range(3, 12):
        window = text[:, max(0, place - 4) : place]
        assert torch.equal(text[:, place], model(window)[:, -1].argmax(-1))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 0.0}, "top_p is 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"keep": 6}, "keep is 6, expected 1 to the context, 5"),
    ],
)
def test_an_impossible_choice_is_named(choice, message):
    model = Transformer(3, 5, **TINY, generator=seeded(0))
    with pytest.raises(ValueError, match=message):
        model.generate(torch.zeros(1, 1), 2, **choice)
    with pytest.raises(ValueError, match="num_tokens is -1"):
        model.generate(torch.zeros(1, 1), -1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 3}, "width is 8, expected a multiple of num_heads = 3"),
        ({"positions": "rotary"}, "positions is 'rotary', expected one of learned"),
        ({"start": 3}, "start is 3, expected a token, 0 to 2"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"dropout": 1.0}, "dropout is 1"),
    ],
)
def test_an_impossible_network_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Transformer(3, 5, **(TINY | change))


def test_what_is_no_token_is_named():
    model = Transformer(3, 5, **TINY, generator=seeded(0))
    for wrong, message in (([[0, 3]], "^3 among"), ([[0, -1]], "^-1 among"), ([[0, 0.5]], "^0.5")):
        with pytest.raises(ValueError, match=message):
            model(torch.tensor(wrong))
    with pytest.raises(ValueError, match=r"\(1, 6\), expected \(B, 1 to 5\)"):
        model(torch.zeros(1, 6))


# --- the baseline ------------------------------------------------------------------------------------


def test_kneser_ney_by_hand():
    """The bigrams of 0 1 0 2 0 1, worked out on paper."""
    text = torch.tensor([0, 1, 0, 2, 0, 1])
    model = NGram(text, num_tokens=3, order=2)
    # bigrams 01 twice, 10, 02, 20 once: d_2 = 3 / (3 + 2); they end in 1 (1), 0 (2), 2 (1)
    first = 2 / (2 + 2 * 1)  # d_1, of the numbers 2, 1, 1
    below = [(max(c - first, 0) + first * 3 / 3) / 4 for c in (2, 1, 1)]
    wanted = (2 - 0.6 + 0.6 * 2 * below[1]) / 3  # p(1 | 0): 0 is followed 3 times, by 2 characters
    found = model.step_log_prob(torch.tensor([[0, 1]])).exp().item()
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_n_gram_is_a_mass(order):
    """The masses of all that can follow sum to one, whether the context occurred or not."""
    text = tokens(200, num_tokens=4, seed=12)
    model = NGram(text, num_tokens=4, order=order)
    contexts = tokens(30, 6, num_tokens=4, seed=13).repeat_interleave(4, 0)
    last = torch.arange(4).repeat(30)[:, None]
    mass = model.mass(torch.cat([contexts, last], 1))[:, -1].view(30, 4)
    torch.testing.assert_close(mass.sum(1), torch.ones(30, dtype=torch.float64))
    assert (mass > 0).all()


def test_n_grams_learn_a_text_that_repeats_itself():
    text = torch.arange(5).repeat(100)
    model = NGram(text, num_tokens=5, order=3)
    assert model.step_log_prob(text[None, :60])[:, 2:].mean() > math.log(0.95)
    drawn = model.generate(torch.tensor([[0, 1]]), 50, generator=seeded(14))[0]
    assert (drawn.diff().remainder(5) == 1).double().mean() > 0.9


def test_an_order_too_high_to_count_is_refused():
    with pytest.raises(ValueError, match="order is 11"):
        NGram(torch.zeros(5, dtype=torch.int64), 65, 11)


# --- training ------------------------------------------------------------------------------------------


def test_presets_are_the_public_settings():
    cpu, gpu = PRESETS["cpu"], PRESETS["gpu"]
    sizes = lambda c: (c.num_layers, c.num_heads, c.width, c.context, c.batch_size)  # noqa: E731
    assert sizes(cpu) == (4, 4, 128, 64, 12)
    assert (cpu.steps, cpu.dropout, cpu.hold_out) == (2_000, 0.0, 0.0)  # the rate is ours: README
    assert sizes(gpu) == (6, 6, 384, 256, 64)
    assert (gpu.steps, gpu.dropout, gpu.learning_rate) == (5_000, 0.2, 1e-3)
    assert (gpu.beta2, gpu.warmup_steps, gpu.final_rate) == (0.99, 100, 0.1)


def test_decay_spares_gains_and_biases():
    model = Transformer(3, 5, **TINY, generator=seeded(0))
    matrices, vectors = DecayMatrices(model.parameters(), lr=1.0, weight_decay=0.3).param_groups
    assert matrices["weight_decay"] == 0.3
    assert vectors["weight_decay"] == 0.0
    assert {p.ndim for p in matrices["params"]} == {2}
    assert {p.ndim for p in vectors["params"]} == {1}
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(model.parameters()))


def test_what_is_held_out_is_the_end_of_the_training_text():
    text = load("shakespeare_excerpt")
    held = held_out(text, 0.25)
    assert torch.equal(torch.cat([held.train.x, held.valid.x]), text.train.x)
    assert len(held.valid) == round(len(text.train) / 4)
    assert held_out(text, 0.0) is text
    assert load_data(PRESETS["smoke"]).origin.valid.x.equal(held_out(text, 0.1).valid.x)


def test_data_that_is_no_text_and_words_that_are_unknown_are_refused():
    with pytest.raises(ValueError, match="digits is no running text"):
        load_data(override(PRESETS["smoke"], ["data=digits"]))
    with pytest.raises(
        (ValueError, ConfigError), match="norm is 'batch', expected one of: pre, post"
    ):
        override(PRESETS["smoke"], ["norm=batch"])


def test_smoke_preset_learns_more_than_the_frequencies(tmp_path):
    config = PRESETS["smoke"]
    model = train(config, Run(tmp_path, seed=0, progress=False))
    data = load_data(config)
    found = evaluate(model, data, split="valid", metrics=["nll_nats_per_step"])
    unigram = NGram(data.origin.train.x, 65, 1)
    counted = evaluate(unigram, data, split="valid", metrics=["nll_nats_per_step"])
    assert found["nll_nats_per_step"].value < counted["nll_nats_per_step"].value


def test_samples_begin_after_the_end_of_a_line():
    config = PRESETS["smoke"]
    data = load_data(config)
    model = build(config, data, generator=seeded(15))
    drawn = model.sample(3, generator=seeded(16))
    assert tuple(drawn.shape[1:]) == data.shape
    assert {data.vocabulary[symbol] for symbol in drawn[:, 0]} == {"\n"}


def test_the_pictures_show_what_they_are_given():
    vocabulary = load("shakespeare_excerpt").vocabulary
    model = Transformer(65, 24, **TINY, generator=seeded(17)).eval()
    text = "to be,\nor not to be"
    heads = pictures.heads_figure(model, text, vocabulary)
    assert len(heads.axes) == 2 * 2
    drawn = heads.axes[3].images[0].get_array()  # the last head of the last layer
    wanted = model.attention_weights(encode(text, vocabulary)[None])[1, 0, 1].sqrt()
    torch.testing.assert_close(torch.from_numpy(drawn.data.copy()), wanted)
    surprise = pictures.surprise_figure(text, {"a": torch.arange(19.0)}, columns=8)
    assert "".join(t.get_text() for t in surprise.axes[0].texts) == "to␣be,↵or␣not␣to␣be"
    assert surprise.axes[0].get_title("left") == "a: 9.00 nats a character"
    seconds = pictures.times(model, [2, 4], cached=True, repeats=1)
    assert len(seconds) == 2
    assert min(seconds) > 0
