"""demo.ipynb: a valid notebook, executed, with the sections that the course asks for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common import json_lines, notebooks
from common.course.checks import Context
from common.course.documents import FENCE, HEADING, next_fence
from common.course.problems import Problem
from common.notebooks import source
from common.projects import ProjectTable

NAME = "demo.ipynb"
FIXABLE = {"widgets"}
EXECUTION_KEYS = ("execution", "executionInfo", "ExecuteTime")
NOISE = "the notebook carries noise of its last execution"
NUMBER = re.compile(r"(?<![\w.])\d{1,15}(?:\.\d{1,15})?(?![\w.]*\d)")
BOLD_LINE = re.compile(r"^\*\*([^*]+)\*\*[.:]?$")
MODULE_CLASS = re.compile(r"^class\s+(\w+)\s*\([^)]*\bModule\b", re.MULTILINE)

SECTIONS = {
    # what it is -> (words of which a heading has one, what belongs there)
    "idea": (
        r"idea|method|theory|background|overview|introduction|principle|how .* works|equation|claim",
        "the paper's idea in equations",
    ),
    "hyper-parameters": (r"hyper.?.?param|setting|configuration", "the values and where from"),
    "training": (r"\btrain(ing)?\b|fitting|\blearning", "training, and saving what was learned"),
    "sampling": (
        r"load|sampl|generat",
        "loading the trained weights and computing samples",
    ),
    "results": (
        r"result|number|figure|table|goal|beside the paper|experiment|evaluation|reproduc|compar",
        "the declared figures and tables beside the paper's values",
    ),
    "difficulties": (
        r"difficult|problem|challeng|pitfall|trouble|obstacle|left open|lesson",
        "what was hard, and what the paper leaves open",
    ),
    "limits": (r"limit|future|next|shortcoming|outlook", "what it cannot do; what comes next"),
    "references": (r"reference|bibliograph|literature|sources|citation", "the paper and others"),
}


@dataclass(frozen=True)
class Heading:
    """A heading: its level, its text, the cell and the line of the cell it stands on."""

    level: int
    title: str
    cell: int
    line: int


def check(context: Context) -> Iterator[Problem]:
    """demo.ipynb, and the form of any other notebook of the project."""
    if not context.has(NAME):
        hint = "copy templates/project/demo.ipynb; a notebook tells the story of the project"
        yield Problem(context.path(NAME), 0, "notebook.missing", f"{NAME} is missing", hint)
    for path in context.notebooks:
        text = context.text(path)
        if text is None:
            yield Problem(path, 0, "notebook.json", "is not a text file, expected a notebook")
            continue
        found = list(notebooks.faults(text))
        lines = json_lines.line_numbers(text) if found and found[0].code != "json" else {}
        for fault in found:
            yield fault_problem(path, fault, lines)
        notebook = context.notebook(path)
        if notebook is not None:
            yield from noise_problems(path, notebook)
            if path == context.path(NAME):
                yield from story_problems(context, path, notebook)


def fault_problem(path: str, fault: notebooks.Fault, lines: dict) -> Problem:
    """A fault of a notebook as a problem on its line."""
    line = json_lines.line_of(fault.location, lines) if fault.location else 0
    is_fixable = fault.code in FIXABLE
    hint = "`dgm check --fix` clears it" if is_fixable else ""
    return Problem(path, line, f"notebook.{fault.code}", str(fault), hint, fixable=is_fixable)


def noise_problems(path: str, notebook: dict[str, Any]) -> Iterator[Problem]:
    """Metadata that changes with every execution, or names a kernel that others do not have."""
    kernel = notebook["metadata"].get("kernelspec") or {}
    hint = "`dgm check --fix` mends it"
    if kernel.get("name") != "python3":
        message = f"the kernel is {kernel.get('name')!r}, expected 'python3', which everyone has"
        yield Problem(path, 0, "notebook.kernel", message, hint, "warning", fixable=True)
    noise = []
    if any(name in cell["metadata"] for cell in notebook["cells"] for name in EXECUTION_KEYS):
        noise.append("timestamps")
    if "version" in (notebook["metadata"].get("language_info") or {}):
        noise.append("the version of Python")
    if noise:
        message = f"{NOISE} ({' and '.join(noise)})"
        yield Problem(path, 0, "notebook.noise", message, hint, "warning", fixable=True)


def story_problems(context: Context, path: str, notebook: dict[str, Any]) -> Iterator[Problem]:
    """The sections, the first one's contents, and stored outputs."""
    cells = notebook["cells"]
    found = headings(cells)
    below_title = found[1:] if found and found[0].level == 1 else found
    lines = CellLines(context.text(path) or "")
    for name, (words, content) in SECTIONS.items():
        if not any(re.search(words, heading.title, re.IGNORECASE) for heading in below_title):
            message = f"no section {name!r}: {content}"
            hint = f"a heading with one of the words: {readable(words)}"
            yield Problem(path, 0, "notebook.section", message, hint)
    if context.project is not None:
        yield from first_section_problems(context.project, path, cells, found, lines)
        yield from shown_problems(context, path, cells)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    if not outputs:
        message = "no cell has an output: run it from top to bottom and save it"
        yield Problem(path, 0, "notebook.outputs", message)
    elif not any(is_picture(output) for output in outputs):
        message = "there is no picture among the outputs, expected samples or a figure"
        yield Problem(path, 0, "notebook.outputs", message, level="warning")
    yield from code_problems(context, path, cells, lines)


