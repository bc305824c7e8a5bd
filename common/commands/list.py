"""List the projects: paper, family, and how their goals stand.

dgm list
dgm list --json
"""

import json
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a program")


def run(args: Namespace) -> int:
    from common.projects import find_projects

    projects = find_projects()
    if args.json:
        print(json.dumps([summary(project) for project in projects], indent=2))
        return 0
    if not projects:
        print("no projects yet; a folder projects/<slug>/ with a project.toml makes one.")
        return 0
    width = max(len(project.slug) for project in projects) + 2
    for project in projects:
        paper = project.paper
        print(f"{project.slug:<{width}}{project.family:<24}{goals_line(project)}")
        print(f"{'':<{width}}{paper.get('title', project.title)} ({paper.get('year', '?')})")
    print("\nnext: dgm demo SLUG trains one; dgm verify SLUG recomputes its numbers.")
    return 0


def summary(project) -> dict:
    """What a program may want to know of a project."""
    return {
        "slug": project.slug,
        "title": project.title,
        "summary": project.summary,
        "family": project.family,
        "version": project.version,
        "capabilities": list(project.capabilities),
        "paper": dict(project.paper),
        "goals": [goal_state(project, goal) for goal in project.goals],
    }


def goals_line(project) -> str:
    """How many goals are met, missed, open or withdrawn, in words."""
    states = [goal_state(project, goal)["state"] for goal in project.goals]
    counts = [
        f"{states.count(s)} {s}" for s in ("met", "missed", "open", "withdrawn") if s in states
    ]
    return "goals: " + (", ".join(counts) or "none declared")


def goal_state(project, goal) -> dict:
    """One goal: met, missed, open or withdrawn, with the measured value beside the target."""
    from common.results import measured_value

    value = measured_value(project.folder / "results" / f"{goal.id}.json")
    if goal.withdrawn:
        state = "withdrawn"
    elif value is None:
        state = "open"
    else:
        state = "met" if goal.is_met(value) else "missed"
    return {
        "id": goal.id,
        "metric": goal.metric,
        "dataset": goal.dataset,
        "direction": goal.direction,
        "target": goal.target,
        "paper_value": goal.paper_value,
        "value": value,
        "state": state,
    }
