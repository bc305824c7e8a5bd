"""The page of the laws: what a project takes up, and that nothing passes without a record of it."""

import dataclasses
import json
import re

import pytest

from common.course.site.entries import find_entries
from common.course.site.laws import record as record_module
from common.course.site.laws.kinds import read_laws
from common.course.site.laws.page import (
    FAILED,
    OFF,
    OWN,
    PARTLY,
    PASSED,
    UNKNOWN,
    pages,
    read_table,
)
from common.course.site.laws.record import (
    RECORD,
    ProjectRun,
    Record,
    inputs_sha256,
    outcomes,
    read_record,
    run_laws,
    shared_sha256,
    write_record,
)
from common.course.site.laws.taken import TAKEN, taken_classes
from common.course.site.making import rendered, templates
from common.course.site.pages import Site
from common.errors import UserError
from common.projects import ROOT, Budget, read_project
from tests.course.repositories import write, write_project

LAWS = '''"""Laws.

====== =================== ==========
law    what holds          needs
====== =================== ==========
Whole  the whole is right  nothing
Part   a part, `x`, is     part()
====== =================== ==========
"""

from tests.laws.parts import Part
from tests.laws.whole import Whole

__all__ = ["Part", "Whole"]
'''
WHOLE = '''"""W."""


class Base:
    """Hooks."""


class Hidden(Base):
    def test_it_hides(self):
        pass


class Whole(Hidden):
    """Everything.

    More of it.
    """

    def test_it_is_whole(self):
        """As `it` says."""
        assert self.value == 1
'''
PARTS = '''"""P."""

from tests.laws.whole import Whole


class Part(Whole):
    def test_part_of_one(self):
        pass

    def test_part_of_two(self):
        pass
'''
TESTS = '''"""T."""

import tests.laws
from tests import laws
from tests.laws import Whole as Everything


class Mixin(laws.Part):
    value = 1


class TestPart(Mixin):
    """Mine."""

    test_part_of_two = None  # there is only one

    def test_it_hides(self):
        pass

    def test_something_else(self):
        pass


class TestWhole(Everything):
    value = 2


class TestDotted(tests.laws.Whole):
    value = 1


class Ignored(laws.Part):
    pass


class TestNothing:
    def test_part_of_one(self):
        pass
'''


@pytest.fixture
def tree(tmp_path):
    """A small repository with two kinds of laws and a project."""
    for name, text in (("__init__", LAWS), ("whole", WHOLE), ("parts", PARTS)):
        write(tmp_path / "tests" / "laws" / f"{name}.py", text)
    write(tmp_path / "tests" / "__init__.py", "")
    folder = write_project(tmp_path, "alpha")
    write(folder / "test_alpha.py", TESTS)
    return tmp_path


def row_of(root):
    """The row of the project, as the page has it."""
    table = read_table(Site(root, find_entries(root)))
    return table, table.rows[0]


def states(root):
    """What is known of each law of each kind."""
    table, row = row_of(root)
    return {kind.name: row.states(kind) for kind in table.laws.kinds}


def test_kinds_have_their_own_laws_and_those_of_what_is_no_kind(tree):
    whole, part = read_laws(tree).kinds
    assert (whole.name, whole.holds, whole.offers) == ("Whole", "the whole is right", "nothing")
    assert (whole.text, whole.includes) == ("Everything.", ())
    assert {law.test for law in whole.laws} == {"test_it_is_whole", "test_it_hides"}
    assert {law.test for law in part.laws} == {"test_part_of_one", "test_part_of_two"}
    assert (part.includes, part.holds) == (("Whole",), "a part, `x`, is")
    (law,) = [law for law in whole.laws if law.text]
    assert (law.sentence, law.text, law.module) == (
        "it is whole",
        "As `it` says.",
        "tests.laws.whole",
    )
    assert WHOLE.split("\n")[law.line - 1].strip().startswith("def test_it_is_whole")


def test_classes_take_up_laws_under_any_name_and_switch_them_off(tree):
    found = {each.name: each for each in taken_classes(read_laws(tree), tree / "projects/alpha")}
    assert set(found) == {"TestPart", "TestWhole", "TestDotted"}
    assert found["TestPart"].kinds == ("Part", "Whole")
    assert dict(found["TestPart"].laws) == {
        "test_it_hides": OWN,
        "test_it_is_whole": TAKEN,
        "test_part_of_one": TAKEN,
        "test_part_of_two": OFF,
    }
    assert found["TestPart"].reasons == {"test_part_of_two": "there is only one"}
    assert found["TestWhole"].kinds == found["TestDotted"].kinds == ("Whole",)


def test_nothing_passes_without_a_record(tree):
    assert states(tree)["Part"] == {"test_part_of_one": UNKNOWN, "test_part_of_two": OFF}
    _, row = row_of(tree)
    cells = [row.cell(kind) for kind in read_laws(tree).kinds]
    assert [(cell.state, cell.text) for cell in cells] == [("open", "2"), ("open", "1")]


