"""Responses and verifications: written without loss, and every way to be wrong is told."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.reviewing.answer_draft import respond
from common.course.reviewing.response_checks import check_response
from common.course.reviewing.verification_checks import check_verification
from common.errors import UserError
from tests.course.review_trees import (
    RESPONSE,
    VERIFICATION,
    Tree,
    answered,
    verified,
)

KEYS = ["r-01/F01", "r-01/F02", "r-02/F01", "r-02/F02"]


@pytest.fixture
def tree(reviewed_tree):
    """The repository with both reviews in, as the current folder."""
    return reviewed_tree


def told(tree: Tree, level: str = "error") -> list[tuple[int, str, str]]:
    """Line, code and message of what is wrong with the response."""
    problems = check_response(tree.root, "toy")
    return [(p.line, p.code, p.message) for p in problems if p.level == level]


def test_a_finished_response_has_nothing_wrong(tree):
    answered(tree)
    assert check_response(tree.root, "toy") == []


def test_a_draft_has_every_finding_and_is_all_to_fill(tree):
    path, added = respond(tree.root, "toy")
    assert added == KEYS
    problems = check_response(tree.root, "toy")
    assert {p.level for p in problems} == {"fill"}
    assert len(problems) == 3 * len(KEYS)
    assert respond(tree.root, "toy") == (path, [])


MUTATIONS = [
    ("status: fixed", "status: done", "response.status", "status: done", "'done', expected fixed"),
    ("- commits: {fix}", "- commits: -", "response.commits", "- commits: -", "names no commit"),
    ("{fix}", "0123456", "response.commits", "0123456", "there is no commit 0123456"),
    ("in the README\n", "\n", None, "", ""),
    ("- reason: it is there, in the README", "- reason:", "response.reason", "", "no reason"),
    (
        "the same as r-01/F01",
        "the same",
        "response.duplicate",
        "reason: the same",
        "names no other",
    ),
    ("the same as r-01/F01", "see r-02/F01", "response.duplicate", "see r-02", "no other"),
    ("r-02/F02 ·", "r-02/F03 ·", "response.unknown", "## r-02/F03", "no finding of this"),
    ("r-02/F02 ·", "r-02/F03 ·", "response.missing", "", "r-02/F02 (minor) is not answered"),
    ("r-02/F02 ·", "r-02/F01 ·", "response.twice", "## r-02/F01 · Half", "answered twice"),
    ("project: toy", "project: made", "response.project", "", "expected 'toy'"),
]


@pytest.mark.parametrize(("old", "new", "code", "place", "message"), MUTATIONS)
def test_a_mistake_in_a_response_is_told(tree, old, new, code, place, message):
    answered(tree)
    tree.replace(RESPONSE, old.replace("{fix}", tree.fix[:10]), new)
    found = told(tree)
    if code is None:
        assert found == []
        return
    lines = (tree.root / RESPONSE).read_text().split("\n")
    number = next((n for n, text in enumerate(lines, 1) if place and place in text), None)
    assert any(
        c == code and message in m and (number is None or number == n) for n, c, m in found
    ), found


def test_a_commit_must_be_part_of_version_2(tree):
    tree.git("checkout", "-q", "-b", "aside")
    tree.write("projects/toy/model.py", "elsewhere\n")
    aside = tree.commit()
    tree.git("checkout", "-q", "main")
    answered(tree)
    tree.replace(RESPONSE, tree.fix[:10], aside[:10])
    assert [(c, "not part of HEAD" in m) for _, c, m in told(tree)] == [("response.commits", True)]
    tree.replace(RESPONSE, aside[:10], tree.fix[:10])
    tree.freeze(("v1", tree.v1), ("v2", tree.v1))
    assert ["version 2 as frozen" in message for _, _, message in told(tree)] == [True]
    tree.freeze(("v1", tree.v1), ("v2", tree.fix))
    assert told(tree) == []


def test_a_fix_that_leaves_the_cited_file_alone_warns(tree):
    answered(tree)
    tree.write("LICENSE", "MIT\n")
    other = tree.commit()
    tree.replace(RESPONSE, tree.fix[:10], other[:10])
    warnings = told(tree, "warning")
    assert [c for _, c, _ in warnings] == ["response.untouched"]
    assert "projects/toy/model.py" in warnings[0][2]
    tree.replace(RESPONSE, other[:10], f"{other[:10]}, {tree.fix}")
    assert told(tree, "warning") == []
    tree.replace(RESPONSE, f"{other[:10]}, {tree.fix}", tree.v1[:12])
    assert ["version 1 already" in m for _, _, m in told(tree, "warning")] == [True]


def test_no_goal_vanishes_and_a_shallow_clone_says_what_to_run(tree, tmp_path):
    answered(tree)
    text = (tree.root / "projects/toy/project.toml").read_text()
    tree.write("projects/toy/project.toml", text[: text.index('[[goal]]\nid = "mnist"')])
    assert [(c, "'mnist'" in m) for _, c, m in told(tree)] == [("response.goal", True)]
    tree.commit()
    tree.write("x", "x")
    tree.commit()
    tree.git("clone", "-q", "--depth", "1", f"file://{tree.root}", str(tmp_path / "shallow"))
    problems = check_response(tmp_path / "shallow", "toy")
    assert [p.code for p in problems] == ["response.commits"]
    assert "--unshallow" in problems[0].hint


def test_an_answer_without_a_reviewer_is_understood_where_it_can_be(tree):
    answered(tree)
    (tree.root / "reviews/toy/r-02.md").unlink()
    text = (tree.root / RESPONSE).read_text()
    tree.write(RESPONSE, text[: text.index("## r-02/F01")].replace("r-01/F", "F"))
    assert told(tree) == []


def test_respond_adds_what_is_missing_and_keeps_every_byte(tree):
    answered(tree)
    path = tree.root / RESPONSE
    text = path.read_text()
    before = text[: text.index("## r-02/F02")].rstrip("\n").replace("\n", "\r\n")
    standing = b"\xef\xbb\xbf" + before.encode() + "\r\nışık\t ".encode()
    path.write_bytes(standing)
    assert respond(tree.root, "toy")[1] == ["r-02/F02"]
    assert path.read_bytes().startswith(standing)
    assert path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n")
    assert [p.level for p in check_response(tree.root, "toy")] == ["fill"] * 3


@pytest.mark.parametrize("end", [b"\n<!-- not closed\n", "\nışık".encode("cp1254")])
def test_respond_refuses_where_its_words_would_be_lost(tree, end):
    respond(tree.root, "toy")
    path = tree.root / RESPONSE
    text = path.read_text()
    standing = text[: text.index("## r-02/F02")].encode() + end
    path.write_bytes(standing)
    with pytest.raises(UserError, match=r"comment|UTF-8"):
        respond(tree.root, "toy")
    assert path.read_bytes() == standing


def told_of_verification(tree: Tree, level: str = "error") -> list[tuple[int, str, str]]:
    """Line, code and message of what is wrong with the verification."""
    problems = check_verification(tree.root, tree.root / VERIFICATION)
    return [(p.line, p.code, p.message) for p in problems if p.level == level]


def test_a_finished_verification_has_nothing_wrong(tree):
    verified(tree)
    assert check_verification(tree.root, tree.root / VERIFICATION) == []
    text = (tree.root / VERIFICATION).read_text()
    assert "declined: it is there, in the README" in text
    assert f"fixed in {tree.fix[:10]}" in text


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("F01: verified", "F01: verifed", "verification.outcome", "did you mean 'verified'"),
        ("F01: verified", "F01: accepts-reason", "verification.outcome", "response says fixed"),
        ("F02: accepts-reason", "F02: verified", "verification.outcome", "says declined"),
        ("F01: verified", "F01: not-fixed", "verification.note", "does not say why"),
        ("F01: verified", "F01: withdrawn", "verification.note", "does not say why"),
        ("F01: verified", "F01: not-fixed: it still rises", None, ""),
        ("F01: verified", "F03: verified", "verification.unknown", "no finding of r-01"),
        ("F01: verified", "", "verification.missing", "F01 (major) has no outcome"),
        ("F02: accepts", "F01: verified\n- F02: accepts", "verification.twice", "two outcomes"),
        ("reviewer: r-01", "reviewer: r-02", "verification.reviewer", "expected 'r-01'"),
        ("version: ", "version: 0", "verification.version", "expected version 2"),
        ("F01: verified", "F01: FILL-IN", None, ""),
    ],
)
def test_a_mistake_in_a_verification_is_told(tree, old, new, code, message):
    verified(tree)
    tree.replace(VERIFICATION, old, new)
    found = told_of_verification(tree)
    if code is None:
        assert found == []
    else:
        assert any(c == code and message in m for _, c, m in found), found
    fills = told_of_verification(tree, "fill")
    assert len(fills) == ("FILL-IN" in new)


def test_what_is_not_answered_cannot_be_verified(tree):
    verified(tree)
    (tree.root / RESPONSE).unlink()
    assert [c for _, c, _ in told_of_verification(tree)] == ["verification.outcome"] * 2
    tree.freeze(("v1", tree.v1))
    assert [c for _, c, _ in told_of_verification(tree, "warning")] == ["verification.version"]


def test_a_response_that_is_missing_is_told_only_where_there_are_findings(tree):
    assert [c for _, c, _ in told(tree)] == ["response.missing"]
    for name in ("r-01", "r-02"):
        (tree.root / f"reviews/toy/{name}.md").unlink()
    assert check_response(tree.root, "toy") == []
    with pytest.raises(UserError, match="no finding to answer"):
        respond(tree.root, "toy")


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_text_makes_the_checks_raise(shared, data):
    for path, check in ((RESPONSE, check_response), (VERIFICATION, check_verification)):
        text = (shared.root / f"{path}.good").read_text()
        for _ in range(data.draw(st.integers(1, 4))):
            start = data.draw(st.integers(0, len(text)))
            length = data.draw(st.sampled_from([0, 1, 7, 80]))
            new = data.draw(
                st.sampled_from(["", "\0", "-x", "{", "\n\n", "F01", "/", "#", "a" * 40, "```\n"])
                | st.text(max_size=8).filter(lambda text: text.isprintable())
            )
            text = text[:start] + new + text[start + length :]
        shared.write(path, text.encode("utf-8", "replace"))
        about = "toy" if check is check_response else shared.root / path
        assert all(problem.message for problem in check(shared.root, about))


@pytest.fixture(scope="module")
def shared(reviewed, tmp_path_factory):
    """One repository for all examples."""
    root = tmp_path_factory.mktemp("answers") / "course"
    shutil.copytree(reviewed, root, symlinks=True)
    tree = Tree(root)
    verified(tree)
    for path in (RESPONSE, VERIFICATION):
        tree.write(f"{path}.good", (tree.root / path).read_text())
    return tree
