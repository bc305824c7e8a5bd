"""`dgm new`: the folder of a new project from templates/project, green from the start."""

import json
import keyword
import re
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from common.course.cycle import CYCLE_FILE, read_cycle
from common.course.documents import refuse_links
from common.course.records import read_frozen
from common.errors import UserError
from common.projects import FILL

TEMPLATE = "templates/project"
MAX_SLUG = 40
RESERVED = frozenset(
    # Names that Windows cannot store, and words that would read as something else here.
    [
        "con",
        "prn",
        "aux",
        "nul",
        "com1",
        "com2",
        "com3",
        "com4",
        "com5",
        "com6",
        "com7",
        "com8",
        "com9",
        "lpt1",
        "lpt2",
        "lpt3",
        "all",
        "common",
        "data",
        "docs",
        "model",
        "new",
        "none",
        "projects",
        "project_slug",
        "results",
        "reviews",
        "test",
        "tests",
        "train",
        "templates",
    ]
)
ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf|html)/(\d{2})(\d{2})\.(\d{4,5})(?:v\d+)?(?:\.pdf)?$")
PUBLIC_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class NewProject:
    """What `dgm new` was told of a project; empty texts become places to fill."""

    slug: str
    title: str
    paper: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    group: str = ""
    members: tuple[str, ...] = ()


def create(root: Path, project: NewProject) -> Path:
    """Write projects/<slug>/ whole or not at all, and return it; raises UserError with the reason."""
    check_slug(project.slug, root)
    template = root / TEMPLATE
    for place in (template, root / "projects" / project.slug):
        refuse_links(root, place)
    if not template.is_dir():
        raise UserError(f"{TEMPLATE}/ is missing from {root.name}; restore it: git checkout .")
    words = replacements(project) | {"SEMESTER": semester(root)}
    folder = root / "projects" / project.slug
    folder.parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{project.slug}.", dir=folder.parent))
    try:
        for path in sorted(template.rglob("*")):
            if path.is_file():
                copy_filled(path, draft / path.relative_to(template), project.slug, words)
        draft.chmod(0o755)
        draft.rename(folder)  # fails if the folder has come into being meanwhile
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UserError(f"projects/{project.slug} could not be made: {error.strerror}.") from None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def check_slug(slug: str, root: Path) -> None:
    """Raise UserError that explains the rule a slug breaks, or whom it collides with."""
    suggestion = suggest(slug)
    hint = f"; try {suggestion!r}" if suggestion and suggestion != slug else ""
    rule = (
        "a slug is the name of a Python package: lower-case letters a-z, digits and underscores, "
        f"a letter first, at most {MAX_SLUG} characters"
    )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", slug) or len(slug) > MAX_SLUG:
        raise UserError(f"the slug is {slug!r}, but {rule}{hint}.")
    if keyword.iskeyword(slug) or keyword.issoftkeyword(slug):
        raise UserError(f"{slug!r} is a word of the Python language{hint}; choose another slug.")
    if slug in RESERVED:
        raise UserError(f"{slug!r} is reserved; choose the paper's own short name.")
    for other in sorted(taken(root)):
        if other == slug:
            raise UserError(
                f"projects/{slug} is taken; `dgm list` shows the projects. If you implement the "
                f"same paper again, name what differs: {slug}_2."
            )
        if squeezed(other) == squeezed(slug):
            raise UserError(
                f"{slug!r} differs from the project {other!r} in underscores only, which readers "
                "would confuse; choose a slug that says what is different."
            )


def taken(root: Path) -> set[str]:
    """Slugs in use: folders of projects/, and projects that were frozen under their name."""
    folder = root / "projects"
    folders = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    frozen = {entry.slug for entry in read_frozen(root).version}
    return {name for name in folders | frozen if not name.startswith((".", "__"))}


def squeezed(slug: str) -> str:
    """What a slug looks like to a hasty reader, and on a disk that ignores case."""
    return slug.casefold().replace("_", "").replace("-", "")


def suggest(slug: str) -> str:
    """The nearest text that is a slug: accents and capitals folded, separators underscored."""
    folded = (
        unicodedata.normalize("NFKD", slug.replace("ı", "i")).encode("ascii", "ignore").decode()
    )
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", folded).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_").lstrip("0123456789_")[:MAX_SLUG]