def record(root, outcomes, **others):
    """A record of a run of just these files."""
    project = read_project(root / "projects" / "alpha")
    digest = inputs_sha256(root, project, shared_sha256(root))
    run = ProjectRun(digest, "2027-03-01", {"python": "3.11"}, outcomes)
    write_record(root, Record(projects={"alpha": dataclasses.replace(run, **others)}))


PASSES = {
    f"{name}.{test}": "passed"
    for name in ("TestPart", "TestWhole", "TestDotted")
    for test in ("test_it_hides", "test_it_is_whole", "test_part_of_one")
}


def test_a_record_of_these_files_says_what_passed(tree):
    record(tree, PASSES)
    assert states(tree)["Whole"] == {"test_it_hides": PASSED, "test_it_is_whole": PASSED}
    _, row = row_of(tree)
    whole, part = (row.cell(kind) for kind in read_laws(tree).kinds)
    assert (whole.state, whole.text, whole.words) == ("passes", "2", "2 of 2 pass")
    assert (part.state, part.text) == ("passes", "1/2")
    assert list(row.exceptions(read_laws(tree).kinds[1])) == [
        ("test_part_of_two", OFF, "there is only one")
    ]


def test_a_law_that_only_one_class_switches_off_is_told(tree):
    path = tree / "projects/alpha/test_alpha.py"
    more = "class TestMore(laws.Whole):\n    test_it_is_whole = None  # it is not\n"
    write(path, f"{path.read_text()}\n\n{more}")
    record(tree, PASSES)
    assert states(tree)["Whole"]["test_it_is_whole"] == PASSED
    _, row = row_of(tree)
    whole = read_laws(tree).kinds[0]
    assert list(row.exceptions(whole)) == [("test_it_is_whole", PARTLY, "it is not")]
    assert "is switched off in some of its test classes: it is not." in html_of(tree)["laws.html"]


@pytest.mark.parametrize("ended", ["failed", "skipped", None])
def test_one_class_that_does_not_pass_is_enough(tree, ended):
    record(tree, {k: v for k, v in (PASSES | {"TestWhole.test_it_is_whole": ended}).items() if v})
    expected = FAILED if ended == "failed" else UNKNOWN
    assert states(tree)["Whole"]["test_it_is_whole"] == expected
    _, row = row_of(tree)
    assert row.cell(read_laws(tree).kinds[0]).state == ("fails" if ended == "failed" else "open")


@pytest.mark.parametrize(
    "changed", ["projects/alpha/model.py", "projects/alpha/test_alpha.py", "tests/laws/whole.py"]
)
def test_a_record_of_other_files_counts_for_nothing(tree, changed):
    record(tree, PASSES)
    path = tree / changed
    path.write_text(path.read_text() + "\n# changed\n")
    _, row = row_of(tree)
    assert row.is_stale
    assert row.cell(read_laws(tree).kinds[0]).state == "open"


def test_what_a_project_builds_on_counts_too(tree):
    write_project(tree, "beta")
    path = tree / "projects/alpha/project.toml"
    write(path, path.read_text().replace('version = "1"', 'version = "1"\nbuilds_on = ["beta"]'))
    record(tree, PASSES)
    assert not row_of(tree)[1].is_stale
    write(tree / "projects/beta/model.py", "changed = True\n")
    assert row_of(tree)[1].is_stale


def test_a_damaged_record_is_an_error_that_says_what_to_do(tree):
    assert read_record(tree) == Record()
    for text in ("{", "[]", '{"schema": "laws/2"}', '{"projects": {"a": {"outcomes": 1}}}'):
        write(tree / RECORD, text)
        with pytest.raises(UserError, match="dgm site laws"):
            read_record(tree)


def test_a_record_comes_back_as_it_was_written(tree):
    record(tree, PASSES, stopped="time")
    found = read_record(tree).projects["alpha"]
    assert (found.outcomes, found.stopped) == (PASSES, "time")
    assert json.loads((tree / RECORD).read_text())["schema"] == "laws/1"


def test_reports_of_pytest_are_read(tmp_path):
    cases = '<testcase classname="a.TestX" name="test_a[1]"/><testcase classname="a.TestX" name='
    cases += (
        '"test_a[2]"><failure/></testcase><testcase classname="a.TestX" name="test_b"><skipped/>'
    )
    report = write(tmp_path / "r.xml", f"<suites><suite>{cases}</testcase></suite></suites>")
    assert outcomes(report) == {"TestX.test_a": "failed", "TestX.test_b": "skipped"}
    assert outcomes(write(report, "<suites>")) == outcomes(tmp_path / "none") == {}


