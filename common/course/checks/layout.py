"""The files of a project: which must be there, which must not, their names, sizes and kinds."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from common.course.checks import MAX_TEXT_BYTES, Context
from common.course.problems import Problem

MAX_WEIGHT_BYTES = 16 * 2**20  # common.weights.MAX_WEIGHT_BYTES
MAX_FILE_BYTES = 2 * 2**20
MAX_PROJECT_BYTES = 32 * 2**20
MAX_TABLE_BYTES = 256 * 2**10
MAX_PATH = 140  # characters below the repository: Windows has 260 for all of it
MAX_PICTURES = 60

REQUIRED = {
    # The rules metadata, readme and notebook ask for the other three.
    "model.py": "the paper's model and nothing else",
    "train.py": "Config, PRESETS, build and train",
}
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
UNSTORABLE = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
STRAY_NAMES = re.compile(
    r"\.DS_Store|Thumbs\.db|desktop\.ini|\.directory|nohup\.out|\.coverage|.*~|\.~lock.*|\._.*"
    r"|.*\.(?:pyc|pyo|swp|swo|orig|rej|bak|tmp|log|lock)|events\.out\.tfevents.*|slurm-\d+\.out",
    re.IGNORECASE,
)
STRAY_FOLDERS = frozenset(
    [
        "__pycache__",
        "__MACOSX",
        ".ipynb_checkpoints",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".idea",
        ".vscode",
        ".venv",
        "venv",
        "node_modules",
        "wandb",
        "lightning_logs",
        "runs",
    ]
)
DATA = re.compile(
    r".*\.(?:npz|npy|h5|hdf5|mat|parquet|arrow|feather|tfrecords?|lmdb|mdb|db|sqlite3?|arff|xlsx?)"
    r"|.*-idx\d-ubyte|.*_batch(?:_\d)?(?:\.bin)?",
    re.IGNORECASE,
)
TABLES = frozenset([".csv", ".tsv", ".jsonl", ".txt", ".json", ".xml", ".svg", ".html"])
ARCHIVES = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf'\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x28\xb5\x2f\xfd": "a zstandard archive",
    b"\x7fELF": "a program (ELF)",
    b"MZ": "a program (Windows)",
    b"\xcf\xfa\xed\xfe": "a program (macOS)",
    b"\xca\xfe\xba\xbe": "a program (macOS or Java)",
}
PICTURES = {
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".gif": (b"GIF87a", b"GIF89a"),
    ".webp": (b"RIFF",),
    ".pdf": (b"%PDF",),
}
WEIGHTS = frozenset(
    # Named here so that `checks.weights` alone speaks of them.
    [
        ".pt",
        ".pth",
        ".ckpt",
        ".pkl",
        ".pickle",
        ".joblib",
        ".bin",
        ".onnx",
        ".keras",
        ".gguf",
        ".pb",
        ".tflite",
        ".params",
    ]
)
CONFLICT = re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE)


def check(context: Context) -> Iterator[Problem]:
    """Everything about the files as files; links are not followed."""
    yield from link_problems(context.root, ["projects", context.folder])
    yield from required_problems(context)
    yield from collision_problems(context)
    yield from submodule_problems(context)
    total = pictures = 0
    for path in context.files:
        yield from name_problems(context, path)
        if path.endswith("/"):
            continue  # a repository in the folder, told above
        try:
            state = (context.root / path).lstat()
        except (OSError, ValueError):
            continue
        if not stat.S_ISREG(state.st_mode):
            yield from kind_problems(path, state.st_mode)
            continue
        total += state.st_size
        pictures += PurePosixPath(path).suffix.lower() in PICTURES
        yield from size_problems(path, state.st_size)
        yield from content_problems(context, path, state.st_size)
    yield from executable_problems(context)
    if total > MAX_PROJECT_BYTES:
        message = f"the project holds {megabytes(total)}, expected {megabytes(MAX_PROJECT_BYTES)}"
        hint = 'keep weights for the main goal; others: weights = "retrain"'
        yield Problem(context.folder, 0, "layout.size", message, hint)
    if pictures > MAX_PICTURES:
        message = f"there are {pictures} pictures, expected at most {MAX_PICTURES}"
        hint = "many samples fit into one grid; a data set is loaded by common.data"
        yield Problem(context.folder, 0, "layout.data", message, hint)


def required_problems(context: Context) -> Iterator[Problem]:
    """The files that every project has."""
    for name, content in REQUIRED.items():
        if not context.has(name):
            message = f"{name} is missing: {content}"
            hint = f"templates/project/{name} shows one"
            yield Problem(context.path(name), 0, "layout.missing", message, hint)
    names = [path.removeprefix(f"{context.folder}/") for path in context.files]
    if not any(re.fullmatch(r"(?:.*/)?test_[^/]*\.py", name) for name in names):
        path = context.path(f"test_{context.slug}.py")
        message = "there is no test file (test_*.py)"
        hint = "subclass the laws of your model's kind: templates/project/test_project.py"
        yield Problem(path, 0, "layout.missing", message, hint)


def name_problems(context: Context, path: str) -> Iterator[Problem]:
    """Names that some disk cannot store, and files that programs leave behind."""
    inside = path.removeprefix(f"{context.folder}/").rstrip("/")
    for part in inside.split("/"):
        if reason := unstorable(part):
            hint = "rename it: letters, digits, - and _"
            yield Problem(path, 0, "layout.name", f"the name {part!r} {reason}", hint)
            break
    if len(path) > MAX_PATH:
        message = f"the path has {len(path)} characters, expected at most {MAX_PATH}"
        yield Problem(path, 0, "layout.name", message, "shorten the names of folder and file")
    *folders, name = inside.split("/")
    left = next((folder for folder in folders if folder in STRAY_FOLDERS), None)
    if left is not None or STRAY_NAMES.fullmatch(name):
        message = f"{left or name} is left over by a program and does not belong here"
        yield Problem(path, 0, "layout.stray", message, f"git rm --cached {path}; then ignore it")


def unstorable(name: str) -> str:
    """Why a file of this name cannot be stored on some disks; "" if it can."""
    if RESERVED.fullmatch(name):
        return "is reserved by Windows"
    if UNSTORABLE.search(name):
        return "has a character that Windows cannot store"
    if name != name.strip() or name.endswith("."):
        return "begins or ends with a space or a dot that Windows drops"
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "is not UTF-8"
    if name != unicodedata.normalize("NFC", name):
        return "has letters with separate accents, which macOS and Linux store differently"
    return ""


def collision_problems(context: Context) -> Iterator[Problem]:
    """Paths that are one on a disk that ignores case or normalises letters."""
    first: dict[str, str] = {}
    told = set()
    for path in context.files:
        parts = path.rstrip("/").split("/")
        for end in range(3, len(parts) + 1):
            place = "/".join(parts[:end])
            other = first.setdefault(same_on_disk(place), place)
            if other != place and place not in told:
                told.add(place)
                message = f"is the same name as {other} on a disk that ignores case"
                yield Problem(path, 0, "layout.collision", message, "rename one of them")
    projects = context.root / "projects"
    names = sorted(os.listdir(projects)) if projects.is_dir() else []
    for name in names:
        if name != context.slug and same_on_disk(name) == same_on_disk(context.slug):
            message = f"projects/{name} is the same name on a disk that ignores case"
            yield Problem(context.folder, 0, "layout.collision", message, "rename one of them")


def same_on_disk(path: str) -> str:
    """What a path is on a disk that ignores case and normalises letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def submodule_problems(context: Context) -> Iterator[Problem]:
    """Repositories inside the project: their files would not be in a clone."""
    hint = "remove its .git and add the files themselves, or import an installed package"
    told = set()
    for path in context.files:
        parts = path.rstrip("/").split("/")
        is_inside = ".git" in parts
        place = "/".join(parts[: parts.index(".git")]) if is_inside else path.rstrip("/")
        full = context.root / place
        is_folder = not is_inside and full.is_dir() and not full.is_symlink()
        if (is_inside or is_folder) and place not in told:
            told.add(place)
            message = "is a repository of its own (a submodule); a clone would lack its files"
            yield Problem(place, 0, "layout.submodule", message, hint)
    modules = context.root / ".gitmodules"
    text = modules.read_text("utf-8", "replace") if modules.is_file() else ""
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r"\s*path\s*=\s*(.*?)\s*$", line)
        if found and f"{found[1]}/".startswith(f"{context.folder}/") and found[1] not in told:
            message = f"{found[1]} is a submodule; a clone would lack its files"
            yield Problem(".gitmodules", number, "layout.submodule", message, hint)


