"""Problems are shown to people, programs and pull requests; none can forge an annotation."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.problems import Problem, as_github, as_json, as_text, failing

ERROR = Problem("projects/a/model.py", 7, "code.syntax", "not valid Python", "mend it")
WARNING = Problem("README.md", 0, "readme.link", "a link leads nowhere", level="warning")
MARK = Problem("projects/a/README.md", 3, "metadata.fill", "a place to fill", level="fill")


def test_errors_come_first_with_their_place_and_hint():
    assert as_text([WARNING, MARK, ERROR]).split("\n") == [
        "error: projects/a/model.py:7: not valid Python [code.syntax]",
        "       mend it",
        "warning: README.md: a link leads nowhere [readme.link]",
        "fill: projects/a/README.md:3: a place to fill [metadata.fill]",
    ]


def test_places_to_fill_fail_only_where_the_check_is_strict():
    assert failing([ERROR, WARNING, MARK]) == [ERROR]
    assert failing([ERROR, WARNING, MARK], strict=True) == [ERROR, MARK]


def test_programs_get_every_field():
    assert json.loads(as_json([ERROR]))[0]["line"] == 7


def test_annotations_name_file_and_line():
    assert as_github([ERROR]) == (
        "::error file=projects/a/model.py,line=7,title=code.syntax::not valid Python mend it"
    )


@given(st.text(), st.text(), st.text())
@settings(max_examples=100, deadline=None)
def test_no_text_of_a_project_becomes_a_workflow_command(path, message, hint):
    shown = as_github([Problem(path, 1, "code.x", message, hint)])
    assert shown.count("\n") == 0
    assert "\r" not in shown
    assert shown.startswith("::error file=")
    properties = shown[len("::error ") :].split("::")[0]
    assert properties.endswith(",line=1,title=code.x")
    assert properties.count(",") == 2
