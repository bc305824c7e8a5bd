"""The browser of a test session, started once."""

import pytest

from tests.course.site.browser import running_browser


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    with running_browser() as browser:
        yield browser
