"""The checklist of a review: every question once, with a stable id and who answers it.

A program answers what can be read off version 1 (checklist_answers.py); a reader answers the rest
and says how they know. Ids are `area.item` and never change: old reviews keep their meaning.
"""

from dataclasses import dataclass

from common.course.reviewing.reviews import AREAS

PROGRAM, READER = "program", "reader"


@dataclass(frozen=True)
class Item:
    """One question; `by` says who answers it, `asks` what a reader's reason should tell."""

    id: str
    question: str
    by: str = READER
    asks: str = "how do you know?"

    @property
    def area(self) -> str:
        """The area that the item belongs to."""
        return self.id.split(".")[0]


ITEMS = (
    Item("goals.declared", "Does every goal name its metric, data, target and the paper's place?", PROGRAM),
    Item("goals.measured", "Has every goal a committed number, or a reason for withdrawal?", PROGRAM),
    Item("goals.distance", "Is every goal reached, or its distance explained?", asks="which, by how much?"),
    Item("goals.choice", "Are the goals what the paper claims, and strict enough?", asks="which of its tables?"),
    Item("fidelity.paper", "Have you read and understood the paper?", asks="what did you derive?"),
    Item("fidelity.architecture", "Is the architecture the paper's?", asks="which lines, which equations?"),
    Item("fidelity.objective", "Is the objective the paper's, with every sign and factor?", asks="which equations?"),
    Item("fidelity.sampling", "Is sampling the paper's?", asks="which lines, which algorithm?"),
    Item("fidelity.hyper-parameters", "Are the hyper-parameters the paper's, or the differences listed?", asks="compared with which section?"),
    Item("correctness.implementation", "Does the implementation seem correct?", asks="what did you test?"),
    Item("correctness.edges", "Does it behave at the edges (batch of one, empty, float64, wrong input)?", asks="what did you try?"),
    Item("reproducibility.install", "Does it install and run in a fresh clone?", asks="on what, with which command?"),
    Item("reproducibility.dependencies", "Is everything that is imported declared?", PROGRAM),
    Item("reproducibility.data", "Is the data included, or fetched by a script?", PROGRAM),
    Item("reproducibility.training", "Is there training code, with presets for smoke, demo and each goal?", PROGRAM),
    Item("reproducibility.weights", "Are the trained weights there, or one command that trains them?", PROGRAM),
    Item("reproducibility.commands", "Does the README give the command for every result?", PROGRAM),
    Item("reproducibility.seed", "Does the same seed give the same numbers?", asks="which run did you repeat?"),
    Item("reproducibility.numbers", "Did a committed number come out again?", asks="which, and what came out?"),
    Item("evaluation.code", "Is there evaluation code for every declared metric?", PROGRAM),
    Item("evaluation.table", "Does the README's table stand as the results make it?", PROGRAM),
    Item("evaluation.protocol", "Is the protocol the paper's, or the difference stated?", asks="split, preprocessing, bound?"),
    Item("evaluation.counts", "Are sample counts and standard errors stated, and large enough?", asks="which counts?"),
    Item("evaluation.figures", "Are the declared plots reproduced?", asks="which figures?"),
    Item("evaluation.comparison", "Do declared tables stand beside the paper's own values?", asks="which tables, where?"),
    Item("notebook.place", "Is there a notebook, in its place?", PROGRAM),
    Item("notebook.first", "Does its first section name paper, authors, group and goals?", PROGRAM),
    Item("notebook.hyper-parameters", "Has it a section for the hyper-parameters?", PROGRAM),
    Item("notebook.training", "Has it a section for training and saving?", PROGRAM),
    Item("notebook.sampling", "Has it a section for loading a trained model and sampling?", PROGRAM),
    Item("notebook.sections", "Has it the other sections (idea, results, difficulties, limits, references)?", PROGRAM),
    Item("notebook.outputs", "Are its outputs stored, executed in order and without errors?", PROGRAM),
    Item("notebook.story", "Can it be understood alone, figures included?", asks="what did you see?"),
    Item("code.form", "Does `dgm check` find nothing wrong with files, weights and code?", PROGRAM),
    Item("code.tests", "Do the tests pass, and fail when the model is made wrong?", asks="what did you change?"),
    Item("code.professional", "Do notebook and code look professional?", asks="what stands out?"),
    Item("documentation.readme", "Has the README its sections, with links that lead somewhere?", PROGRAM),
    Item("documentation.filled", "Is nothing left to fill in?", PROGRAM),
    Item("documentation.claims", "Is every claim of README and notebook backed by a result?", asks="which did you follow?"),
    Item("documentation.deviations", "Are all deviations from the paper listed, with reasons?", asks="compared with what?"),
    Item("documentation.difficulties", "Are the difficulties described?", asks="where?"),
    Item("provenance.licence", "Is the licence there?", PROGRAM),
    Item("provenance.results", "Is every number valid, with weights that fit it?", PROGRAM),
    Item("provenance.borrowed", "Is everything from outside acknowledged and model-independent?", asks="what did you compare?"),
    Item("privacy.files", "Are all files free of personal data and secrets?", PROGRAM),
    Item("privacy.read", "Did you see nobody's personal data, pictures and outputs included?", asks="where did you look?"),
)  # fmt: skip
BY_ID = {item.id: item for item in ITEMS}
COMMENTS = "## Further comments"  # the one old question whose answer is no yes or no

