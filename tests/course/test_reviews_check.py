"""What is proved of a review: each way to be wrong is told, on its line."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.problems import failing
from common.course.reviewing.checklist import (
    BY_ID,
    COMMENTS,
    COMPLETENESS,
    ITEMS,
    OLD_QUESTIONS,
    PROGRAM,
    line,
)
from common.course.reviewing.checklist_answers import ANSWERS
from common.course.reviewing.checks import check_review
from common.course.reviewing.reviews import AREAS, parse_review
from common.course.reviewing.similarity import similar_reviews
from common.projects import ROOT
from tests.course.review_trees import FINDINGS, Tree, good_review

R1 = "reviews/toy/r-01.md"


@pytest.fixture
def tree(pristine, tmp_path):
    """A repository of its own, with a finished and committed review by r-01."""
    shutil.copytree(pristine, tmp_path / "course", symlinks=True)
    tree = Tree(tmp_path / "course")
    good_review(tree)
    tree.commit()
    return tree


def told(tree: Tree, path: str = R1, level: str = "error") -> list[tuple[int, str, str]]:
    """Line, code and message of what is wrong with a review."""
    problems = check_review(tree.root, tree.root / path)
    return [(p.line, p.code, p.message) for p in problems if p.level == level]


def line_of(tree: Tree, fragment: str, path: str = R1) -> int:
    """The line of a fragment in a review."""
    lines = (tree.root / path).read_text().split("\n")
    return next(number for number, text in enumerate(lines, 1) if fragment in text)


def test_a_good_review_has_nothing_wrong(tree):
    assert check_review(tree.root, tree.root / R1) == []


MUTATIONS = [
    # (what stands there, what is typed instead, code, where it is told, what is told)
    ("project: toy", "project: toyy", "review.project", "project: toyy", "expected 'toy'"),
    ("reviewer: r-01", "reviewer: r-02", "review.reviewer", "reviewer: r-02", "expected 'r-01'"),
    ("reviewer: r-01", "reviewer: p-02", "review.developer", "reviewer: p-02", "developer of toy"),
    ("reviewer: r-01", "reviewer: r-9", "review.assignment", "reviewer: r-9", "r-01, r-02"),
    ("commit: ", "commit: 0", "review.commit", "commit: ", "expected 40 hex"),
    ("verdict: major", "verdict: minor", "review.verdict", "verdict: minor", "expected major"),
    ("verdict: major", "verdict: ready", "review.verdict", "verdict: ready", "is a major"),
    ("device: cpu", "devise: cpu", "review.environment", "devise", "did you mean 'device'"),
    ('python: "3.11"', "python: new", "review.environment", "python: new", "such as 3.11"),
    ("ran: [install, demo]", "ran: []", "review.environment", "ran: []", "ran is missing"),
    ("conflict: none", "conflict:", "review.field", "conflict:", "conflict is empty"),
    ("model.py:41-47", "model.py:41-470", "review.where", "41-470", "the file has 60 lines"),
    ("model.py:41-47", "model.py:47-41", "review.where", "47-41", "no range of lines"),
    (
        "model.py:41-47",
        "modle.py:41",
        "review.where",
        "modle.py",
        "did you mean projects/toy/model",
    ),
    ("model.py:41-47", "model.py#sum", "review.where", "model.py#sum", "expected lines"),
    ("#cell-2", "#cell-3", "review.where", "#cell-3", "it has 3, counted from 0"),
    ("README.md#results", "README.md#result", "review.where", "#result", "did you mean #results"),
    ("- where: projects/toy/model.py:41-47", "- where:", "review.where", "- where:", "no place"),
    ("## F02", "## F01", "review.id", "## F01 · minor", "there twice"),
    ("## F02", "## F07", "review.id", "", "F02 was there in"),
    ("- suggestion: subtract it\n", "", "review.suggestion", "## F01", "no suggestion"),
    ("-- F02; found: digits", "-- F09; digits", "review.checklist", "goals.measured", "F09"),
    ("-- F02; found: digits", "-- digits", "review.checklist", "goals.measured", "no finding"),
    ("[x] goals.choice", "[ ] goals.choice", "review.checklist", "goals.choice", "no finding"),
    ("[x] goals.choice", "[x] goals.choise", "review.checklist", "goals.choise", "no item"),
    ("[x] goals.choice", "[x] goals.distance", "review.checklist", "[x] goals.dis", "twice"),
    ("[x] goals.declared", "[-] goals.declared", "review.program", "goals.declared", "found [x]"),
    ("[ ] goals.measured", "[x] goals.measured", "review.program", "goals.measured", "found [ ]"),
    ("It does what", "Write to ada" + "@" + "example.org. It", "review.private", "Write", "e-mail"),
]


@pytest.mark.parametrize(("old", "new", "code", "place", "message"), MUTATIONS)
def test_a_mistake_is_told_on_its_line(tree, old, new, code, place, message):
    if place == "[x] goals.dis":  # the second of the two
        text = (tree.root / R1).read_text()
        tree.write(R1, text.replace("[x] goals.choice", "[x]  goals.distance"))
        place = "[x]  goals.dis"
    else:
        tree.replace(R1, old, new)
    number = line_of(tree, place) if place else 0
    found = [(n, m) for n, c, m in told(tree) if c == code]
    assert any(n == number and message in m for n, m in found), (number, told(tree))


def test_evidence_is_needed_for_what_is_serious(tree):
    text = (tree.root / R1).read_text()
    start = text.index("- evidence: `dgm train toy --preset smoke`, exp")
    end = text.index("- suggestion: subtract it")
    for said, level in (("", "error"), ("- evidence: yes it is\n", "error")):
        tree.write(R1, text[:start] + said + text[end:])
        assert any(code == "review.evidence" for _, code, _ in told(tree, level=level)), said
    tree.write(R1, text.replace("- evidence: `dgm check toy`\n", ""))
    assert [code for _, code, _ in told(tree)] == []
    assert [code for _, code, _ in told(tree, level="warning")] == ["review.evidence"]


@pytest.mark.parametrize("reason", ["", "yes", "seems correct", "It looks good.", "ok!", "n/a"])
def test_a_yes_that_says_nothing_is_no_answer(tree, reason):
    text = (tree.root / R1).read_text()
    question = BY_ID["correctness.implementation"].question
    before = f"{question}\n  -- I looked at it with care, equation by equation"
    assert before in text
    tree.write(R1, text.replace(before, f"{question}\n  -- {reason}"))
    number = line_of(tree, "correctness.implementation")
    messages = [m for n, code, m in told(tree) if (n, code) == (number, "review.checklist")]
    assert len(messages) == 1
    assert "correctness.implementation: yes" in messages[0]


def test_not_applicable_needs_a_reason_and_items_stay(tree):
    text = (tree.root / R1).read_text()
    old = line(BY_ID["goals.choice"], "yes", "I looked at it with care, equation by equation")
    assert old in text
    tree.write(R1, text.replace(old, f"- [-] goals.choice: {BY_ID['goals.choice'].question}"))
    assert [m for _, _, m in told(tree)] == ["goals.choice: not applicable needs a reason"]
    tree.write(R1, text.replace(old + "\n", ""))
    assert [m for _, _, m in told(tree)] == ["the checklist lacks goals.choice"]
    tree.write(R1, text.replace("## Checklist", "## Further comments\n## Summary"))
    assert any("46 of its 46" in message for _, _, message in told(tree))


def test_what_is_left_to_fill_fails(tree):
    tree.replace(R1, "It does what the paper says", "FILL-IN: what it does")
    problems = check_review(tree.root, tree.root / R1)
    assert [(p.level, p.message) for p in problems] == [("fill", "to fill: what it does, mostly")]
    assert failing(problems, strict=True) == problems
    tree.replace(R1, "FILL-IN: what it does", "the README still says `FILL-IN`")
    assert told(tree, level="fill") == []


def test_a_review_of_nothing_wrong_is_looked_at_twice(tree):
    text = (
        (tree.root / R1)
        .read_text()
        .replace(FINDINGS, "")
        .replace("verdict: major", "verdict: ready")
    )
    tree.write("reviews/toy/r-02.md", text.replace("- [ ]", "- [x]").replace("r-01", "r-02"))
    warnings = [c for _, c, _ in told(tree, "reviews/toy/r-02.md", "warning")]
    assert "review.all-yes" in warnings
    assert "review.verdict" not in [c for _, c, _ in told(tree, "reviews/toy/r-02.md")]


def test_a_review_survives_a_rebase_and_a_missing_tag(tree):
    old = tree.v1
    tree.git("tag", "-d", "v1/toy")
    tree.git("checkout", "-q", "--orphan", "rewritten")
    tree.commit()
    tree.git("branch", "-q", "-D", "main")
    new = tree.git("rev-parse", "HEAD")
    assert told(tree) == []
    tree.replace(R1, old, new)
    assert told(tree) == []
    tree.git("reflog", "expire", "--expire=now", "--all")
    tree.git("gc", "-q", "--prune=now")
    assert told(tree) == []
    tree.replace(R1, new, old)
    assert told(tree) == []
    tree.replace(R1, old, "1" * 40)
    assert [(c, old in m) for _, c, m in told(tree)] == [("review.commit", True)]


def test_a_shallow_clone_says_what_to_run(tree, tmp_path):
    tree.write("projects/toy/model.py", "version 2\n")
    tree.commit()
    tree.git("clone", "-q", "--depth", "1", f"file://{tree.root}", str(tmp_path / "shallow"))
    problems = check_review(tmp_path / "shallow", tmp_path / "shallow" / R1)
    assert [p.code for p in problems] == ["review.history"]
    assert "git fetch --unshallow" in problems[0].hint


def test_a_published_tree_has_no_history_to_compare_with(tree, tmp_path):
    tree.write("reviews/published.toml", 'schema = "published/1"\nsemester = "x"\n')
    problems = check_review(tree.root, tree.root / R1)
    assert [(p.code, p.level) for p in problems] == [("review.history", "warning")]
    shutil.rmtree(tree.root / ".git")
    (tree.root / "reviews/published.toml").unlink()
    problems = check_review(tree.root, tree.root / R1)
    assert [(p.code, p.level) for p in problems] == [("review.history", "warning")]


def test_a_project_that_is_not_frozen_is_told(tree):
    tree.freeze()
    assert "review.version" in [code for _, code, _ in told(tree)]


def test_what_a_program_finds_today_only_warns_once_version_2_is_frozen(tree):
    tree.replace(R1, "[x] goals.declared", "[-] goals.declared")
    assert "review.program" in [code for _, code, _ in told(tree)]
    tree.freeze(("v1", tree.v1), ("v2", tree.git("rev-parse", "HEAD")))
    assert told(tree) == []
    assert [code for _, code, _ in told(tree, level="warning")] == ["review.program"]


def test_a_finding_outweighs_what_a_program_did_not_see(tree):
    tree.replace(R1, "[x] goals.declared", "[ ] goals.declared")
    assert {"review.program", "review.checklist"} & {code for _, code, _ in told(tree)}
    text = (tree.root / R1).read_text()
    line = next(x for x in text.split("\n") if "goals.declared" in x)
    at = text.index(line)
    end = text.index("\n- [", at)
    tree.write(R1, f"{text[:at]}{line} -- F01: no goal says which split{text[end:]}")
    assert told(tree) == []


def test_ids_stay_through_a_renamed_folder_but_not_from_another_reviewer(tree):
    tree.git("mv", "reviews/toy/r-01.md", "reviews/toy/r-02.md")
    text = (tree.root / "reviews/toy/r-02.md").read_text()
    tree.write("reviews/toy/r-02.md", text.replace("r-01", "r-02").replace("## F02", "## F03"))
    tree.commit()
    codes = [code for _, code, _ in told(tree, "reviews/toy/r-02.md")]
    assert "review.id" not in codes


def test_nearly_the_same_reviews_are_flagged(tree):
    other = good_review(tree, "r-02", words="Another reader had other things in mind")
    start = "It does what the paper says, mostly."
    own = " ".join(f"own{number} words about it" for number in range(40))
    copied = " ".join(f"copied{number} from the other" for number in range(40))
    other.write_text(other.read_text().replace(start, own))
    tree.replace(R1, start, copied)
    path = "reviews/toy/r-02.md"
    assert told(tree, path, "warning") == []
    other.write_text(other.read_text().replace(own, copied))
    assert [c for _, c, _ in told(tree, path, "warning")] == ["review.similar"]
    assert [p.path for p in similar_reviews(tree.root)] == [R1]


def test_the_checklist_asks_everything_that_was_asked_before():
    places = set(BY_ID) | {COMMENTS}
    template = (ROOT / "templates/review/review.md").read_text()
    assert len(OLD_QUESTIONS) == 18
    assert len(COMPLETENESS) == 5
    for asked in (OLD_QUESTIONS, COMPLETENESS):
        for question, answered in asked.items():
            assert answered, question
            assert set(answered) <= places, question
    assert COMMENTS in template


def test_the_checklist_is_sound():
    assert len(BY_ID) == len(ITEMS)
    assert {item.area for item in ITEMS} == set(AREAS)
    assert {item.id for item in ITEMS if item.by == PROGRAM} == set(ANSWERS)
    front = "---\nschema: review/1\n---\n## Checklist\n"
    for item in ITEMS:
        for mark in ("yes", "no", "n/a"):
            text = front + line(item, mark, "F03 — the reason")
            read = parse_review(text, ROOT / R1).checklist
            assert [(i.id, i.mark, i.reason) for i in read] == [(item.id, mark, "F03 — the reason")]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_text_makes_the_check_raise(shared, data):
    text = (shared.root / "good.md").read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 7, 80]))
        new = data.draw(
            st.sampled_from(["", "\0", "..", "-x", "'", "{", "\n\n", "F01", "/etc", "#", "--all"])
            | st.text(max_size=8).filter(lambda text: text.isprintable())
        )
        text = text[:start] + new + text[start + length :]
    shared.write(R1, text.encode("utf-8", "replace"))
    length = text.count("\n") + text.count("\r") + 1
    for problem in check_review(shared.root, shared.root / R1):
        assert 0 <= problem.line <= length
        assert problem.message


@pytest.fixture(scope="module")
def shared(pristine, tmp_path_factory):
    """One repository for all examples."""
    root = tmp_path_factory.mktemp("shared") / "course"
    shutil.copytree(pristine, root, symlinks=True)
    tree = Tree(root)
    tree.write("good.md", good_review(tree).read_text())
    tree.commit()
    return tree