def readable(pattern: str) -> str:
    """A pattern of words as a person reads it."""
    return re.sub(r"\.\?|\.\*", "", pattern.replace(".?.?", "-")).replace("|", ", ")


def code_problems(
    context: Context, path: str, cells: list[dict[str, Any]], lines: "CellLines"
) -> Iterator[Problem]:
    """The model is imported from the project, and never defined again."""
    code = [(i, source(cell)) for i, cell in enumerate(cells) if cell["cell_type"] == "code"]
    if not any(f"projects.{context.slug}" in text or "find_project" in text for _, text in code):
        message = f"nothing is imported from projects.{context.slug}"
        hint = f"for example: from projects.{context.slug}.model import ..."
        yield Problem(path, 0, "notebook.import", message, hint, "warning")
    for index, text in code:
        if found := MODULE_CLASS.search(text):
            line = lines.of(index, text.count("\n", 0, found.start()))
            message = f"cell {index}: {found.group(1)} is a model defined in the notebook"
            hint = "import it from model.py, so that the tests prove what the notebook shows"
            yield Problem(path, line, "notebook.redefined", message, hint, "warning")


class CellLines:
    """The line of the file on which a line of a cell's source stands."""

    def __init__(self, text: str):
        self.text = text
        self.lines: dict[json_lines.Location, int] = {}

    def of(self, cell: int, line: int) -> int:
        """The line of the file, from 1; the notebook is read when first asked."""
        if not self.lines:
            self.lines = json_lines.line_numbers(self.text)
        return json_lines.line_of(("cells", cell, "source", line), self.lines)


def headings(cells: list[dict[str, Any]]) -> list[Heading]:
    """The headings of the Markdown cells, outside fenced code; a bold line alone counts as one."""
    found = []
    for index, cell in enumerate(cells):
        fence = ""
        for number, line in enumerate(source(cell).split("\n")):
            if cell["cell_type"] != "markdown":
                break
            if mark := FENCE.match(line):
                fence = next_fence(fence, mark.group(1), line)
            elif not fence and (heading := HEADING.match(line)):
                found.append(Heading(len(heading.group(1)), heading.group(2), index, number))
            elif not fence and (bold := BOLD_LINE.match(line.strip())):
                found.append(Heading(6, bold.group(1), index, number))
    return found


def first_section_problems(
    project: ProjectTable,
    path: str,
    cells: list[dict[str, Any]],
    found: list[Heading],
    lines: CellLines,
) -> Iterator[Problem]:
    """The first section names paper, authors, group, and the goals with the paper's numbers."""
    if not found or found[0].level != 1:
        message = "the notebook does not begin with a title (# ...)"
        yield Problem(path, 0, "notebook.first", message)
    end = next((h.cell for h in found[1:] if h.level <= 2 and h.cell > 0), len(cells))
    text = "\n".join(cell_text(cell) for cell in cells[:end])
    line = lines.of(0, 0) if cells else 0
    folded = fold(text)
    hint = "the first section says whose paper, which group, and what was promised"

    def missing(message: str, level: str = "error") -> Problem:
        return Problem(path, line, "notebook.first", f"the first section {message}", hint, level)

    titles = (project.paper.title, project.title)
    if not any(fold(title) in folded for title in titles) and project.paper.url not in text:
        yield missing(f"does not name the paper {project.paper.title!r}")
    absent = [name for name in project.paper.authors if fold(surname(name)) not in folded]
    if absent and "et al" not in folded:
        yield missing(f"does not name the author {absent[0]!r}")
    if "group" not in folded and not any(fold(key) in folded for key in project.group.members):
        yield missing("does not name the group")
    if "goal" not in folded and not any(goal.id.casefold() in folded for goal in project.goal):
        yield missing("does not say the goals")
    for goal in project.goal:
        value = goal.paper_value
        if value is not None and not goal.withdrawn and not states(text, value):
            yield missing(f"does not state the paper's {value:g} (goal {goal.id})")


def shown_problems(context: Context, path: str, cells: list[dict[str, Any]]) -> Iterator[Problem]:
    """Each measured goal's number is shown somewhere in the notebook."""
    text = "\n".join(cell_text(cell) for cell in cells)
    for goal in context.project.goal if context.project else ():
        result = context.result(goal.id)
        if result is not None and not goal.withdrawn and not states(text, result.value):
            message = f"the measured {result.value:.4g} of goal {goal.id} is nowhere shown"
            hint = "show common.results.results_table(project), and run the notebook again"
            yield Problem(path, 0, "notebook.results", message, hint, "warning")


def cell_text(cell: dict[str, Any]) -> str:
    """What a reader sees of a cell: its Markdown, or the texts among its outputs."""
    if cell["cell_type"] == "markdown":
        return source(cell)
    shown = notebooks.strings(cell.get("outputs", []), ())
    return "\n".join(text for _, text in shown)


def fold(text: str) -> str:
    """Text for forgiving comparison: no capitals, one space between words."""
    return " ".join(text.casefold().split())


def surname(name: str) -> str:
    """The last word of a name, or what stands before its comma."""
    return name.split(",")[0] if "," in name else name.split()[-1]


def states(text: str, value: float) -> bool:
    """Whether a text has this number, exactly or rounded to two significant digits or more."""
    for number in NUMBER.findall(text):
        unit = 10.0 ** -len(number.partition(".")[2])
        distance = abs(float(number) - abs(value))
        if distance < 1e-12 or (unit <= abs(value) / 10 and distance <= 0.51 * unit):
            return True
    return False


def is_picture(output: dict[str, Any]) -> bool:
    """Whether an output holds an image."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))
