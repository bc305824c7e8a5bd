"""docs/data.md: the sets that there are, with their splits as the catalogue has them."""

import re

import pytest

from common.data.catalogue import CATALOGUE
from common.projects import ROOT

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = {
    name: sizes
    for names, sizes in re.findall(
        r"^\| (`[^|]+`) \| ([\d,]+ / [^|]+) \|", TEXT, flags=re.MULTILINE
    )
    for name in re.findall(r"`(\w+)`", names)
}


def test_the_table_of_splits_is_found():
    assert len(ROWS) >= 15


@pytest.mark.parametrize("name", sorted(ROWS.keys() - {"parkinsons", "wine"}))  # "and less"
def test_splits_are_those_of_the_catalogue(name):
    sizes = " / ".join(f"{size:,}" for size in CATALOGUE[name].splits.values())
    assert re.match(rf"{sizes}(\s|$)", ROWS[name])


def test_every_set_to_fetch_is_named():
    assert {name for name, info in CATALOGUE.items() if not info.embedded} - set(ROWS) == {
        f"jsb_{kind}_{steps}"
        for kind in ("chorales", "voices")
        for steps in ("eighth", "sixteenth")
    }