def semester(root: Path) -> str:
    """The semester in which a project made now goes through the cycle."""
    try:
        return read_cycle(root).semester
    except UserError:
        return f"{FILL}: the semester, as in {CYCLE_FILE}"


def replacements(project: NewProject) -> dict[str, str]:
    """What stands for each word of the template, checked; raises UserError."""
    title = one_line("title", project.title)
    if project.year is not None and not 1900 <= project.year <= 2100:
        raise UserError(f"--year is {project.year}, expected the year of the paper, such as 2015.")
    address = paper_address(project.paper)
    for name, key in [("group", project.group), *(("member", m) for m in project.members)]:
        if key and not PUBLIC_KEY.fullmatch(key):
            raise UserError(
                f"the {name} key is {key!r}, expected a public handle or pseudonym such as g-01: "
                "lower-case letters, digits, - and _; never a name, number or address."
            )
    authors = [one_line("author", author) for author in project.authors]
    return {
        "project_slug": project.slug,
        "TITLE": title,
        "PAPER_URL": address,
        "AUTHORS": json.dumps(authors or [f"{FILL}: the authors"], ensure_ascii=False),
        "YEAR": str(project.year or year_of(address)),
        "GROUP": project.group or f"{FILL}: the key of your group",
        "MEMBERS": json.dumps(project.members),
    }


def one_line(name: str, text: str) -> str:
    """A text that fits on a line of TOML, Markdown and Python; raises UserError."""
    text = " ".join(text.split())
    if not text:
        raise UserError(f"the {name} is empty; --{name} takes a text in quotes.")
    if '"' in text or "\\" in text or not text.isprintable():
        raise UserError(f"the {name} is {text!r}; write it without double quotes and backslashes.")
    return text


def paper_address(address: str) -> str:
    """The address of the paper, arXiv ones as their abstract page; raises UserError."""
    address = address.strip()
    if arxiv := ARXIV.search(address):
        return f"https://arxiv.org/abs/{arxiv.group(1)}{arxiv.group(2)}.{arxiv.group(3)}"
    try:
        split = urlsplit(address)
        is_address = split.scheme in {"http", "https"} and "." in (split.hostname or "")
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"[!-~]+", address) or re.search(r'["\\<>()]', address):
        raise UserError(
            f"--paper is {address!r}, expected the paper's web address, such as "
            "https://arxiv.org/abs/1502.03509"
        )
    return address


def year_of(address: str) -> int:
    """The year that an arXiv address tells; 0 if it does not, which is a place to fill."""
    arxiv = ARXIV.search(address)
    return 2000 + int(arxiv.group(1)) if arxiv else 0


def copy_filled(source: Path, target: Path, slug: str, words: dict[str, str]) -> None:
    """Copy one file of the template, its words replaced unless it is a picture."""
    target = target.with_name(target.name.replace("test_project", f"test_{slug}"))
    target.parent.mkdir(exist_ok=True)
    if source.suffix == ".png":
        shutil.copyfile(source, target)
        return
    text = filled(source.read_text(encoding="utf-8"), source.suffix, words)
    target.write_text(text, encoding="utf-8", newline="\n")


def filled(text: str, suffix: str, words: dict[str, str]) -> str:
    """A template's text with its words replaced, as its kind of file needs them."""
    if suffix == ".toml":
        return replace_words(text, toml_values(words))
    if suffix == ".ipynb":
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            cell["source"] = replace_words(source, words)
        return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return replace_words(text, words)


def toml_values(words: dict[str, str]) -> dict[str, str]:
    """The same words as TOML values; what is not known is a marked place."""
    texts = {
        name: json.dumps(words[name], ensure_ascii=False)
        for name in ("TITLE", "PAPER_URL", "GROUP", "SEMESTER")
    }
    if words["GROUP"].startswith(FILL):
        texts["GROUP"] = f'"g-00" # {words["GROUP"]}'
    if words["MEMBERS"] == "[]":
        texts["MEMBERS"] = f'["p-00"] # {FILL}: the keys of its members'
    if words["YEAR"] == "0":
        texts["YEAR"] = f"0 # {FILL}: the year"
    return words | texts


def replace_words(text: str, words: dict[str, str]) -> str:
    """Every template word replaced once; what was put in is not looked at again."""
    pattern = re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))
    return pattern.sub(lambda found: words[found.group()], text)
