"""False sentences and impossible numbers that a reader would notice, and honest ones beside them."""

import json

import pytest

from common.course.checks import Context, claims, numbers
from tests.course.tiny_project import code, make_project, markdown, result, write_json

PLACE = "## Run it\n"


@pytest.fixture
def folder(tmp_path):
    return make_project(tmp_path)


def found(folder):
    """The problems of the two rules: (code, level, file, line)."""
    root = folder.parents[1]
    files = sorted(path.relative_to(root).as_posix() for path in folder.rglob("*.*"))
    context = Context(root, folder.name, tuple(files))
    problems = [problem for rule in (claims, numbers) for problem in rule.check(context)]
    return [(p.code, p.level, p.path.rpartition("/")[2], p.line) for p in problems]


def write_sentence(folder, sentence: str) -> int:
    """Add a sentence to the README; returns its line."""
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8")
    assert text.count(PLACE) == 1
    path.write_text(text.replace(PLACE, f"{sentence}\n\n{PLACE}"), encoding="utf-8")
    return text.count("\n", 0, text.index(PLACE)) + 1


def add_goal(folder, target: float):
    """A second goal of the same metric, with the result 88.0; the README's table is not kept."""
    path = folder / "project.toml"
    first, second = path.read_text().split("[[goal]]")
    other = second.replace('"coins"', '"dice"').replace("91.0", str(target))
    path.write_text(f"{first}[[goal]]{second}\n[[goal]]{other}")
    write_json(folder / "results" / "dice.json", result(goal="dice", value=88.0))


@pytest.mark.parametrize(
    "sentence",
    [
        "We reach 50.0 nats with coins.",
        "coins scores 45.0 nats.",
        "coins scores 85.0 nats.",
        "Our `coins` model has a test NLL of 80.1",
        "Our coins model has a test NLL of 30.1.",
        "We reach 85,9 nats.",
        "We reach 40 nats.",
    ],
)
def test_false_numbers_are_warned_of(folder, sentence):
    line = write_sentence(folder, sentence)
    (problem,) = found(folder)
    assert problem[0] in ("claims.prose", "claims.number")
    assert problem[1:] == ("warning", "README.md", line)


@pytest.mark.parametrize(
    "sentence",
    [
        "We reach 90,44 nats with coins.",
        "coins scores 90.4 nats, and the paper has 88.4 nats.",
        "Our coins model has a test NLL of 90.442.",
        "With coins we reach the target of 91 nats.",
        "On coins we miss the table by 5 nats.",
        "After 3 epochs we got 150 nats on coins.",
        "On coins the validation of our model reached 60.1 nats.",
        "We reached 20,000 updates with coins.",
    ],
)
def test_true_numbers_and_other_numbers_pass(folder, sentence):
    write_sentence(folder, sentence)
    assert found(folder) == []


def test_a_number_of_no_goal_is_warned_of_where_there_are_many(folder):
    add_goal(folder, 92.0)
    line = write_sentence(folder, "We reach 84,9 nats.")
    assert ("claims.number", "warning", "README.md", line) in found(folder)


@pytest.mark.parametrize(
    "sentence", ["All goals are met.", "All of our goals have been reached.", "Every goal is met."]
)
def test_all_goals_are_met_only_if_they_are(folder, sentence):
    line = write_sentence(folder, sentence)
    assert found(folder) == []
    add_goal(folder, 80.0)
    assert ("claims.goals", "error", "README.md", line) in found(folder)


@pytest.mark.parametrize(
    "sentence", ["Not all goals are met.", "It ends when all goals are met.", "One goal is met."]
)
def test_other_words_of_goals_pass(folder, sentence):
    write_sentence(folder, sentence)
    add_goal(folder, 80.0)
    assert "claims.goals" not in [problem[0] for problem in found(folder)]


IMPOSSIBLE = ["FID is -3.2", "fid -3.0", "The FID is −3.2.", "accuracy is 1.7", "step 3 loss nan"]


@pytest.mark.parametrize("sentence", IMPOSSIBLE)
def test_impossible_numbers_are_refused(folder, sentence):
    line = write_sentence(folder, sentence)
    assert found(folder) == [("numbers.prose", "error", "README.md", line)]


@pytest.mark.parametrize("sentence", IMPOSSIBLE)
@pytest.mark.parametrize("is_output", [False, True])
def test_impossible_numbers_in_notebooks_are_refused(folder, sentence, is_output):
    path = folder / "demo.ipynb"
    table = json.loads(path.read_text(encoding="utf-8"))
    shown = {"output_type": "stream", "name": "stdout", "text": ["start\n", f"{sentence}\n"]}
    table["cells"].insert(-1, code(4, "1", shown) if is_output else markdown("A", sentence))
    write_json(path, table)
    lines = path.read_text(encoding="utf-8").split("\n")
    line = next(number for number, text in enumerate(lines, 1) if sentence in text)
    assert found(folder) == [("numbers.prose", "error", "demo.ipynb", line)]


@pytest.mark.parametrize(
    "sentence",
    [
        "FID is 3.2, and accuracy is 0.97.",
        "The change of FID is -3.2.",
        "accuracy is 97.3 %",
        "accuracy of 1.5 nats",
        "accuracy is 1.0",
        "With a rate of 1 the loss is nan after a step.",
        "An earlier run had loss nan.",
    ],
)
def test_possible_numbers_pass(folder, sentence):
    write_sentence(folder, sentence)
    assert found(folder) == []


def test_more_examples_than_there_are_are_refused(folder):
    path = folder / "results" / "coins.json"
    write_json(path, json.loads(path.read_text()) | {"n": 10**8 + 1})
    assert ("numbers.range", "error") in [problem[:2] for problem in found(folder)]