OLD_QUESTIONS = {
    # The eighteen questions of the form that the course used before -> where each is answered now.
    "Is there a notebook?": ("notebook.place",),
    "Is the notebook in its place?": ("notebook.place",),
    "Does its first section name the paper, the authors and the group?": ("notebook.first",),
    "Is there a section for the hyper-parameters?": ("notebook.hyper-parameters",),
    "Is there a section for training and saving?": ("notebook.training",),
    "Is there a section for loading a trained model and computing samples?": ("notebook.sampling",),
    "Are the declared plots reproduced?": ("evaluation.figures",),
    "Are the declared tables reproduced?": ("evaluation.comparison", "evaluation.table"),
    "Do the paper's own values stand beside them?": ("evaluation.comparison", "notebook.first"),
    "Are the outputs stored?": ("notebook.outputs",),
    "Is the data included or fetched by a script?": ("reproducibility.data",),
    "Are the difficulties described?": ("documentation.difficulties", "notebook.sections"),
    "Are the goals reached, or the distance explained?": ("goals.distance", "goals.measured"),
    "Is the licence there?": ("provenance.licence",),
    "Has the reviewer read and understood the paper?": ("fidelity.paper",),
    "Does the implementation seem correct?": ("correctness.implementation", "correctness.edges"),
    "Do notebook and code look professional?": ("code.professional",),
    "Further comments": (COMMENTS,),
}

COMPLETENESS = {
    # The five items of the ML code completeness list.
    "dependencies": ("reproducibility.dependencies", "reproducibility.install"),
    "training code": ("reproducibility.training",),
    "evaluation code": ("evaluation.code",),
    "trained weights": ("reproducibility.weights",),
    "results with the commands that make them": ("reproducibility.commands", "evaluation.table"),
}

MARK_SIGNS = {"yes": "x", "no": " ", "n/a": "-"}


def line(item: Item, mark: str, answer: str) -> str:
    """An item as it stands in a review: the question, and the answer on the line below.

    >>> print(line(BY_ID["code.tests"], "no", "F03"))
    - [ ] code.tests: Do the tests pass, and fail when the model is made wrong?
      -- F03
    """
    return f"- [{MARK_SIGNS[mark]}] {item.id}: {item.question}\n  -- {answer}"


def by_area() -> dict[str, list[Item]]:
    """The items of each area, in order."""
    return {area: [item for item in ITEMS if item.area == area] for area in AREAS}