def link_problems(root: Path, paths: Iterable[str]) -> Iterator[Problem]:
    """Those of the paths that are symbolic links."""
    for path in paths:
        if (root / path).is_symlink():
            yield from kind_problems(path, stat.S_IFLNK)


def kind_problems(path: str, mode: int) -> Iterator[Problem]:
    """A path that is no ordinary file."""
    if stat.S_ISLNK(mode):
        message = "is a symbolic link; Windows and archives do not keep it"
        hint = "put the file itself there; code of another project is imported, not linked"
        yield Problem(path, 0, "layout.link", message, hint)
    elif not stat.S_ISDIR(mode):
        yield Problem(path, 0, "layout.link", "is no ordinary file", "remove it")


def size_problems(path: str, size: int) -> Iterator[Problem]:
    """A file over its limit."""
    is_weight = path.endswith(".safetensors")
    limit = MAX_WEIGHT_BYTES if is_weight else MAX_FILE_BYTES
    if size > limit:
        message = f"has {megabytes(size)}, expected at most {megabytes(limit)}"
        hint = (
            'say weights = "retrain" in the goal, and remove the file'
            if is_weight
            else "shrink it, or leave it out: git keeps every version forever"
        )
        yield Problem(path, 0, "layout.size", message, hint)


def megabytes(size: int) -> str:
    """A number of bytes for people: one decimal, never rounded down onto the limit."""
    return f"{-(-size * 10 // 2**20) / 10:g} MiB"


