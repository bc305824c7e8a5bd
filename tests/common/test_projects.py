"""Projects are found by folder, and a wrong project.toml names the file and the field."""

import pytest

from common.projects import ProjectError, find_project, find_projects, read_project

TOML = """
schema = "project/1"
slug = "toy"
title = "A toy"
summary = "One sentence."
family = "autoregressive"
version = "1"

[paper]
title = "A toy paper"
authors = ["A. Author"]
year = 2020
url = "https://example.org/toy"

[group]
key = "g-01"
members = ["p-01"]

[[goal]]
id = "digits"
metric = "nll_nats"
dataset = "digits"
split = "test"
preset = "demo"
direction = "at most"
target = 20.0
paper_source = "Table 1"
protocol = "None."
"""


def write(tmp_path, text):
    folder = tmp_path / "projects" / "toy"
    folder.mkdir(parents=True)
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_with_a_project_toml_is_a_project(tmp_path):
    write(tmp_path, TOML)
    (tmp_path / "projects" / "not_one").mkdir()
    assert [project.slug for project in find_projects(tmp_path)] == ["toy"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('schema = "project/1"', 'schema = "project/9"', "project/9"),
        ('slug = "toy"', 'slug = "other"', "folder is named 'toy'"),
        ('title = "A toy"', 'title = ""', "title"),
        ("target = 20.0", 'target = "low"', "target is 'low', expected a number"),
        ("target = 20.0", "target = true", "target is True, expected a number"),
        ("target = 20.0", "", "target is missing"),
        ("target = 20.0", "target = 20.0\nnum_samples = 5", "num_samples is 5, expected"),
        ('direction = "at most"', 'direction = "below"', "'at most' or 'at least'"),
        (
            'metric = "nll_nats"',
            "metrik = 3",
            "line 21: unknown field 'metrik' in goal[1]; did you mean 'metric'",
        ),
        ("[[goal]]", "[[goal", "not valid TOML"),
    ],
)
def test_a_wrong_project_toml_says_which_field_and_what_was_expected(tmp_path, old, new, told):
    folder = write(tmp_path, TOML.replace(old, new))
    with pytest.raises(ProjectError) as caught:
        read_project(folder)
    assert told in str(caught.value)
    assert "project.toml" in str(caught.value)


def test_an_unknown_slug_suggests_the_nearest(tmp_path):
    write(tmp_path, TOML)
    with pytest.raises(ProjectError, match="did you mean 'toy'"):
        find_project("toyy", tmp_path)


@pytest.mark.parametrize("direction", ["at most", "at least"])
def test_a_goal_is_met_on_its_side_of_the_target(tmp_path, direction):
    goal = read_project(write(tmp_path, TOML.replace("at most", direction))).goals[0]
    assert goal.is_met(19.9) == (direction == "at most")
    assert goal.is_met(20.1) == (direction == "at least")
    assert goal.is_met(20.0)
