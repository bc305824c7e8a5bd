"""Sequences of several lengths: padding, masks, batches by length, and metrics that count steps."""

import math

import numpy as np
import pytest
import torch

from common.data import (
    Batches,
    Dataset,
    DatasetInfo,
    Preprocess,
    Scale,
    Split,
    UniformDequantisation,
)
from common.data.batches import by_length
from common.data.padding import mask, pad
from common.data.preprocess import Compose
from common.evaluation import EvaluationError, evaluate
from common.evaluation.out_of_distribution import detect


def ragged(num: int = 40, longest: int = 9, levels: int = 2, *, seed: int = 0) -> Dataset:
    """Random sequences of 1 to `longest` steps of three values; the padding is what must not count."""
    rng = np.random.default_rng(seed)
    sequences = [
        torch.from_numpy(rng.integers(0, levels, (1 + k % longest, 3), dtype=np.uint8))
        for k in rng.permutation(num)
    ]
    x, lengths = pad(sequences, longest)
    x[~mask(lengths, longest)] = levels - 1  # not zeros, so that what counts them is found out
    splits = {
        name: Split(name, x[part], y=torch.arange(num)[part], lengths=lengths[part])
        for name, part in (("train", slice(0, num // 2)), ("test", slice(num // 2, num)))
    }
    info = DatasetInfo(
        name="ragged",
        title="",
        shape=(longest, 3),
        splits={name: len(split) for name, split in splits.items()},
        num_levels=levels,
        licence="",
        citation="",
        source="",
        is_sequence=True,
    )
    return Dataset(info, splits)


def test_pad_and_mask_agree_with_torchs():
    sequences = [torch.arange(1, 1 + n).float() for n in (3, 1, 5)]
    x, lengths = pad(sequences)
    expected = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    assert torch.equal(x, expected)
    assert torch.equal(mask(lengths), expected > 0)
    assert mask(lengths, 7).sum(1).tolist() == [3, 1, 5]
    with pytest.raises(ValueError, match="num_steps is 4, the longest sequence has 5"):
        pad(sequences, 4)


def test_a_batch_is_cut_to_its_longest_and_knows_its_mask():
    split = ragged().train
    index = split.lengths.argsort()[:4]
    x, valid = split.batch(index), split.mask(index)
    assert x.shape == (4, split.lengths[index].max(), 3)
    assert valid.shape == x.shape[:2]
    assert torch.equal(valid.sum(1), split.lengths[index])
    whole = split.batch(slice(None))
    assert torch.equal(whole[split.mask()], split.x[:, : whole.shape[1]][split.mask()].float())
    with pytest.raises(ValueError, match="no lengths"):
        Split("train", torch.zeros(3, 2)).mask()


def test_views_of_a_split_keep_the_lengths():
    data = ragged()
    few = data.train.subset(torch.tensor([4, 2]))
    assert torch.equal(few.lengths, data.train.lengths[[4, 2]])
    both = data.join("train", "test")
    assert torch.equal(both.lengths[20:], data.test.lengths)
    assert torch.equal(data.to("cpu").test.lengths, data.test.lengths)


def test_the_checksum_sees_a_changed_length():
    data, other = ragged(), ragged()
    other.test.lengths[3] -= 1
    assert data.checksum != other.checksum


def test_batches_by_length_hold_every_example_once_and_little_padding():
    data = ragged(2000, 50)
    split = data.train
    batches = Batches(split, 10, seed=3)
    epoch = list(batches)
    seen = torch.cat(epoch)
    assert sorted(seen.tolist()) == list(range(1000))
    padding = sum((split.lengths[i].max() - split.lengths[i]).sum() for i in epoch)
    shuffled = list(Batches(range(1000), 10, seed=3))
    without = sum((split.lengths[i].max() - split.lengths[i]).sum() for i in shuffled)
    assert padding < 0.1 * without
    longest = torch.stack([split.lengths[i].max() for i in epoch]).double()
    rank = torch.corrcoef(torch.stack([longest, torch.arange(100.0).double()]))[0, 1]
    assert abs(rank) < 0.35  # short ones do not come first


def test_batches_by_length_differ_by_epoch_and_resume():
    split = ragged(200).train
    batches = Batches(split, 7, seed=0)
    first, second = list(batches), list(batches)
    assert not torch.equal(first[0], second[0])
    again = Batches(split, 7, seed=0)
    list(again)
    iterator = iter(again)
    for _ in range(3):
        next(iterator)
    resumed = Batches(split, 7, seed=0)
    resumed.load_state_dict(again.state_dict())
    rest = list(resumed)
    assert len(rest) == len(second) - 3
    assert all(torch.equal(a, b) for a, b in zip(rest, second[3:], strict=True))


def test_a_short_last_batch_keeps_its_place():
    order, lengths = torch.randperm(11, generator=torch.Generator().manual_seed(0)), torch.arange(
        11
    )
    found = by_length(order, lengths, 4)
    assert torch.equal(found[8:], order[8:])
    assert sorted(found.tolist()) == list(range(11))


class Coin(torch.nn.Module):
    """Every value is 1 with one probability; `masks` says whether padding is left out."""

    def __init__(self, p: float = 0.3, masks: bool = True) -> None:
        super().__init__()
        self.logit = torch.nn.Parameter(torch.tensor(math.log(p / (1 - p))))
        self.masks = masks

    def log_prob(self, x, lengths):
        steps = torch.distributions.Bernoulli(logits=self.logit).log_prob(x).sum(2)  # (B, T)
        valid = mask(lengths, x.shape[1]) if self.masks else torch.ones_like(steps, dtype=bool)
        return torch.where(valid, steps, 0.0).sum(1)

    def elbo(self, x, *, lengths, num_samples=1, generator=None):
        return self.log_prob(x, lengths) - 1

    def log_weights(self, x, *, lengths, num_samples, generator=None):
        return self.log_prob(x, lengths).expand(num_samples, -1)

    def sample(self, n, *, generator=None):
        return torch.zeros(n, 9, 3)


def by_hand(data: Dataset, split: str = "test", p: float = 0.3) -> tuple[list[float], list[int]]:
    """The nats of every sequence and its steps, without a mask: each is cut first."""
    nats, steps = [], []
    for x, length in zip(data.splits[split].x, data.splits[split].lengths.tolist(), strict=True):
        ones = int(x[:length].sum())
        nats.append(-ones * math.log(p) - (3 * length - ones) * math.log(1 - p))
        steps.append(length)
    return nats, steps


def test_every_metric_leaves_the_padding_out():
    data = ragged()
    nats, steps = by_hand(data)
    found = evaluate(Coin(), data, batch_size=7, num_importance_samples=3)
    assert set(found) == {"nll_nats", "nll_nats_per_step", "nll_elbo_nats", "nll_iwae_nats"}
    assert found["nll_nats"].value == pytest.approx(np.mean(nats), rel=1e-6)
    assert found["nll_nats_per_step"].value == pytest.approx(sum(nats) / sum(steps), rel=1e-6)
    assert found["nll_elbo_nats"].value == pytest.approx(np.mean(nats) + 1, rel=1e-6)
    assert found["nll_iwae_nats"].value == pytest.approx(np.mean(nats), rel=1e-6)


def test_a_model_that_counts_padding_is_seen():
    data = ragged()
    nats, steps = by_hand(data)
    found = evaluate(Coin(masks=False), data, metrics=["nll_nats_per_step"], batch_size=7)
    assert abs(found["nll_nats_per_step"].value - sum(nats) / sum(steps)) > 0.2


def test_the_first_examples_have_the_first_lengths():
    data = ragged()
    nats, steps = by_hand(data)
    found = evaluate(Coin(), data, metrics=["nll_nats_per_step"], max_examples=5)
    assert found["nll_nats_per_step"].value == pytest.approx(sum(nats[:5]) / sum(steps[:5]))


def test_the_error_of_nats_a_step_is_that_of_drawing_sequences():
    """Against the spread of the number over many splits, which the formula is to foresee."""
    values, errors = [], []
    for seed in range(100):
        found = evaluate(Coin(), ragged(seed=seed), metrics=["nll_nats_per_step"])
        values.append(found["nll_nats_per_step"].value)
        errors.append(found["nll_nats_per_step"].standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


class Flat(torch.nn.Module):
    """Uniform over 8 levels: 3 bits a dimension, whatever the preprocessing."""

    def __init__(self, density: float) -> None:
        super().__init__()
        self.nats = -math.log(density)  # of one dimension

    def log_prob(self, x, lengths):
        return -self.nats * 3 * lengths


@pytest.mark.parametrize(
    ("preprocess", "density"),
    [(None, 1 / 8), (Compose([UniformDequantisation(), Scale(8)]), 1.0)],
)
def test_bits_per_dimension_leave_the_padding_out(preprocess: Preprocess | None, density: float):
    data = ragged(levels=8).with_preprocess(preprocess)
    found = evaluate(Flat(density), data, metrics=["bits_per_dim"], batch_size=6)
    assert found["bits_per_dim"].value == pytest.approx(3)
    assert found["bits_per_dim"].standard_error == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_told_of_ragged_sequences_is_refused():
    data = ragged()
    for name in ("mmd", "energy_distance", "sliced_wasserstein", "classifier_accuracy"):
        with pytest.raises(EvaluationError, match="examples of one size"):
            evaluate(Coin(), data, metrics=[name])
    with pytest.raises(EvaluationError, match="the longer one is the less likely"):
        detect(Coin(), data, ragged(seed=1))
