"""TOML against a dataclass: every mistake is told, with its line and what was expected."""

import tomllib
from dataclasses import dataclass

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from common import schema
from common.schema import Count, Flag, Number, SchemaError, Text, line_numbers, strict_table


@strict_table
@dataclass(frozen=True)
class Inner:
    name: Text
    value: Number = 0.0
    flag: Flag = False


@strict_table
@dataclass(frozen=True)
class Outer:
    count: Count
    item: tuple[Inner, ...] = ()
    one: Inner | None = None


GOOD = """count = 3
text_block = 0

[[item]]
name = "a"  # a comment = with a sign
value = 1.5

[[item]]
name = "b"

[one]
name = '''
flag = "not a field"
'''
"""


def test_a_valid_text_is_the_object():
    outer = schema.parse(GOOD.replace("text_block = 0\n", ""), Outer)
    assert outer == Outer(3, (Inner("a", 1.5), Inner("b")), Inner('flag = "not a field"'))


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("text_block", "text_block", 2, "unknown field 'text_block'"),
        ("value = 1.5", "valeu = 1.5", 6, "did you mean 'value'"),
        ("value = 1.5", 'value = "high"', 6, "item[1].value is 'high', expected a number"),
        ("value = 1.5", "value = true", 6, "expected a number"),
        ('name = "b"', "", 8, "item[2].name is missing"),
        ('name = "b"', 'name = " "', 9, "expected a text that is not empty"),
        ("count = 3", "count = 3.5", 1, "count is 3.5, expected a whole number"),
        ("count = 3", "count = ", 1, "not valid TOML"),
        ("[one]", "[one]\nflag = 1", 12, "expected true or false"),
    ],
)
def test_each_mistake_has_its_line(old, new, line, told):
    text = GOOD if old == new else GOOD.replace("text_block = 0\n", "\n").replace(old, new)
    found = schema.faults(text, Outer)
    assert [(fault.line, told in fault.message) for fault in found] == [(line, True)]


def test_all_mistakes_are_told_at_once():
    found = schema.faults('count = "x"\n[[item]]\nvalue = "y"\n', Outer)
    assert [fault.line for fault in found] == [1, 2, 3]


def test_windows_files_with_a_mark_are_read(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfcount = 1\r\n[one]\r\nname = 'x'\r\n")
    assert schema.read(path, Outer) == Outer(1, (), Inner("x"))


@pytest.mark.parametrize(
    ("data", "told"), [(None, "does not exist"), (b"count = 1 # \xfc", "not UTF-8 at byte 12")]
)
def test_files_that_cannot_be_read_are_named(tmp_path, data, told):
    path = tmp_path / "a.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SchemaError, match=told) as caught:
        schema.read(path, Outer)
    assert "a.toml" in str(caught.value)


KEYS = st.text("abcdefg_-", min_size=1, max_size=5)
VALUES = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.text("ab=[]#\"'\n\\ ", max_size=8),
    st.lists(st.text("a=\n[]", max_size=3), max_size=3),
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
DOCUMENTS = st.dictionaries(
    KEYS, st.one_of(VALUES, TABLES, st.lists(TABLES, min_size=1, max_size=3)), max_size=5
)


@given(DOCUMENTS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_line_numbers_point_at_what_they_name(document, multiline):
    """Whatever a document holds, the line given for a field begins with its name."""
    text = tomli_w.dumps(document, multiline_strings=multiline)
    assert tomllib.loads(text) is not None
    lines = text.split("\n")
    found = line_numbers(text)
    for location, line in found.items():
        names = [part for part in location if isinstance(part, str)]
        assert (
            lines[line - 1]
            .lstrip("[")
            .lstrip('"')
            .startswith(names[0 if "[" in lines[line - 1][:2] else -1])
        )
    expected = {(key,) for key, value in document.items() if not is_tables(value)}
    assert expected - {loc for loc in found if len(loc) == 1} == set()


def is_tables(value):
    """Whether a value is written as [[tables]] (or inline, then it is no field of its own)."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_any_text_is_an_object_or_a_list_of_faults(text):
    for fault in schema.faults(text, Outer):
        assert fault.message
        assert 0 <= fault.line <= text.count("\n") + 1
