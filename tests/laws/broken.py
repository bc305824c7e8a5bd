"""The tests of the laws: a broken model, the law that must catch it, and what it must say."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from torch import nn

from tests.laws.base import Law, seeded


class Break(NamedTuple):
    """`law.test` must fail on ``model(seeded(0))`` with a message that matches `says`."""

    law: type[Law]
    test: str
    model: Callable[..., nn.Module]
    says: str

    def check(self) -> None:
        factory = self.model

        class Case(self.law):
            def model(self) -> nn.Module:
                return factory(seeded(0))

        with pytest.raises(AssertionError, match=self.says):
            getattr(Case(), self.test)()


def parametrise(*breaks: Break):
    """Each break is a test named after the law and after what is broken."""
    names = [f"{case.test.removeprefix('test_')} catches {case.model.__name__}" for case in breaks]
    return pytest.mark.parametrize("case", breaks, ids=names)
