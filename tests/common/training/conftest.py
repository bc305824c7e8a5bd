"""What the tests of training share."""

import multiprocessing

import pytest


@pytest.fixture(scope="session")
def processes():
    """Real processes, forked from a server that has imported everything once."""
    context = multiprocessing.get_context("forkserver")
    # a run imports Fabric only when it starts, which would be in each process anew
    context.set_forkserver_preload(["lightning_fabric", "tests.common.training.trainer"])
    return context
