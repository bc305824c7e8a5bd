"""Each rule passes the tiny project, and fails one changed line with its code, on that line."""

import json

import pytest

from common.course.checks import Context, claims, freshness, metadata, numbers, readme, text
from common.course.checks import notebook as notebook_rule
from common.results import code_sha256
from tests.course.tiny_project import make_project, markdown, write_json

RULES = (text, metadata, notebook_rule, readme, claims, freshness, numbers)


@pytest.fixture
def folder(tmp_path):
    return make_project(tmp_path)


def found(folder):
    """The problems that the rules of this file find: (code, level, file, line)."""
    root = folder.parents[1]
    files = sorted(
        path.relative_to(root).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    context = Context(root, folder.name, tuple(files))
    problems = [problem for rule in RULES for problem in rule.check(context)]
    prefix = f"projects/{folder.name}/"
    return [(p.code, p.level, p.path.removeprefix(prefix), p.line) for p in problems]


def test_the_tiny_project_passes(folder):
    assert found(folder) == []


MUTATIONS = [
    # file, a piece of it, what is put instead, the code, the level
    ("project.toml", 'schema = "project/1"', 'schema = "project/2"', "metadata.schema", "error"),
    ("project.toml", "year = 2020", 'year = "2020"', "metadata.schema", "error"),
    ("project.toml", "family =", "famly =", "metadata.schema", "error"),
    ("project.toml", "target = 91.0", "target = nan", "metadata.schema", "error"),
    ("project.toml", "target = 91.0", "target = ", "metadata.schema", "error"),
    ("project.toml", 'slug = "tiny"', 'slug = "tinny"', "metadata.slug", "error"),
    ("project.toml", '["p-01"]', '["p-01", "p-02", "p-03"]', "metadata.group", "error"),
    ("project.toml", '["p-01"]', '["p-01", "p-01"]', "metadata.group", "error"),
    ("project.toml", '["p-01"]', "[]", "metadata.group", "error"),
    ("project.toml", "builds_on = []", 'builds_on = ["vay"]', "metadata.builds-on", "error"),
    ("project.toml", "builds_on = []", 'builds_on = ["tiny"]', "metadata.builds-on", "error"),
    ("project.toml", '"sampler"]', '"samplr"]', "metadata.capability", "error"),
    ("project.toml", "year = 2020", "year = 20", "metadata.paper", "error"),
    ("project.toml", 'direction = "at most"', 'direction = "at least"', "metadata.goal-direction", "error"),
    ("project.toml", 'metric = "nll_nats"', 'metric = "nll_nat"', "metadata.goal-metric", "error"),
    ("project.toml", 'metric = "nll_nats"', 'metric = "psnr"', "metadata.goal-metric", "warning"),
    ("project.toml", 'metric = "nll_nats"', 'metric = "nll_elbo_nats"', "metadata.goal-capability", "error"),
    ("project.toml", 'metric = "nll_nats"', 'metric = "classifier_accuracy"', "metadata.goal-range", "error"),
    ("project.toml", 'preset = "demo"', 'preset = "papr"', "metadata.goal-preset", "error"),
    ("project.toml", 'dataset = "binarized_mnist"', 'dataset = "mnst"', "metadata.goal-dataset", "warning"),
    ("project.toml", '"Table 1, first row"', '"the paper"', "metadata.goal-paper", "warning"),
    ("project.toml", "paper_value = 88.4", "# no value", "metadata.goal-paper", "error"),
    ("project.toml", "target = 91.0", "target = 91.0\ntolerance = 20.0", "metadata.goal-tolerance", "warning"),
    ("project.toml", "A coin for every pixel", "FILL-IN: the idea", "metadata.fill", "fill"),
    ("model.py", "The model.", "FILL-IN: the model.", "metadata.fill", "fill"),
    ("README.md", "# Tiny", "Tiny", "readme.title", "error"),
    ("README.md", "## Results", "## Outcome", "readme.section", "error"),
    ("README.md", "## Run it", "## It", "readme.section", "error"),
    ("README.md", "## Deviations from the paper", "## Notes", "readme.section", "error"),
    ("README.md", "<!-- results:end -->", "", "readme.markers", "error"),
    ("README.md", "figures/samples.png", "figures/Samples.png", "readme.picture", "error"),
    ("README.md", "(model.py)", "(modell.py)", "readme.link", "error"),
    ("README.md", "(model.py)", "(../../../etc/passwd)", "readme.link", "error"),
    ("README.md", "![Samples of the model]", "![]", "readme.description", "warning"),
    ("README.md", "![Samples of the model](figures/samples.png)", "", "readme.no-picture", "warning"),
    ("README.md", "arxiv.org/abs/2001.00001", "arxiv.org/abs/2001.00002", "readme.paper", "warning"),
    ("README.md", "https://arxiv.org/abs/2001.00001", "model.py", "readme.paper", "error"),
    ("README.md", "| coins | binarized_mnist, test | 90.442", "| coins | binarized_mnist, test | 80.442", "claims.table", "error"),
    ("README.md", "we reach 90.44 nats", "we reach 89.44 nats", "claims.prose", "warning"),
    ("results/coins.json", '"value": 90.4424', '"value": NaN', "numbers.schema", "error"),
    ("results/coins.json", '"value": 90.4424', '"value": "90"', "numbers.schema", "error"),
    ("results/coins.json", '"seed": 0,', '"sed": 0,', "numbers.schema", "error"),
    ("results/coins.json", '"n": 10000', '"n": 0', "numbers.count", "error"),
    ("results/coins.json", '"num_importance_samples": 5000', '"num_importance_samples": 0', "numbers.count", "error"),
    ("results/coins.json", '"standard_error": 0.229', '"standard_error": -0.229', "numbers.standard-error", "error"),
    ("results/coins.json", '"train_seconds": 60.0', '"train_seconds": -1', "numbers.seconds", "error"),
    ("results/coins.json", '"unit": "nats"', '"unit": "bits"', "numbers.unit", "error"),
    ("results/coins.json", '"value": 90.4424', '"value": -90.4424', "numbers.range", "error"),
    ("results/coins.json", '"project": "tiny"', '"project": "tinny"', "numbers.project", "error"),
    ("results/coins.json", '"goal": "coins"', '"goal": "coin"', "numbers.goal", "error"),
    ("results/coins.json", '"split": "test"', '"split": "valid"', "numbers.goal-split", "error"),
    ("results/coins.json", '"dataset": "binarized_mnist"', '"dataset": "mnist"', "numbers.goal-dataset", "error"),
    ("results/coins.json", '"metric": "nll_nats"', '"metric": "nll_elbo_nats"', "numbers.goal-metric", "error"),
    ("results/coins.json", '"preset": "demo"', '"preset": "smoke"', "numbers.goal-preset", "error"),
    ("results/coins.json", '"coins.safetensors"', '"gone.safetensors"', "freshness.weights", "error"),
    ("results/coins.json", '"weights_sha256": "', '"weights_sha256": "0', "numbers.schema", "error"),
    ("demo.ipynb", '"execution_count": 2', '"execution_count": 7', "notebook.order", "error"),
    ("demo.ipynb", '"execution_count": 2', '"execution_count": "2"', "notebook.schema", "error"),
    ("demo.ipynb", '"nbformat": 4,', '"nbformat": 3,', "notebook.schema", "error"),
    ("demo.ipynb", '"name": "python3"', '"name": "torch"', "notebook.kernel", "warning"),
    ("demo.ipynb", "## The idea", "## Coins", "notebook.section", "error"),
    ("demo.ipynb", "## Hyper-parameters", "## Choices", "notebook.section", "error"),
    ("demo.ipynb", "## Training and saving", "## Steps", "notebook.section", "error"),
    ("demo.ipynb", "## Loading and sampling", "## Coins", "notebook.section", "error"),
    ("demo.ipynb", "## Results beside the paper", "## Coins", "notebook.section", "error"),
    ("demo.ipynb", "## Difficulties", "## Remarks", "notebook.section", "error"),
    ("demo.ipynb", "## Limits", "## Remarks", "notebook.section", "error"),
    ("demo.ipynb", "## References", "## Remarks", "notebook.section", "error"),
    ("demo.ipynb", "# Coins\\n", "Coins\\n", "notebook.first", "error"),
    ("demo.ipynb", "Ada Lovelace", "Ada L.", "notebook.first", "error"),
    ("demo.ipynb", "Group: g-01", "Us", "notebook.first", "error"),
    ("demo.ipynb", "the paper has 88.40", "the paper has more", "notebook.first", "error"),
    ("demo.ipynb", "1/2$", "1/2$ on `coins` we reach 95.1 nats", "claims.prose", "warning"),
    ("demo.ipynb", "| coins | binarized_mnist, test | 90.442", "| coins | binarized_mnist, test | 95.442", "claims.output", "warning"),
    ("demo.ipynb", "from projects.tiny.model import", "import", "notebook.import", "warning"),
    ("demo.ipynb", '"NUM_COINS"', '"class Coin(nn.Module):\\n"', "notebook.redefined", "warning"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "code", "level"),
    MUTATIONS,
    ids=[f"{m[3]}-{i}" for i, m in enumerate(MUTATIONS)],
)
def test_one_changed_line_is_found(folder, name, old, new, code, level):
    path = folder / name
    before = path.read_text(encoding="utf-8")
    assert before.count(old) >= 1, "the mutation fits nothing"
    offset = before.index(old)
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    hits = [(c, lv, n, line) for c, lv, n, line in found(folder) if (c, n) == (code, name)]
    assert hits, found(folder)
    assert {lv for _, lv, _, _ in hits} == {level}
    changed = range(before.count("\n", 0, offset) + 1, before.count("\n", 0, offset) + 3)
    assert code in WHOLE or any(line in changed for *_, line in hits), hits


WHOLE = {
    # about something that is not there, or the whole file
    *("readme.title", "readme.section", "readme.markers", "readme.no-picture", "readme.paper"),
    *("notebook.section", "notebook.first", "notebook.kernel", "notebook.import"),
    *("metadata.goal-range", "claims.output"),
}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("project.toml", "metadata.missing"),
        ("README.md", "readme.missing"),
        ("demo.ipynb", "notebook.missing"),
        ("results/coins.safetensors", "freshness.weights"),
    ],
)
def test_a_missing_file_is_named(folder, name, code):
    (folder / name).unlink()
    assert code in {problem[0] for problem in found(folder)}


