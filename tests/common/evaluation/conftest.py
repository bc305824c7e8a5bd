"""Small forests where it is not the classifier that is tested."""

import pytest

from common.evaluation import classifier


@pytest.fixture
def few_trees(monkeypatch):
    """A tenth of the trees: a tenth of the time."""
    monkeypatch.setattr(classifier, "NUM_TREES", 20)
