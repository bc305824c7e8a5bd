"""Documents are read whatever they were saved as; headings in code are no headings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course.documents import (
    DocumentError,
    FrontMatterError,
    decode,
    front_matter,
    read_text,
    refuse_links,
    sections,
)

TEXT = "---\nreviewer: ğüşİıöç\n---\n## Özet\ngövde\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("cp1254"),
    ],
    ids=["plain", "mark", "windows", "old mac", "utf-16", "turkish windows"],
)
def test_the_same_text_however_it_was_saved(tmp_path, data):
    path = tmp_path / "review.md"
    path.write_bytes(data)
    assert read_text(path) == TEXT


def test_what_is_no_text_is_told(tmp_path):
    with pytest.raises(DocumentError, match="binary"):
        decode(b"\x89PNG\x00\x01", "a.png")
    with pytest.raises(DocumentError, match="does not exist"):
        read_text(tmp_path / "none.md")
    with pytest.raises(DocumentError, match="folder"):
        read_text(tmp_path)


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret.md").write_text("---\nsecret: 1\n---\n")
    (tmp_path / "review.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "folder").symlink_to(tmp_path)
    for path in (tmp_path / "review.md", tmp_path / "folder" / "secret.md"):
        with pytest.raises(DocumentError, match="is a link"):
            read_text(path)


def test_front_matter_keeps_texts_as_they_are_written():
    """A commit of digits is no number, `no` is no Boolean, a date is no date."""
    block = "---\ncommit: 0123456789\nverdict: no\ndate: 2026-01-01\nran: [a, b]\nx: {y: 3.10}\n---\nbody"
    fields, after = front_matter(block)
    values = {name: field.value for name, field in fields.items()}
    assert values == {
        "commit": "0123456789",
        "verdict": "no",
        "date": "2026-01-01",
        "ran": ["a", "b"],
        "x": {"y": "3.10"},
    }
    assert [fields[name].line for name in ("commit", "x")] == [2, 6]
    assert block.split("\n")[after] == "body"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("no front matter", 1, "expected front matter"),
        ("---\na: 1\n", 1, "no closing line"),
        ("---\na: 1\na: 2\n---\n", 3, "there twice"),
        ("---\na: 1\nb: [1, 2\nc: 3\n---\n", 4, "not YAML"),
        ("---\n- a\n- b\n---\n", 2, "expected fields"),
        ("---\na: 1\nb: &x [1]\nc: [*x, *x]\n---\n", 3, "aliases"),
        ("---\na: !!python/object:os.system x\nb: *y\n---\n", 3, "aliases"),
    ],
)
def test_wrong_front_matter_has_its_line(text, line, told):
    with pytest.raises(FrontMatterError, match=told) as caught:
        front_matter(text)
    assert caught.value.line == line


def test_tabs_in_front_matter_are_forgiven():
    fields, _ = front_matter("---\nenvironment:\n\tpython: 3.11\n---\n")
    assert fields["environment"].value == {"python": "3.11"}


def test_sections_end_where_the_next_of_their_level_or_above_begins():
    text = "# Title\n## A\na\n### deeper\nb\n```\n## code\n```\n~~~~\n```\n## x\n~~~~\n## B ##\nc\n# C\nd"
    found = sections(text)
    assert [(s.title, s.line) for s in found] == [("A", 2), ("B", 13)]
    assert "## x" in found[0].text
    assert found[1].text == "c"
    assert list(found[1].numbered()) == [(14, "c")]


@given(st.text(), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_reader(text, level):
    text = decode(text.encode("utf-8", "replace").replace(b"\0", b""))
    for section in sections(text, level=level):
        assert text.split("\n")[section.line - 1].startswith("#")
    assert 0 <= line_of_mistake(text) <= text.count("\n") + 2


def line_of_mistake(text):
    """The line that the reader of front matter complains of, 0 if it does not."""
    try:
        front_matter(text)
    except FrontMatterError as error:
        return error.line
    return 0


LINES = st.text(
    st.characters(blacklist_characters="\r\n\0#`~", blacklist_categories=["Cs"]), max_size=9
)


@given(st.lists(st.tuples(LINES, st.lists(LINES, max_size=4)), max_size=5))
@settings(max_examples=80, deadline=None)
def test_what_was_written_under_headings_is_read_back(written):
    text = "\n".join(f"## t{i} x\n" + "\n".join(body) for i, (_, body) in enumerate(written))
    found = sections(text)
    assert [s.title for s in found] == [f"t{i} x" for i in range(len(written))]
    assert [s.text for s in found] == ["\n".join(body).strip() for _, body in written]


def test_a_place_behind_a_link_is_refused(tmp_path):
    (tmp_path / "root" / "reviews").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root" / "reviews" / "made").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DocumentError, match="is a link"):
        refuse_links(tmp_path / "root", tmp_path / "root" / "reviews" / "made" / "r-01.md")
    refuse_links(tmp_path / "root", tmp_path / "root" / "reviews" / "vae" / "r-01.md")


def test_a_text_of_many_megabytes_is_refused(tmp_path):
    path = tmp_path / "review.md"
    path.write_text("x\n" * 1_000_001)
    with pytest.raises(DocumentError, match="2,000,002 bytes, expected at most"):
        read_text(path)
