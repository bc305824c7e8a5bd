"""Whatever stands in a project's files, the check answers with problems and never crashes."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.course.check import check_project
from common.course.problems import FORMATS, Problem
from common.json_lines import line_numbers
from tests.course.tiny_project import make_project

FILES = ("project.toml", "demo.ipynb", "README.md", "results/coins.json", "train.py")
FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
keys = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@pytest.fixture(scope="module")
def good():
    with tempfile.TemporaryDirectory() as folder:
        yield make_project(Path(folder))


def problems_with(good, name, data):
    """What the check says with one file replaced."""
    path = good / name
    before = path.read_bytes()
    try:
        path.write_bytes(data)
        found = check_project(good.parents[1], "tiny")
    finally:
        path.write_bytes(before)
    assert all(isinstance(problem, Problem) and problem.line >= 0 for problem in found)
    for form in FORMATS.values():
        form(found)
    return found


@FEW
@given(data=st.binary(max_size=60), name=st.sampled_from(FILES))
def test_random_bytes(good, data, name):
    problems_with(good, name, data)


@FEW
@given(name=st.sampled_from(FILES), data=st.data())
def test_a_piece_cut_out_or_overwritten(good, name, data):
    text = (good / name).read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    problems_with(good, name, text[:start] + data.draw(st.binary(max_size=20)) + text[end:])


@FEW
@given(value=json_values, name=st.sampled_from(("demo.ipynb", "results/coins.json")))
def test_random_json(good, value, name):
    assert problems_with(good, name, json.dumps(value).encode())


@FEW
@given(value=json_values, data=st.data())
def test_one_value_of_a_notebook_or_result_is_anything(good, value, data):
    name = data.draw(st.sampled_from(("demo.ipynb", "results/coins.json")))
    table = json.loads((good / name).read_text(encoding="utf-8"))
    place = data.draw(st.sampled_from(sorted(line_numbers(json.dumps(table)), key=str)))
    holder = table
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    problems_with(good, name, json.dumps(table).encode("utf-8", "surrogatepass"))


toml_values = st.recursive(
    st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)


@FEW
@given(table=st.dictionaries(keys, toml_values, max_size=5))
def test_random_toml(good, table):
    assert problems_with(good, "project.toml", tomli_w.dumps(table).encode("utf-8", "replace"))


@FEW
@given(value=toml_values, data=st.data())
def test_one_field_of_the_metadata_is_anything(good, value, data):
    import tomllib

    table = tomllib.loads((good / "project.toml").read_text())
    holder = data.draw(st.sampled_from([table, table["paper"], table["group"], table["goal"][0]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    problems_with(good, "project.toml", tomli_w.dumps(table).encode("utf-8", "replace"))


@FEW
@given(
    text=st.lists(
        st.sampled_from(
            [
                *(
                    "# ",
                    "## Results\n",
                    "```",
                    "|",
                    "[a](",
                    "![",
                    "](x.png)",
                    "<!-- results:begin -->",
                ),
                *(
                    "<!-- results:end -->",
                    "`",
                    "coins",
                    " we reach 12.3 nats.",
                    "\n",
                    "%00",
                    "<img src='",
                ),
            ]
        ),
        max_size=12,
    )
)
def test_odd_markdown(good, text):
    problems_with(good, "README.md", "".join(text).encode())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("demo.ipynb", b"[" * 100_000),
        ("results/coins.json", b"[" * 100_000),
        ("results/coins.json", b"1" * 10_000),
        ("project.toml", b"a = " + b"[" * 10_000),
        ("project.toml", b"a = " + b"1" * 10_000),
        ("project.toml", b"a = 2026-02-31"),
        ("train.py", b"(" * 10_000),
        ("demo.ipynb", b"\0"),
        ("README.md", b"](" * 20_000),
        ("README.md", b"we reach 1 nats " * 5_000),
    ],
    ids=range(10),
)
def test_hostile_files(good, name, data):
    problems_with(good, name, data)


def test_links_and_folders_in_the_place_of_files(tmp_path):
    folder = make_project(tmp_path)
    for name in FILES:
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "nowhere")
    assert check_project(tmp_path, "tiny")
    for name in FILES:
        (folder / name).unlink()
        (folder / name).mkdir()
    assert check_project(tmp_path, "tiny")
    shutil.rmtree(folder)
    assert check_project(tmp_path, "tiny")
