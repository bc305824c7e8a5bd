"""What the guides and forms tell people to do exists."""

import re

import pytest
import yaml

from common import schema
from common.cli import COMMANDS
from common.course.cycle import Cycle
from common.projects import ROOT

GUIDES = [
    "CONTRIBUTING.md",
    "README.md",
    "docs/grading.md",
    "docs/evaluation.md",
    "docs/data.md",
    *(f".github/PULL_REQUEST_TEMPLATE/{name}.md" for name in ("version-1", "version-2", "review")),
    "templates/review/review.md",
]
FORMS = ["proposal", "review_problem", "erratum"]


@pytest.mark.parametrize("guide", GUIDES)
def test_commands_of_a_guide_exist(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\$ )dgm ([a-z]+)", text, flags=re.MULTILINE))
    assert named
    assert named - set(COMMANDS) == set()


@pytest.mark.parametrize(
    "guide",
    ["CONTRIBUTING.md", "README.md", "docs/grading.md", "docs/evaluation.md", "docs/data.md"],
)
def test_links_of_a_guide_lead_somewhere(guide):
    path = ROOT / guide
    text = path.read_text(encoding="utf-8")
    headings = {slug(title) for title in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (path.parent / target.split("#")[0]).exists(), target


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", FORMS)
def test_issue_forms_are_valid(name):
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    fields = [entry for entry in form["body"] if entry["type"] != "markdown"]
    assert len({entry["id"] for entry in fields}) == len(fields)
    assert any(entry.get("validations", {}).get("required") for entry in fields)


def test_the_cycle_in_the_guide_is_valid_and_shows_the_defaults():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(schema = \"cycle/1\".*?)```", text, flags=re.DOTALL).group(1)
    shown = schema.parse(example, Cycle)
    bare = Cycle("cycle/1", shown.semester, shown.dates, shown.timezone)
    assert shown == bare


def test_every_command_of_the_course_is_explained_to_somebody():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    course = {"new", "check", "review", "status", "originality", "assign", "freeze", "adjudicate"}
    course |= {"affected", "grade", "guard", "publish"}
    assert {name for name in course if f"dgm {name}" not in text} == set()