def content_problems(context: Context, path: str, size: int) -> Iterator[Problem]:
    """A file whose content does not belong in a project: archives, programs, data sets."""
    inside = PurePosixPath(path.removeprefix(f"{context.folder}/"))
    suffix = inside.suffix.lower()
    if suffix in WEIGHTS or suffix == ".safetensors":
        return
    head = first_bytes(context.root / path)
    kind = next((kind for magic, kind in ARCHIVES.items() if head.startswith(magic)), None)
    if DATA.fullmatch(inside.name) or "data" in inside.parts[:-1]:
        hint = "data comes by common.data from where its owner publishes it: `dgm data list`"
        yield Problem(path, 0, "layout.data", "looks like a data set", hint)
    elif kind is not None and context.text(path) is None:
        message = f"is {kind}, expected files that can be read and reviewed"
        yield Problem(path, 0, "layout.archive", message, "unpack it, or leave it out")
    elif suffix in PICTURES:
        if not head.startswith(PICTURES[suffix]):
            message = f"is named {suffix}, but its content is not"
            yield Problem(path, 0, "layout.binary", message, "save it again in that format")
    elif size > MAX_TEXT_BYTES:
        return  # not read; its size is told
    elif context.text(path) is None:
        message = "is a binary file of an unknown kind"
        yield Problem(path, 0, "layout.binary", message, "keep text, .png and .safetensors")
    elif suffix in TABLES and size > MAX_TABLE_BYTES:
        message = f"has {megabytes(size)} of text, expected less than {megabytes(MAX_TABLE_BYTES)}"
        hint = "data comes by common.data; results are results/<goal>.json"
        yield Problem(path, 0, "layout.data", message, hint)
    elif found := CONFLICT.search(context.text(path) or ""):
        line = (context.text(path) or "").count("\n", 0, found.start()) + 1
        message = "has the marks of a merge conflict"
        yield Problem(path, line, "layout.conflict", message, "choose one side and remove them")


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(512)
    except (OSError, ValueError):
        return b""


def executable_problems(context: Context) -> Iterator[Problem]:
    """Files that are marked as programs and are none; silent on disks that mark every file."""
    marked, others = [], 0
    for path in context.files:
        full = context.root / path
        if full.is_symlink() or not full.is_file():
            continue
        if not full.stat().st_mode & 0o111:
            others += 1
        elif not first_bytes(full).startswith(b"#!"):
            marked.append(path)
    for path in marked if others else []:
        message = "is marked as a program (executable), and is none"
        hint = f"git update-index --chmod=-x {path}"
        yield Problem(path, 0, "layout.executable", message, hint, "warning")
