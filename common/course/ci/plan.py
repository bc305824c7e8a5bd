"""Which jobs a change needs: one a project, or, beyond MAX_JOBS projects, shards of several."""

import json
from collections.abc import Sequence
from pathlib import Path

from common.course.git import Repository
from common.course.selecting.affected import Affected, affected, select_all
from common.course.selecting.graph import Graph
from common.projects import Budget

MAX_JOBS = 32
SETUP_MINUTES = 10
MAX_MINUTES = 360  # GitHub's own limit of a job


def whole_tree(root: Path, head: str = "HEAD") -> Affected:
    """Everything there is, as if all had changed."""
    graph = Graph(Repository(root), Repository(root).resolve(head) or head)
    result = Affected("", graph.commit, everything="the whole tree")
    select_all(graph, result, "the whole tree")
    return result


def selection(root: Path, base: str, head: str) -> Affected:
    """What base...head touches; of the whole tree if there is no base."""
    return affected(root, base, head) if base else whole_tree(root, head)


def shards(slugs: Sequence[str], count: int = MAX_JOBS) -> list[dict]:
    """The jobs of a matrix: a name, the slugs with spaces between, and minutes that surely suffice."""
    count = min(count, len(slugs))
    groups = [list(slugs[index::count]) for index in range(count)]
    return [
        {
            "name": group[0] if len(group) == 1 else f"{number} of {count}",
            "projects": " ".join(group),
            "minutes": min(MAX_MINUTES, SETUP_MINUTES + len(group) * Budget.MAX_SECONDS // 60),
        }
        for number, group in enumerate(groups, 1)
    ]


def outputs(found: Affected, count: int = MAX_JOBS) -> dict[str, str]:
    """What the jobs after `select` are told; names that git may have and a slug may not stay out."""
    slugs = [slug for slug in found.projects if slug.isidentifier() and slug.isascii()]
    jobs = shards(slugs, count) if slugs else []
    return {
        "projects": json.dumps(jobs, separators=(",", ":")),
        "tests": "true" if found.tests else "false",
    }
