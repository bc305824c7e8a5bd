"""What a checkpoint of a run holds, and how a run continues from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.training.errors import ResumeError
from common.training.randomness import global_state, load_global_state

if TYPE_CHECKING:
    from common.training.loop import Loop
    from common.training.run import Run

GENERATORS = ("init_generator", "generator", "data_generator")


def run_state(run: "Run", loop: "Loop", metrics_position: int) -> dict[str, Any]:
    """Everything that a killed run needs to end as if it had not been killed."""
    return {
        "seed": run.seed,
        "record": run.recorded,
        "step": run.steps_done,
        "seconds": run.session.seconds,
        "metrics": metrics_position,
        "loop": loop.number,
        "loops": [each.state_dict() for each in run.loops],
        "networks": {network.name: network.state_dict() for network in run.networks},
        "signatures": {network.name: network.signature() for network in run.networks},
        "precision": run.devices.fabric.strategy.precision.state_dict(),
        "generators": {name: getattr(run, name).get_state() for name in GENERATORS},
        "global": global_state(),
    }


def restore(run: "Run", loop: "Loop") -> None:
    """Continue `loop` from the run's checkpoint; one that was over before then stays over.

    A run may have several loops, one after the other. Those before the checkpoint's are skipped
    with their networks restored; at the checkpoint's own everything is.
    """
    saved = run.saved
    is_current = loop.number == saved["loop"]
    if loop.number > saved["loop"]:
        raise different(run.checkpoint, {"number of loops": (saved["loop"] + 1, loop.number + 1)})
    mine = {network.name: network.signature() for network in run.networks}
    theirs = {n: s for n, s in saved["signatures"].items() if is_current or n in mine}
    compare(run.checkpoint, theirs, mine)
    for network in run.networks:
        network.load_state_dict(saved["networks"][network.name])
    try:
        loop.load_state_dict(saved["loops"][loop.number])
    except ValueError as error:
        raise ResumeError(f"{run.checkpoint} is of another run: {error}. {ADVICE}") from error
    if not is_current:
        loop.ended = loop.ended or "done before the checkpoint"
        return
    run.devices.fabric.strategy.precision.load_state_dict(saved["precision"])
    for name, state in saved["generators"].items():
        getattr(run, name).set_state(state)
    load_global_state(saved["global"])
    run.steps_done, run.session.seconds_before = saved["step"], saved["seconds"]
    run.saved = None


ADVICE = (
    "Continue with the same settings; or choose another folder; or train anew without resuming "
    "(the folder is then moved aside, not deleted)."
)


def compare(path: Path, saved: dict, mine: dict, ignore: tuple[str, ...] = ()) -> None:
    """ResumeError naming the settings that differ, unless their first key is ignored."""
    before, now = flat(saved), flat(mine)
    keys = [key for key in before | now if key.split(".")[0] not in ignore]
    changed = {k: (before.get(k), now.get(k)) for k in keys if before.get(k) != now.get(k)}
    if changed:
        raise different(path, changed)


def different(path: Path, changed: dict[str, tuple]) -> ResumeError:
    """The error for a checkpoint of other settings."""
    parts = [f"{key} was {was!r} and is now {now!r}" for key, (was, now) in changed.items()]
    more = f"; and {len(parts) - 4} more" if len(parts) > 4 else ""
    return ResumeError(f"{path} is of another run: {'; '.join(parts[:4])}{more}. {ADVICE}")


def flat(tree: dict, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one with dotted keys.

    >>> flat({"a": {"b": 1, "c": [2]}, "d": 3})
    {'a.b': 1, 'a.c': [2], 'd': 3}
    """
    result = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result
