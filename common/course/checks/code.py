"""What the code imports and does, read and never run: Python files and notebook cells alike."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from common.course.checks import Context
from common.course.checks.code_units import Unit, units
from common.course.checks.dependencies import Dependencies, distribution_of, read_dependencies
from common.course.problems import Problem
from common.notebooks import MACHINE_PATH

STANDARD = sys.stdlib_module_names | {"__future__"}
OTHER_MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(?:content/drive|kaggle/(?:input|working)|Volumes|media|gdrive)/"
    r"|(?<!\w)[A-Z]:[\\/]{1,2}(?:Users|Documents|Desktop|Program|Windows|data|work|home)\b|^~/",
    re.IGNORECASE,
)
SEEDS = {
    "torch.manual_seed",
    "torch.random.manual_seed",
    "torch.seed",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "numpy.random.seed",
    "random.seed",
    "lightning_fabric.seed_everything",
    "lightning_fabric.utilities.seed.seed_everything",
    "pytorch_lightning.seed_everything",
}
PATH_CALLS = {
    "sys.path.append",
    "sys.path.insert",
    "sys.path.extend",
    "sys.path.remove",
    "site.addsitedir",
    "os.chdir",
}
EXECUTION = {
    "eval": "runs a text as code",
    "exec": "runs a text as code",
    "os.system": "runs a shell command",
    "os.popen": "runs a shell command",
    "subprocess": "runs another program",
    "pty": "runs another program",
    "ctypes": "calls machine code",
    "socket": "talks to the network",
    "requests": "talks to the network",
    "httpx": "talks to the network",
    "aiohttp": "talks to the network",
    "urllib.request": "talks to the network",
    "urllib3": "talks to the network",
    "http.client": "talks to the network",
    "ftplib": "talks to the network",
    "smtplib": "talks to the network",
    "gdown": "talks to the network",
    "wget": "talks to the network",
    "torch.hub": "fetches and runs code from the network",
    "shutil.rmtree": "deletes folders",
    "os.fork": "makes processes",
}
REVIEW = "a reviewer should look at it; data comes by common.data, files by the Run"
INSTALL = re.compile(
    r"^\s*[%!]{1,2}\s*(?:python3?\s+-m\s+)?(?:pip3?|conda|mamba|uv|apt(?:-get)?)\b"
)
PYTHON_MAGIC = re.compile(
    r"^\s*%{1,2}(?:matplotlib|config|load_ext|autoreload|reload_ext|time|timeit|capture|pdb|prun"
    r"|precision|tensorboard|xmode|who|whos|env|pylab|reset)\b|^\s*\?|\?\s*$"
)


def check(context: Context) -> Iterator[Problem]:
    """Every file and cell of the project."""
    dependencies = read_dependencies(context.root)
    for unit in units(context):
        if unit.error:
            line, message = unit.error
            where = f"cell {unit.cell}: " if unit.cell is not None else ""
            text = f"{where}not valid Python: {message}"
            yield Problem(unit.path, unit.line(line), "code.syntax", text)
        yield from magic_problems(unit)
        for node, name in imports(context, unit):
            yield from import_problems(context, unit, node, name, dependencies)
        yield from wildcard_problems(unit)
        yield from call_problems(unit)
        yield from path_problems(unit)
    yield from unused_builds_on(context)


def imports(context: Context, unit: Unit) -> Iterator[tuple[ast.AST, str]]:
    """Every import with the full dotted name of its module; `from x import y` gives x.y too."""
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = absolute(unit.path, node.level, module)
            for alias in node.names:
                yield node, f"{module}.{alias.name}"
        elif isinstance(node, ast.Call) and unit.resolve(node.func) in {
            "importlib.import_module",
            "__import__",
        }:
            value = getattr(node.args[0], "value", None) if node.args else None
            if isinstance(value, str) and value and not value.startswith("."):
                yield node, value


def absolute(path: str, level: int, module: str) -> str:
    """The module that a relative import in the file at `path` means."""
    package = path.split("/")[:-1]
    kept = package[: len(package) - (level - 1)]
    return ".".join([*kept, module] if module else kept)


def import_problems(
    context: Context, unit: Unit, node: ast.AST, name: str, dependencies: Dependencies | None
) -> Iterator[Problem]:
    """One import: of the standard library, this project, one built upon, common, or declared."""
    line = unit.line(getattr(node, "lineno", 1))
    top, _, rest = name.partition(".")

    def problem(code: str, message: str, hint: str, level: str = "error") -> Problem:
        return Problem(unit.path, line, f"code.{code}", message, hint, level)

    if not top:
        yield problem("import", "a relative import leaves the repository", "import by full name")
    elif top == "projects":
        slug = rest.split(".")[0]
        declared = context.project.builds_on if context.project else ()
        if slug and slug != context.slug and slug not in declared:
            message = f"imports projects.{slug}, which project.toml does not declare"
            yield problem("builds-on", message, f'add "{slug}" to builds_on in project.toml')
    elif top == "common":
        yield from common_problems(context, problem, rest)
    elif top == "tests":
        if not unit.is_test:
            hint = "what model and tests share belongs in the project or in common"
            yield problem("import", "imports tests, which only test files may", hint)
    elif is_own_file(context, top):
        hint = f"from projects.{context.slug}.{top} import ... works from every folder"
        yield problem("import", f"imports {top}, a file of this project, by its bare name", hint)
    elif top in STANDARD:
        return
    elif dependencies and not dependencies.allow(top, is_test=unit.is_test):
        distribution = distribution_of(top)
        message = f"imports {top}, which is not among the dependencies"
        hint = f"do without it, or ask for {distribution} in pyproject.toml with the reason"
        if dependencies.allow(top, is_test=True):
            message, hint = f"imports {top}, which only test files may", "move it to a test file"
        yield problem("undeclared", message, hint)


def common_problems(context: Context, problem, rest: str) -> Iterator[Problem]:
    """An import from common: it is there, and it is not the course's own machinery."""
    part = rest.split(".")[0]
    if part in {"course", "commands", "cli"}:
        hint = "projects build on common.data, common.evaluation and common.training"
        yield problem("import", f"imports common.{part}, which is not for projects", hint)
    folder = context.root / "common"
    if not part or not folder.is_dir():
        return
    if not any((folder / name).exists() for name in (part, f"{part}.py")):
        names = [path.stem for path in folder.iterdir() if not path.name.startswith((".", "__"))]
        hint = f"there are: {', '.join(sorted(names))}"
        yield problem("import", f"imports common.{part}, which does not exist", hint)