def change_notebook(folder, change):
    path = folder / "demo.ipynb"
    table = json.loads(path.read_text(encoding="utf-8"))
    change(table)
    write_json(path, table)
    return path.read_text(encoding="utf-8").split("\n")


def test_an_output_that_is_an_error_is_named_with_its_line(folder):
    error = {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": []}
    lines = change_notebook(folder, lambda table: table["cells"][2]["outputs"].append(error))
    ((code, level, _, line),) = found(folder)
    assert (code, level) == ("notebook.error", "error")
    assert "{" in lines[line - 1]
    assert '"ename"' in "".join(lines[line : line + 2])


def test_a_path_of_one_machine_is_named_with_its_line(folder):
    place = "/".join(["", "home", "ada", "x.png"])
    stream = {"output_type": "stream", "name": "stdout", "text": ["one\n", f"saved {place}\n"]}
    lines = change_notebook(folder, lambda table: table["cells"][2]["outputs"].append(stream))
    ((code, _, _, line),) = found(folder)
    assert code == "notebook.machine-path"
    assert place in lines[line - 1]


def test_widget_state_timestamps_and_versions_are_noise_that_can_be_mended(folder):
    def change(table):
        table["metadata"]["widgets"] = {"state": {}}
        table["metadata"]["language_info"]["version"] = "3.12.1"
        table["cells"][2]["metadata"]["execution"] = {"iopub.status.idle": "now"}

    change_notebook(folder, change)
    assert [problem[:2] for problem in found(folder)] == [
        ("notebook.widgets", "error"),
        ("notebook.noise", "warning"),
    ]


def test_a_notebook_without_outputs_and_without_pictures_says_so(folder):
    def change(table):
        for cell in table["cells"]:
            if "outputs" in cell:
                cell["outputs"] = []

    change_notebook(folder, change)
    assert ("notebook.outputs", "error", "demo.ipynb", 0) in found(folder)


def test_a_heading_in_a_fence_is_none(folder):
    def change(table):
        table["cells"][9] = markdown("```", "## Difficulties", "```")

    change_notebook(folder, change)
    assert [problem[0] for problem in found(folder)] == ["notebook.section"]


def test_a_large_notebook_is_refused(folder):
    change_notebook(folder, lambda table: table["cells"].append(markdown("x" * 1_000_000)))
    assert [problem[0] for problem in found(folder)] == ["notebook.size"]


def test_projects_that_build_on_each_other_are_told(folder):
    second = make_project(folder.parents[2] / "second")
    text = (second / "project.toml").read_text().replace('slug = "tiny"', 'slug = "two"')
    other = folder.parent / "two"
    other.mkdir()
    (other / "project.toml").write_text(text.replace("builds_on = []", 'builds_on = ["tiny"]'))
    mine = folder / "project.toml"
    mine.write_text(mine.read_text().replace("builds_on = []", 'builds_on = ["two"]'))
    assert found(folder) == [("metadata.builds-on", "error", "project.toml", 8)]


def test_code_that_changed_makes_the_result_stale(folder):
    with (folder / "model.py").open("a") as file:
        file.write("# later\n")
    assert [problem[:3] for problem in found(folder)] == [
        ("freshness.code", "warning", "results/coins.json")
    ]
    path = folder / "results" / "coins.json"
    table = json.loads(path.read_text())
    write_json(path, table | {"verified_code_sha256": code_sha256(folder)})
    assert found(folder) == []


def test_other_weights_than_measured_are_an_error(folder):
    (folder / "results" / "coins.safetensors").write_bytes(b"\0others")
    assert [problem[:2] for problem in found(folder)] == [("freshness.weights", "error")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"metric": "nll_nats", "dataset": "ring", "value": 1.5}, "numbers.entropy"),
        ({"metric": "kl_data_model_nats", "dataset": "ring", "value": -1.0}, "numbers.range"),
        ({"metric": "bits_per_dim", "unit": "bits/dim", "value": -0.1}, "numbers.range"),
        ({"metric": "classifier_accuracy", "unit": "", "value": 1.2}, "numbers.range"),
        ({"metric": "fid", "unit": "", "value": -3.0}, "numbers.range"),
        ({"dataset": "mnist", "protocol": "StaticBinarisation()", "value": -1.0}, "numbers.range"),
        (
            {"metric": "nll_nats_per_step", "unit": "nats/step", "dataset": "names", "value": -0.1},
            "numbers.range",
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(folder, changes, code):
    path = folder / "results" / "coins.json"
    table = json.loads(path.read_text()) | {"standard_error": 0.01} | changes
    write_json(path, table)
    assert code in {problem[0] for problem in found(folder)}


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "nll_nats", "dataset": "ring", "value": 1.69},
        {"metric": "kl_data_model_nats", "dataset": "ring", "value": -0.03},
        {"metric": "nll_nats", "dataset": "digits", "value": -20.0, "protocol": "Logit()"},
    ],
)
def test_numbers_within_four_standard_errors_may_be(folder, changes):
    path = folder / "results" / "coins.json"
    table = json.loads(path.read_text()) | {"standard_error": 0.01} | changes
    write_json(path, table)
    codes = {problem[0] for problem in found(folder)}
    assert not codes & {"numbers.range", "numbers.entropy"}


