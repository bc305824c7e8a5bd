"""What the tests of training share."""

import multiprocessing

import pytest


@pytest.fixture(scope="session")
def processes():
    """Real processes, forked from a server that has imported torch once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.common.training.trainer"])
    return context