def is_own_file(context: Context, name: str) -> bool:
    """Whether a top-level name is a file or folder of the project itself."""
    inside = context.path(name)
    return any(path == f"{inside}.py" or path.startswith(f"{inside}/") for path in context.files)


def wildcard_problems(unit: Unit) -> Iterator[Problem]:
    """`from x import *`: nobody can see what comes from where."""
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            message = f"imports everything from {'.' * node.level}{node.module or ''}"
            hint = "name what you use: from ... import a, b"
            yield Problem(unit.path, unit.line(node.lineno), "code.wildcard", message, hint)


def magic_problems(unit: Unit) -> Iterator[Problem]:
    """Shell commands and installations in a notebook."""
    for number, text in unit.magics:
        line = unit.line(number)
        if INSTALL.match(text):
            message = f"cell {unit.cell}: installs packages ({text[:40]})"
            hint = "everyone has what pyproject.toml declares; ask for what is missing there"
            yield Problem(unit.path, line, "code.install", message, hint)
        elif not PYTHON_MAGIC.match(text):
            message = f"cell {unit.cell}: runs the shell or another language ({text[:40]})"
            hint = "say it in Python: it runs on every system, and its output can be checked"
            yield Problem(unit.path, line, "code.shell", message, hint)
            return  # one cell, one message


def call_problems(unit: Unit) -> Iterator[Problem]:
    """Calls that a reviewer should look at, and those that make runs depend on the machine."""
    for name, call in unit.calls():
        line = unit.line(call.lineno)
        if name in PATH_CALLS:
            message = f"{name} makes imports depend on where the code runs"
            hint = "`pip install -e .` once; then projects and common are found from everywhere"
            yield Problem(unit.path, line, "code.sys-path", message, hint)
        elif name in SEEDS and PurePosixPath(unit.path).suffix == ".py" and not unit.is_test:
            message = f"{name} seeds the whole process"
            hint = "draw from the generator that build and the Run pass on"
            yield Problem(unit.path, line, "code.seed", message, hint, "warning")
        elif reason := execution_reason(name):
            message = f"{name} {reason}"
            yield Problem(unit.path, line, "code.unsafe", message, REVIEW, "warning")
    for node in ast.walk(unit.tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets if isinstance(node, ast.Assign | ast.AugAssign) else ():
            if isinstance(target, ast.expr) and unit.resolve(target) == "sys.path":
                message = "sets sys.path: imports depend on where the code runs"
                hint = "`pip install -e .` once; then projects and common are found everywhere"
                yield Problem(unit.path, unit.line(node.lineno), "code.sys-path", message, hint)


def execution_reason(name: str) -> str:
    """What is risky about a call of this dotted name; "" if nothing is."""
    parts = name.split(".")
    return next(
        (
            EXECUTION[prefix]
            for end in range(len(parts), 0, -1)
            if (prefix := ".".join(parts[:end])) in EXECUTION
        ),
        "",
    )


def path_problems(unit: Unit) -> Iterator[Problem]:
    """Texts of Python files that name a place on one machine; `checks.notebook` reads notebooks."""
    for node in ast.walk(unit.tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        pattern = OTHER_MACHINE_PATH if unit.cell is not None else MACHINE_PATH
        found = pattern.search(node.value) or OTHER_MACHINE_PATH.search(node.value)
        if found:
            number = node.lineno + node.value.count("\n", 0, found.start())
            message = f"names a path of one machine ({found.group()}...)"
            hint = "use paths of the repository, $DGM_DATA, or tmp_path in a test"
            last = getattr(node, "end_lineno", number) or number
            yield Problem(
                unit.path, unit.line(min(number, last)), "code.machine-path", message, hint
            )


def unused_builds_on(context: Context) -> Iterator[Problem]:
    """Projects that builds_on declares and no file imports."""
    used = {
        name.split(".")[1]
        for unit in units(context)
        for _, name in imports(context, unit)
        if name.startswith("projects.")
    }
    path = context.path("project.toml")
    for slug in context.project.builds_on if context.project else ():
        if slug not in used:
            text = context.text(path) or ""
            line = next((n for n, t in enumerate(text.split("\n"), 1) if "builds_on" in t), 0)
            message = f"builds_on names {slug!r}, and nothing is imported from it"
            hint = f"import projects.{slug}, or take it out; copying is not allowed"
            yield Problem(path, line, "code.builds-on", message, hint, "warning")
