"""No law stands without a broken model that it catches, and none is collected by itself."""

import pytest

from tests import laws
from tests.laws import (
    test_laws_adversarial,
    test_laws_bound,
    test_laws_continuous,
    test_laws_critic,
    test_laws_decoder,
    test_laws_diffusion,
    test_laws_discrete,
    test_laws_mixture,
    test_laws_module,
    test_laws_recurrent,
    test_laws_sampler,
    test_laws_state,
    test_laws_tokens,
)
from tests.laws.base import other_seeds, seeded

KINDS = [getattr(laws, name) for name in laws.__all__ if name != "seeded"]
LAWS = sorted({name for kind in KINDS for name in dir(kind) if name.startswith("test_")})
ROOMS = (
    test_laws_adversarial,
    test_laws_bound,
    test_laws_continuous,
    test_laws_critic,
    test_laws_decoder,
    test_laws_diffusion,
    test_laws_discrete,
    test_laws_mixture,
    test_laws_module,
    test_laws_recurrent,
    test_laws_sampler,
    test_laws_state,
    test_laws_tokens,
)
CAUGHT = {case.test for room in ROOMS for case in room.BREAKS}


@pytest.mark.parametrize("law", LAWS)
def test_every_law_catches_a_broken_model(law):
    assert (
        law in CAUGHT
    ), f"{law} has no broken model in BREAKS: a law that cannot fail proves nothing"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_laws_are_abstract(kind):
    assert not kind.__name__.startswith("Test"), "pytest would run it without a model"
    assert kind.__doc__
    with pytest.raises(NotImplementedError, match=r"must define model\(self\)"):
        kind().model()


def test_a_seed_gives_one_stream_and_another_inside_other_seeds():
    first = seeded(3).initial_seed()
    assert seeded(3).initial_seed() == first != seeded(4).initial_seed()
    with other_seeds():
        assert seeded(3).initial_seed() != first
    assert seeded(3).initial_seed() == first