def test_the_laws_are_run(tree):
    project = dataclasses.replace(
        read_project(tree / "projects" / "alpha"), budget=Budget(seconds=60)
    )
    write(tree / "pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["."]\n')
    classes = taken_classes(read_laws(tree), project.folder)
    run = run_laws(tree, project, classes, shared_sha256(tree), "2027-03-01")
    assert run.outcomes["TestPart.test_it_is_whole"] == "passed"
    assert run.outcomes["TestWhole.test_it_is_whole"] == "failed"
    assert "TestNothing.test_part_of_one" not in run.outcomes
    assert "TestPart.test_part_of_two" not in run.outcomes
    assert run.stopped == ""
    write_record(tree, Record(projects={"alpha": run}))
    assert states(tree)["Whole"]["test_it_is_whole"] == FAILED
    assert states(tree)["Part"]["test_part_of_one"] == PASSED


def test_what_was_run_on_these_files_is_not_run_again(tree, monkeypatch):
    runs = []

    def run(root, project, classes, shared, date):
        runs.append([each.name for each in classes])
        digest = inputs_sha256(root, project, shared)
        return ProjectRun(digest, date, {}, {"TestPart.test_part_of_one": "passed"})

    monkeypatch.setattr(record_module, "run_laws", run)
    projects = [read_project(tree / "projects" / "alpha")]
    write(write_project(tree, "beta") / "test_beta.py", "")
    projects.append(read_project(tree / "projects" / "beta"))
    said = dict(record_module.run_projects(tree, projects))
    assert said == {"alpha": "1 test passed", "beta": "takes up no law"}
    assert dict(record_module.run_projects(tree, projects))["alpha"] == "1 test passed, as before"
    assert len(runs) == 1
    write(tree / "projects/alpha/model.py", "changed = True\n")
    dict(record_module.run_projects(tree, projects))
    dict(record_module.run_projects(tree, projects, again=True))
    assert runs == [["TestPart", "TestWhole", "TestDotted"]] * 3
    assert states(tree)["Part"]["test_part_of_one"] == PASSED


def test_hostile_tests_take_up_nothing(tree):
    path = tree / "projects/alpha/test_alpha.py"
    for text in ("class TestA(laws.Whole)", "(" * 5000, "class TestA(laws.Whole): pass", "\0"):
        write(path, text)
        assert taken_classes(read_laws(tree), path.parent) == []
    write(path, "from tests import laws\nclass TestA(TestA, laws.Whole):\n    pass\n")
    (found,) = taken_classes(read_laws(tree), path.parent)
    assert found.kinds == ("Whole",)


def test_the_kinds_of_this_repository_are_all_there():
    laws = read_laws(ROOT)
    text = (ROOT / "tests/laws/__init__.py").read_text()
    handed = set(re.findall(r'^    "([A-Z]\w+)",$', text, flags=re.MULTILINE))
    assert {kind.name for kind in laws.kinds} == handed
    assert [kind.name for kind in laws.kinds if not (kind.laws and kind.holds and kind.text)] == []
    assert laws.kinds[0].name == "Module"


def html_of(root):
    """The pages as text, by path."""
    site = Site(root, find_entries(root))
    environment = templates()
    files = (rendered(site, page, environment) for page in pages(site))
    return {file.path: file.data.decode() for file in files}


def test_the_page_tells_it_in_words_and_leads_to_each_law(tree):
    path = tree / "projects/alpha/test_alpha.py"
    write(path, path.read_text().replace("there is only one", "<b>`one`</b> is enough"))
    found = html_of(tree)
    assert set(found) == {"laws.html", "laws/index.html", "laws/parts.html", "laws/whole.html"}
    page = found["laws.html"]
    assert "No run of just these files is known." in page
    assert "2 kinds hold" in page
    assert "4 laws" in page
    assert '<span class="visually-hidden">2 taken up, not run</span>' in page
    assert 'id="project-alpha"' in page
    assert "is switched off: &lt;b&gt;<code>one</code>&lt;/b&gt; is enough" in page
    number = WHOLE.split("\n").index("    def test_it_is_whole(self):") + 1
    assert f'<a href="laws/whole.html#L{number}">it is whole</a>' in page
    assert f'id="L{number}"' in found["laws/whole.html"]
    record(tree, PASSES)
    page = html_of(tree)["laws.html"]
    assert "The laws were run on 2027-03-01 (python 3.11)" in page
    assert '<span class="visually-hidden">1 of 2 pass</span>' in page
    record(tree, PASSES | {"TestPart.test_part_of_one": "failed"})
    page = html_of(tree)["laws.html"]
    assert "“part of one” <strong>fails</strong>" in page


def test_a_tree_without_laws_has_a_page(tmp_path):
    write_project(tmp_path, "alpha")
    assert set(html_of(tmp_path)) == {"laws.html"}
