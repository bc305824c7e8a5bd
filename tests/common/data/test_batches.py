"""Batches: each example once an epoch, an order that is a function of (seed, epoch), resumable."""

import pytest
import torch

from common.data import Batches, permutation


def epochs(batches, num):
    return [[index for index in batches] for _ in range(num)]


@pytest.mark.parametrize(("size", "batch_size"), [(10, 3), (12, 4), (7, 7), (5, 1)])
@pytest.mark.parametrize("drop_last", [True, False])
def test_every_example_comes_once(size, batch_size, drop_last):
    batches = Batches(range(size), batch_size, seed=1, drop_last=drop_last)
    for epoch in epochs(batches, 3):
        seen = torch.cat(epoch).tolist()
        assert len(epoch) == len(batches)
        assert (
            len(set(seen)) == len(seen) == (size // batch_size * batch_size if drop_last else size)
        )
        assert set(seen) <= set(range(size))
    assert batches.epoch == 3


def test_the_order_depends_on_seed_and_epoch_alone():
    first, second = epochs(Batches(range(100), 100, seed=0), 2)
    assert torch.equal(first[0], permutation(100, 0, 0))
    assert torch.equal(second[0], permutation(100, 0, 1))
    orders = {tuple(permutation(100, s, e).tolist()) for s in range(4) for e in range(4)}
    assert len(orders) == 16  # (0, 1) and (1, 0) are not the same
    state = torch.random.get_rng_state()
    permutation(100, 0, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_all_orders_are_equally_likely():
    from scipy.stats import chisquare

    counts = {}
    for epoch in range(6000):
        order = tuple(permutation(3, 5, epoch).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("drop_last", [True, False])
def test_a_saved_position_continues_as_if_nothing_had_happened(drop_last):
    """Stop after each number of batches, over three epochs, and compare what is left."""
    make = lambda: Batches(range(11), 3, seed=4, drop_last=drop_last)  # noqa: E731
    whole = [index for epoch in epochs(make(), 3) for index in epoch]
    for stop in range(len(whole)):
        batches, taken = make(), 0
        while taken < stop:
            for _ in batches:
                taken += 1
                if taken == stop:
                    state = batches.state_dict()
                    break
        resumed = make()
        resumed.load_state_dict(state if stop else batches.state_dict())
        rest = []
        while len(rest) < len(whole) - stop:
            rest += list(resumed)
        assert all(torch.equal(a, b) for a, b in zip(whole[stop:], rest, strict=True))


def test_a_finished_epoch_is_saved_as_the_start_of_the_next():
    batches = Batches(range(4), 2, seed=0)
    states = [batches.state_dict() for _ in batches]
    assert [(s["epoch"], s["position"]) for s in states] == [(0, 1), (1, 0)]


def test_the_state_is_json():
    import json

    state = Batches(range(4), 2, seed=0).state_dict()
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize(
    ("change", "message"),
    [({"batch_size": 3}, "batch_size=3"), ({"seed": 9}, "seed=9"), ({"position": 9}, "position")],
)
def test_a_state_of_other_batches_is_refused(change, message):
    batches = Batches(range(8), 2, seed=0)
    with pytest.raises(ValueError, match=message):
        batches.load_state_dict(batches.state_dict() | change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 4, 0), "1 to 3"), ((3, 0, 0), "1 to 3"), ((3, 1, -1), "non-negative")],
)
def test_bad_arguments_are_named(arguments, message):
    size, batch_size, seed = arguments
    with pytest.raises(ValueError, match=message):
        Batches(range(size), batch_size, seed=seed)
