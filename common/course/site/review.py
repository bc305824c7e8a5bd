"""Review, response and verification side by side, finding by finding."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.course.reviewing.checklist import ITEMS
from common.course.reviewing.responses import Answer, read_response, response_path
from common.course.reviewing.reviews import Finding, Review, read_review, review_paths
from common.course.reviewing.text import is_open
from common.course.reviewing.verifications import (
    Verdict,
    Verification,
    read_verification,
    verification_path,
)
from common.course.site.entries import Entry
from common.course.site.links import Links
from common.course.site.pages import Page, Site
from common.course.site.rendering import render_markdown
from common.course.site.reviewed import Reviewed, read_reviewed

QUESTIONS = {item.id: item.question for item in ITEMS}
MARKS = {"yes": "yes", "no": "no", "n/a": "not applicable"}


@dataclass(frozen=True)
class Exchange:
    """One finding, its answer and the reviewer's last word, their texts as HTML."""

    finding: Finding
    anchor: str
    places: tuple[tuple[str, str | None], ...]  # as written, and the page of version 1 there
    evidence: Markup
    suggestion: Markup
    answer: Answer | None
    reason: Markup
    verdict: Verdict | None
    note: Markup


@dataclass(frozen=True)
class ShownReview:
    """One reviewer's review as the page shows it."""

    review: Review
    summary: Markup
    exchanges: tuple[Exchange, ...]
    checklist: tuple[tuple[str, str, Markup], ...]  # mark, question, reason
    comments: Markup
    verification: Verification | None

    @property
    def outcomes(self) -> dict[str, int]:
        """How often the reviewer said what of the answers."""
        said = [e.verdict.outcome for e in self.exchanges if e.verdict and e.verdict.outcome]
        return {outcome: said.count(outcome) for outcome in dict.fromkeys(said)}


def shown_reviews(site: Site, entry: Entry) -> list[str]:
    """The assigned reviewers of a project who have written a review."""
    assigned = set(site.assignments.reviewers(entry.slug))
    return [p.stem for p in review_paths(site.root, entry.slug) if p.stem in assigned]


def pages(site: Site, entry: Entry, reviewers: Sequence[str], links: Links) -> Iterator[Page]:
    """The page of a project's reviews."""
    paths = [site.root / "reviews" / entry.slug / f"{reviewer}.md" for reviewer in reviewers]
    path = f"{entry.folder}/review.html"
    answers = answers_of(site, entry)
    numbers = itertools.count(1)
    reviews = [read_review(p) for p in paths]
    cited = [place for review in reviews for f in review.findings for place in f.where]
    reviewed = read_reviewed(site, entry, cited)

    def html(text: str) -> Markup:
        place = links.place(path, f"reviews/{entry.slug}", prefix=f"t{next(numbers)}", top=4)
        return Markup(render_markdown(text, place).html)

    yield Page(
        path,
        f"Review · {entry.project.title}",
        description=f"The review of {entry.project.title}, the answers and their verification.",
        section="index.html",
        template="review.html",
        context={
            "entry": entry,
            "tab": "review",
            "reviews": [shown(site, entry, each, answers, reviewed, html) for each in reviews],
        },
    )
    yield from reviewed.pages()


def answers_of(site: Site, entry: Entry) -> Mapping[str, Answer]:
    """The developers' answers by finding (`r-07/F01`); none before there is a response."""
    path = response_path(site.root, entry.slug)
    if not path.is_file():
        return {}
    return {answer.key: answer for answer in read_response(path).answers if not answer.is_open}


def shown(
    site: Site,
    entry: Entry,
    review: Review,
    answers: Mapping[str, Answer],
    reviewed: Reviewed,
    html: Callable[[str], Markup],
) -> ShownReview:
    """A review with what was said to each of its findings."""
    path = verification_path(site.root, entry.slug, review.reviewer)
    verification = read_verification(path) if path.is_file() else None
    verdicts = (
        {v.finding: v for v in verification.verdicts if not v.is_open} if verification else {}
    )
    exchanges = []
    for finding in review.findings:
        answer = answers.get(f"{review.reviewer}/{finding.id}") or answers.get(finding.id)
        verdict = verdicts.get(finding.id)
        exchanges.append(
            Exchange(
                finding,
                f"{review.reviewer}-{finding.id}",
                tuple((place, reviewed.link(place)) for place in finding.where),
                html(finding.evidence),
                html(finding.suggestion),
                answer,
                html(answer.reason if answer else ""),
                verdict,
                html(verdict.note if verdict else ""),
            )
        )
    checklist = tuple(
        (MARKS.get(item.mark, "open"), QUESTIONS.get(item.id, item.id), html(item.reason))
        for item in review.checklist
        if not is_open(item.reason)
    )
    return ShownReview(
        review,
        html(review.summary),
        tuple(exchanges),
        checklist,
        html(review.comments),
        verification,
    )
