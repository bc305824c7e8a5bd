"""What people write by hand in a semester, for tests/course/semester.sh: `semester_fill.py WHAT ...`."""

import os
import re
import sys
from pathlib import Path

CYCLE = """# The rules of a semester that a script plays.
schema = "cycle/1"
semester = "rehearsal"

[dates]
proposal = {}
v1 = {}
review = {}
v2 = {}
demos = {}
"""
FINDING = """
## F01 · major · correctness · A batch of another size is not tested
- where: projects/{slug}/model.py:20-30; projects/{slug}/README.md#results
- paper: -
- evidence: `grep -n "batch" projects/{slug}/test_{slug}.py`, expected a test with an empty batch,
  and there is none: nothing was printed.
- suggestion: test an empty batch and a batch of one

## F02 · nit · documentation · The summary could say more
- where: projects/{slug}/project.toml:4
- paper: -
- evidence: the summary of project.toml is one word
- suggestion: one sentence for somebody who has not read the paper
"""


NUMBER, NAME = "1234" * 2, "Person"  # how the students' numbers and names begin


def cycle(*dates: str) -> None:
    """reviews/cycle.toml with these five deadlines."""
    print(CYCLE.format(*dates), end="")


def roster() -> None:
    """A member of each group, a reviewer from outside and one who will leave; private fields too."""
    print('schema = "roster/1"')
    people = [("p-alpha", "g-alpha"), ("p-beta", "g-beta"), ("p-gamma", "g-gamma"), ("p-rho", "")]
    for key, group in people:
        print(f'\n[[person]]\nkey = "{key}"\nname = "{NAME} {key[2:].title()}"')
        print(f'group = "{group}"' if group else 'topics = ["autoregressive models"]')
        print(f'student_number = "{NUMBER}{len(key)}"\nconsent = {str(key == "p-alpha").lower()}')


def secrets() -> None:
    """What must not be published, as a regular expression: numbers, and names without consent."""
    print(f"{NUMBER}[0-9]|{NAME} (Beta|Gamma|Rho)")


def marks(*folders: str) -> None:
    """Write something into every place that `dgm new` left to fill."""
    for folder in folders:
        for path in Path(folder).iterdir():
            if path.suffix in {".toml", ".md", ".py", ".ipynb"}:
                text = path.read_text(encoding="utf-8")
                text = text.replace("FILL-IN: table and row of the paper, or: not", "not")
                text = re.sub(r"0 # FILL-IN: the year", "2020", text)
                path.write_text(re.sub(r"FILL-IN(: )?", "", text), encoding="utf-8")


def reviewer_of(slug: str) -> None:
    """The first reviewer that is assigned to a project."""
    text = Path("reviews/assignments.toml").read_text(encoding="utf-8")
    print(re.search(rf'project = "{slug}",? *\n? *reviewer = "([^"]+)"', text).group(1))


def drafts(slug: str, suffix: str) -> list[Path]:
    """The files of a project in reviews/ whose name ends so."""
    return sorted(path for path in Path("reviews", slug).iterdir() if path.name.endswith(suffix))


def review(slug: str) -> None:
    """Fill in a review: reasons, two findings, a verdict."""
    for path in drafts(slug, ".md"):
        text = path.read_text(encoding="utf-8")
        text = text.replace("verdict: FILL-IN", "verdict: major")
        text = text.replace('{python: "FILL-IN", device: FILL-IN, ran: [FILL-IN]}', ENVIRONMENT)
        text = text.replace("conflict: FILL-IN", "conflict: none")
        text = text.replace("FILL-IN: the summary", f"Read {slug} and ran it; see F01.")
        text = re.sub(r"FILL-IN[^\n]*\(program\)", "F01 (program)", text)
        text = re.sub(r"- \[ \] (code\.tests.*\n.*)FILL-IN.*", r"- [ ] \1F01", text)
        text = re.sub(r"- \[ \] (.*\n.*)FILL-IN.*", r"- [x] \1read the code and ran the demo", text)
        head, _, _ = text.partition("## F01 · FILL-IN")
        path.write_text(head + FINDING.format(slug=slug).lstrip(), encoding="utf-8")


ENVIRONMENT = '{python: "3.11", device: cpu, ran: [install, demo]}'


def response(slug: str) -> None:
    """Answer the findings: the first is fixed by the last commit, the second declined."""
    path = Path("reviews", slug, "response.md")
    head = os.popen("git rev-parse --short=12 HEAD").read().strip()
    answers = [
        ("fixed", head, "a test with an empty batch"),
        ("declined", "", "one word is what the course asks for"),
    ]
    text = path.read_text(encoding="utf-8")
    for status, commits, reason in answers:
        text = text.replace("status: FILL-IN", f"status: {status}", 1)
        text = re.sub(r"commits:[^\n]*FILL-IN[^\n]*", f"commits: {commits}", text, count=1)
        text = re.sub(r"reason:[^\n]*FILL-IN[^\n]*", f"reason: {reason}", text, count=1)
    path.write_text(text, encoding="utf-8")


def verification(slug: str) -> None:
    """The first finding is verified, the reason for the second accepted."""
    for path in drafts(slug, ".verification.md"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"- F01: FILL-IN.*", "- F01: verified", text)
        text = re.sub(r"- F02: FILL-IN.*", "- F02: accepts-reason", text)
        path.write_text(text, encoding="utf-8")


def adjudication(slug: str) -> None:
    """Every finding is valid, and every score 3."""
    path = Path(os.environ["DGM_PRIVATE"], "adjudication", f"{slug}.toml")
    text = path.read_text(encoding="utf-8")
    text = text.replace('ruling = "FILL-IN"', 'ruling = "valid"')
    text = text.replace('fixed_in_v2 = "FILL-IN"', "fixed_in_v2 = false")
    path.write_text(re.sub(r'= "FILL-IN"', "= 3", text), encoding="utf-8")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
