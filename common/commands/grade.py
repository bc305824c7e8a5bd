"""Compute developers' and reviewers' grades. For the instructor; private.

Reads reviews/cycle.toml and, in $DGM_PRIVATE, roster.toml and every adjudication; writes grades.csv
and grades.toml (with the derivation of each number) there. docs/grading.md explains the formulas.

  dgm grade                      print the table, write both files
  dgm grade --explain p-12       the arithmetic of one person (or project), line by line
  dgm grade --json               print JSON instead of the table
  dgm grade --csv --out ~/marks/fall.csv    write one more file, never where git could see it
"""

from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON with the derivations")
    form.add_argument("--csv", action="store_true", help="comma-separated, one line a person")
    parser.add_argument("--out", metavar="FILE", help="write there what would be printed")
    parser.add_argument("--explain", metavar="KEY", help="a person's or project's arithmetic")


def run(args: Namespace) -> int:
    import json
    from pathlib import Path

    from common.course.cycle import read_cycle
    from common.course.git import course_root
    from common.course.grading.gradebook import make_gradebook, refuse_visible, write_grades
    from common.course.private import private_folder, read_roster
    from common.files import write_text

    root = course_root()
    folder = private_folder(root)
    out = refuse_visible(Path(args.out), root) if args.out else None
    cycle = read_cycle(root)
    book = make_gradebook(root, folder, cycle, read_roster(folder))
    if args.explain:
        text = explanation(book, args.explain)
    elif args.json:
        text = json.dumps(book.table(), indent=2, ensure_ascii=False) + "\n"
    elif args.csv:
        text = book.as_csv()
    else:
        text = as_table(book)
    if out is not None:
        refuse_present(out, text)
    written = [] if args.explain else list(write_grades(folder, root, book, cycle.semester))
    if out is not None:
        write_text(out, text)
        written.append(out)
    else:
        print(text, end="")
    if args.explain:
        print("next: dgm grade writes everybody's grades into the private folder")
        return 0
    if args.json or args.csv:
        return 0
    for note in book.notes:
        print(f"note: {note}")
    for path in written:
        print(f"wrote {path}")
    print("next: dgm grade --explain KEY shows how a grade came about; dgm publish OUT --dry-run")
    return 0


def refuse_present(path, text: str) -> None:
    """Raise UserError if a file stands there that says something else."""
    from common.errors import UserError

    if path.exists() and path.read_bytes() != text.encode():
        raise UserError(f"{path} exists already; move it away, or name another file.")


def as_table(book) -> str:
    """One line a person, at most 80 columns wide."""
    from common.course.grading.gradebook import two_digits

    def cut(text: str, width: int) -> str:
        return text if len(text) <= width else f"{text[: width - 1]}…"

    lines = [f"{'key':<14} {'name':<20} {'project':<14} {'developer':>9} {'reviewer':>9}"]
    for person in book.people:
        lines.append(
            f"{cut(person.key, 14):<14} {cut(person.name, 20):<20} "
            f"{cut(' '.join(person.projects), 14):<14} "
            f"{two_digits(person.developer) or '-':>9} {two_digits(person.reviewer) or '-':>9}"
        )
    return "\n".join(lines) + "\n"


def explanation(book, key: str) -> str:
    """The arithmetic of one person, or of everybody of one project; raises UserError."""
    from common.errors import UserError

    chosen = [person for person in book.people if key == person.key or key in person.projects]
    if not chosen:
        known = ", ".join(person.key for person in book.people)
        raise UserError(f"nobody and no project is {key!r}; there are: {known}.")
    lines = []
    for person in chosen:
        lines += [f"{person.key} ({person.name})", *(f"  {line}" for line in person.steps)]
    return "\n".join(lines) + "\n"
