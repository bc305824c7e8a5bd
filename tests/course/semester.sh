#!/usr/bin/env bash
# A semester in a temporary clone, from `dgm new` to `dgm publish`: three groups, one drop-out.
# What people write by hand in a semester is written here by `fill`; everything else is a dgm command.
#   bash tests/course/semester.sh
set -euo pipefail

source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
exec 2>&1
export PATH="$source/.venv/bin:$PATH" DGM_PRIVATE="$work/private"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=course GIT_AUTHOR_EMAIL=course \
    GIT_COMMITTER_NAME=course GIT_COMMITTER_EMAIL=course

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*" >&2; "$@"; }
refused() { printf '$ %s\n' "$*" >&2; if "$@"; then echo "this should have been refused"; exit 1; fi; }
day() { date -u -d "$1 days" +%F; }
commit() { # DAY MESSAGE
    git add -A
    GIT_AUTHOR_DATE="$(day "$1")T10:00Z" GIT_COMMITTER_DATE="$(day "$1")T10:00Z" git commit -qm "$2"
}
fill() { python "$source/tests/course/semester_fill.py" "$@"; }

say "The instructor starts a semester from the repository"
git clone -q "$source" "$work/course"
cd "$work/course"
git remote remove origin
git rm -q --ignore-unmatch reviews/assignments.toml
fill cycle "$(day -40)" "$(day -20)" "$(day -10)" "$(day -2)" "$(day 7)" > reviews/cycle.toml
mkdir "$DGM_PRIVATE"
fill roster > "$DGM_PRIVATE/roster.toml"
commit -50 "A new semester"

say "Students: three new projects, green from the start"
for slug in alpha beta gamma; do
    run dgm new "$slug" --title "Paper ${slug}" --paper https://arxiv.org/abs/2001.00001 \
        --group "g-$slug" --member "p-$slug" | tail -n 2
done
run dgm check alpha | tail -n 2
commit -41 "Proposals"
refused dgm check alpha --strict | tail -n 2
fill marks projects/alpha projects/beta projects/gamma
run dgm check alpha beta gamma --strict | tail -n 2
commit -21 "Version 1"
run dgm status | tail -n 3

say "The instructor freezes version 1 and assigns reviewers"
run dgm freeze v1
run dgm assign
run dgm assign --commit | tail -n 1
commit -19 "Version 1 is frozen, reviewers are assigned"
gone=$(fill reviewer_of beta)
say "$gone leaves the course"
run dgm assign --repair --drop "$gone" --commit
commit -18 "A drop-out is replaced"

say "Reviewers write"
for slug in alpha beta gamma; do
    run dgm review new "$slug" | sed -n 1p
    refused dgm review check "$slug" | tail -n 2
    fill review "$slug"
    run dgm review check "$slug"
done
commit -12 "Reviews"
run dgm status

say "Students answer, and mend"
for slug in alpha beta gamma; do
    printf '\n\n# The edge that the review found is tested now.\n' >> "projects/$slug/model.py"
    commit -5 "$slug: mend what the review found"
    run dgm review respond "$slug" | sed -n 1p
    fill response "$slug"
    sed -i 's/^version = "1"/version = "2"/' "projects/$slug/project.toml"
    run dgm review check "$slug" | tail -n 2
    commit -4 "$slug: version 2"
done

say "The instructor freezes version 2, reviewers verify"
run dgm freeze v2
commit -1 "Version 2 is frozen"
for slug in alpha beta gamma; do
    run dgm review verify "$slug" | sed -n 1p
    fill verification "$slug"
    run dgm review check "$slug" | tail -n 2
done
commit 0 "Verifications"
run dgm status

say "The instructor grades, in the private folder"
for slug in alpha beta gamma; do
    run dgm adjudicate "$slug" | tail -n 2
    fill adjudication "$slug"
done
run dgm grade
git status --short

say "Publishing: a planted address is caught, then the export"
planted="ada.lovelace$(printf '\100')example.org"
printf '\nWrite to %s.\n' "$planted" >> projects/alpha/README.md
commit 0 "An address"
refused dgm publish "$work/public"
test ! -e "$work/public"
git revert --no-edit HEAD > /dev/null
run dgm publish "$work/public"
git -C "$work/public" log --format='%h %an %s'
run dgm check alpha beta gamma | tail -n 2
cd "$work/public"
say "What the public sees"
run dgm status
private="$planted|$(fill secrets)"
if grep -rnIE "$private" . --exclude-dir=.git; then
    echo "something private was published"
    exit 1
fi
find reviews -type f | sort
echo "nothing private is in the published tree"