@pytest.mark.parametrize(
    "sentence",
    [
        "On `coins` we reach 90.4 nats.",
        "We miss the 88.4 nats of the paper on coins by 2.0 nats.",
        "On validation `coins` stood at 91.9 nats.",
        "The paper reports 86.64 nats for coins with more masks.",
        "A step takes 12 nats.",
        "In `coins` we lose 0.55 nats by a short training.",
    ],
)
def test_prose_that_is_true_or_about_something_else_passes(folder, sentence):
    path = folder / "README.md"
    path.write_text(
        path.read_text().replace("On `coins` we reach 90.44 nats,", f"{sentence} It is")
    )
    assert found(folder) == []


def test_bad_encodings_are_told(folder):
    (folder / "model.py").write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    (folder / "notes.md").write_bytes("one\nçok".encode("cp1254"))
    problems = found(folder)
    assert ("text.line-ends", "warning", "model.py", 0) in problems
    assert ("text.encoding", "error", "notes.md", 2) in problems


WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ({"output_type": "execute_result", "execution_count": 77}, "order", "77"),
        ({"output_type": "display_data", "data": {WIDGET: {"model_id": "a"}}}, "widget", WIDGET),
        (None, "raises", "raises-exception"),
    ],
)
def test_what_an_honest_execution_does_not_leave_is_an_error(folder, output, code, words):
    def change(table):
        if output is None:
            table["cells"][2]["metadata"]["tags"] = ["raises-exception"]
        else:
            table["cells"][2]["outputs"].append({"data": {}, "metadata": {}} | output)

    lines = change_notebook(folder, change)
    ((found_code, level, _, line),) = found(folder)
    assert (found_code, level) == (f"notebook.{code}", "error")
    assert words in lines[line - 1]
