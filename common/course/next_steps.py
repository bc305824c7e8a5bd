"""The command with which the one whose turn it is goes on."""

from common.course.state import DEVELOPERS, INSTRUCTOR, ProjectState


def next_step(state: ProjectState) -> str:
    """The command with which the one whose turn it is goes on."""
    slug = state.slug
    if state.state == "under review":
        return f"{', '.join(state.turn)}: dgm review new {slug}, then dgm review check {slug}"
    if state.state == "v2 frozen" and DEVELOPERS in state.turn:
        return f"developers: dgm review respond {slug}; then the reviewers verify"
    if state.state == "v2 frozen" and state.turn != (INSTRUCTOR,):
        return f"{', '.join(state.turn)}: dgm review verify {slug}"
    version = "v1" if state.state == "v1 open" else "v2"
    if state.turn == (DEVELOPERS,) and state.days is not None and state.days < 0:
        late = {"v1 open": "v1", "reviewed": "v2", "responding": "v2"}
        if state.state in late:
            return (
                f"developers: the deadline found nothing to freeze; the instructor: "
                f"dgm freeze {late[state.state]} {slug} --early takes it as it is on main now"
            )
    steps = {
        "proposed": f"developers: goals into projects/{slug}/project.toml, dgm check {slug}",
        "v1 open": f"developers: dgm check {slug} --strict, then a pull request",
        "v1 frozen": "instructor: dgm assign",
        "v2 frozen": "instructor: dgm assign",
        "reviewed": f"developers: dgm review respond {slug}",
        "responding": f"developers: dgm review check {slug}, version 2 by a pull request",
        "verified": f"instructor: dgm adjudicate {slug}",
        "published": "nobody: it is public",
        "withdrawn": "nobody: it left the course",
    }
    if state.turn == (INSTRUCTOR,) and state.state in {"v1 open", "reviewed", "responding"}:
        return f"instructor: dgm freeze {version}"
    return steps[state.state]
