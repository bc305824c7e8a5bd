"""Data sets: what there is, what it is, bring it here, prove it.

  dgm data list
  dgm data info mnist
  dgm data fetch mnist binarized_mnist
  dgm data verify

Sets live in $DGM_DATA (default: data/ in the repository). $DGM_MIRROR, a folder or an http(s)
address with the same layout, is asked before the public addresses.
"""

import json
import textwrap
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text, arity in (
        ("list", "the sets, their sizes and whether they are here", None),
        ("info", "shape, splits, licence, citation, checksums of one set", 1),
        ("fetch", "bring sets into DGM_DATA, checksums proved", "+"),
        ("verify", "prove the sets that are here, or those named", "*"),
    ):
        action = actions.add_parser(name, help=text, description=text)
        if arity:
            action.add_argument("names", nargs=arity, metavar="NAME", help="as in `dgm data list`")
        action.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    return {"list": _list, "info": _info, "fetch": _fetch, "verify": _verify}[args.action](args)


def _list(args: Namespace) -> int:
    from common.data.catalogue import CATALOGUE
    from common.data.fetch import state
    from common.data.mirror import data_root

    mirror, where = _mirror()
    states = {name: state(info, mirror=mirror) for name, info in CATALOGUE.items()}
    if args.json:
        rows = [_summary(info) | {"state": states[name]} for name, info in CATALOGUE.items()]
        print(json.dumps(rows, indent=2))
        return 0
    words = {
        "embedded": "embedded",
        "here": "here",
        "mirror": "on the mirror",
        "incomplete": "incomplete",
        "absent": "not fetched",
    }
    for name, info in CATALOGUE.items():
        sizes = " / ".join(f"{n:,}" for n in info.splits.values())
        print(f"{name:<22} {_shape(info):<9} {_levels(info):<12} {sizes}")
        print(_wrapped(f"  {words[states[name]]:<14}", info.title))
    print(f"\nsets live in {data_root()}; {where}")
    absent = [name for name, value in states.items() if value in ("absent", "incomplete")]
    if absent:
        print(f"next: `dgm data fetch {absent[0]}` brings a set here;")
    print(f"{'     ' if absent else 'next:'} `dgm data info mnist` tells more.")
    return 0


def _shape(info) -> str:
    """Shape of an example; the first number of a sequence is the longest."""
    if not info.shape:
        return "text"
    shape = "x".join(map(str, info.shape))
    return f"<={shape}" if info.is_sequence else shape


def _levels(info) -> str:
    if info.num_levels is None:
        return "continuous"
    return f"{info.num_levels} {'symbols' if info.vocabulary else 'levels'}"


def _wrapped(head: str, text: str) -> str:
    """The text behind a head, in lines of 79 columns; names and addresses stay whole."""
    return textwrap.fill(
        text,
        79,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _mirror() -> tuple:
    """The mirror or None, and a line about it; what is here can be listed without it."""
    from common.data.errors import DataError
    from common.data.mirror import find_mirror

    try:
        mirror = find_mirror()
    except DataError as error:
        return None, str(error)
    return mirror, f"mirror: {mirror.address if mirror else 'none'}"


def _summary(info) -> dict:
    return {
        "name": info.name,
        "title": info.title,
        "shape": list(info.shape),
        "splits": info.splits,
        "num_levels": info.num_levels,
        "is_sequence": info.is_sequence,
        "vocabulary": list(info.vocabulary),
        "num_classes": info.num_classes,
        "class_names": list(info.class_names),
        "factors": {name: list(values) for name, values in info.factors.items()},
        "licence": info.licence,
        "licence_url": info.licence_url,
        "citation": info.citation,
        "source": info.source,
        "embedded": info.embedded,
        "notes": info.notes,
        "checksum": info.checksum,
    }


def _info(args: Namespace) -> int:
    from common.data.fetch import state
    from common.data.registry import get_info

    info = get_info(args.names[0])
    now = state(info, mirror=_mirror()[0])
    files = [
        {"path": f.path, "bytes": f.size, "md5": f.md5, "sha256": f.sha256} for f in info.files
    ]
    if args.json:
        print(json.dumps(_summary(info) | {"state": now, "files": files}, indent=2))
        return 0
    levels = f"integers 0..{info.num_levels - 1}" if info.num_levels else "continuous"
    lines = [
        ("name", f"{info.name}: {info.title}"),
        ("example", f"{_shape(info)}, {levels}"),
        ("symbols", " ".join(repr(c)[1:-1] for c in info.vocabulary if not c.isspace())),
        ("splits", ", ".join(f"{name} {size:,}" for name, size in info.splits.items())),
        (
            "labels",
            ": ".join(filter(None, (str(info.num_classes or "none"), ", ".join(info.class_names)))),
        ),
        ("factors", ", ".join(f"{name} ({len(v)})" for name, v in info.factors.items())),
        ("licence", " ".join(filter(None, (info.licence, info.licence_url)))),
        ("cite", info.citation),
        ("source", info.source),
        ("notes", info.notes),
        ("checksum", f"sha256 of the tensors {info.checksum}" if info.checksum else ""),
        ("state", now),
    ]
    for key, value in lines:
        if value:
            print(_wrapped(f"{key:<9} ", value))
    for file in files:
        algorithm = "sha256" if file["sha256"] else "md5"
        print(f"{'file':<9} {file['path']}\n{'':<9} {algorithm} {file[algorithm]}")
    ready = now in ("embedded", "here", "mirror")
    step = f'load("{info.name}") in Python' if ready else f"dgm data fetch {info.name}"
    print(f"\nnext: {step}")
    return 0


def _fetch(args: Namespace) -> int:
    from common.data.fetch import fetch
    from common.data.registry import get_info

    infos = [get_info(name) for name in args.names]  # every name is known before anything moves
    rows = []
    for info in infos:
        done = [] if info.embedded else fetch(info, progress=not args.json)
        rows += [{"name": info.name, "path": str(d.path), "origin": d.origin} for d in done]
        if args.json:
            continue
        if info.embedded:
            print(f"{info.name} is embedded: there is nothing to fetch")
        for d in done:
            print(f"{'already here' if d.origin == 'kept' else f'from {d.origin}':<13} {d.path}")
        if done:
            print(f"{info.name} is here and its checksums hold. Licence: {info.licence}")
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(f'\nnext: load("{infos[-1].name}") in Python, or dgm list for what to train on it.')
    return 0


def _verify(args: Namespace) -> int:
    """Exit status 1 if anything is not as it should be."""
    from common.data.catalogue import CATALOGUE
    from common.data.registry import get_info
    from common.data.verify import verify_set

    infos = [get_info(name) for name in args.names] or list(CATALOGUE.values())
    rows = [(info, *verify_set(info, required=bool(args.names))) for info in infos]
    if args.json:
        print(
            json.dumps([{"name": i.name, "state": s, "problem": p} for i, s, p in rows], indent=2)
        )
    else:
        for info, now, problem in rows:
            print(f"{info.name:<22} {now:<8} {problem}".rstrip())
    bad = [info.name for info, now, _ in rows if now == "bad"]
    if not args.json:
        print(
            f"\nnext: dgm data fetch {' '.join(bad)}"
            if bad
            else "\nall that is here is what it should be. next: dgm data list"
        )
    return 1 if bad else 0
