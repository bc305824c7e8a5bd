"""One answer for a pull request: whether every job it needs was done, and went well.

Standard library only: the gate installs nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from common.errors import UserError

ALWAYS = ("select", "guard", "static")
OPTIONAL = {"projects": "[]", "tests": "false"}  # what select says if there is nothing to run


def verdicts(needs: str) -> dict[str, tuple[bool, str]]:
    """Of each job whether it may pass, and how it ended, from the `needs` of a workflow as JSON."""
    try:
        jobs = json.loads(needs)
        told = jobs["select"].get("outputs", {})
        results = {name: jobs[name]["result"] for name in (*ALWAYS, *OPTIONAL)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            "NEEDS is not what a workflow gives as toJSON(needs), with the jobs "
            f"{', '.join((*ALWAYS, *OPTIONAL))}: {error!r}."
        ) from None
    others = {name: about.get("result") for name, about in jobs.items() if name not in results}
    return {name: judge(name, result, told) for name, result in (results | others).items()}


def judge(name: str, result: str, told: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a job's result may pass: skipped only where there was nothing to run."""
    if result == "skipped" and name in OPTIONAL and told.get(name) == OPTIONAL[name]:
        return True, "nothing to run"
    if result == "skipped":
        return False, "skipped, though it was needed"
    return result == "success", str(result)
