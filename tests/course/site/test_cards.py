"""Open Graph pictures: the size that is asked for, for any title and any picture."""

import io

import pytest
from PIL import Image

from common.course.site.cards import HEIGHT, SITE_CARD, WIDTH, card_path, fitted, parts, wrapped
from common.course.site.entries import find_entries
from common.course.site.pages import Site
from tests.course.repositories import write, write_project

README = "# Alpha\n\n![Digits](figures/samples.png)\n"


@pytest.fixture
def root(tmp_path):
    """A project with a red picture of samples."""
    folder = write_project(tmp_path, "alpha")
    write(folder / "README.md", README)
    (folder / "figures").mkdir()
    Image.new("RGB", (300, 200), "red").save(folder / "figures" / "samples.png")
    return tmp_path


def cards(root):
    """The cards of a tree, by path."""
    site = Site(root, find_entries(root))
    return {file.path: file.data for part in parts(site) for file in part.pages()}


def opened(data):
    """A card as pixels."""
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    return image.convert("RGB")


def reds(image):
    """How many pixels show the samples."""
    return sum(n for n, (r, g, b) in image.getcolors(1 << 20) if r > 240 and g < 20 and b < 20)


def test_a_project_and_the_site_have_cards_with_the_samples(root):
    found = cards(root)
    (entry,) = find_entries(root)
    assert set(found) == {card_path(entry), SITE_CARD}
    assert all(len(data) < 200_000 for data in found.values())
    assert 460 * 300 < reds(opened(found[card_path(entry)])) < 460 * 310
    assert reds(opened(found[SITE_CARD])) > 10_000


@pytest.mark.parametrize("damage", ["cut", "forged", "huge", "text", "link", "none"])
def test_a_picture_that_cannot_be_shown_is_left_out(root, damage, tmp_path):
    path = root / "projects/alpha/figures/samples.png"
    data = path.read_bytes()
    head = data[:16]
    path.unlink()
    if damage == "link":
        (tmp_path / "other.png").write_bytes(data)
        path.symlink_to(tmp_path / "other.png")
    elif damage != "none":
        path.write_bytes({
            "cut": data[: len(data) // 2],
            "forged": head + (9000).to_bytes(4, "big") * 2 + data[24:],
            "huge": head + (19_000).to_bytes(4, "big") * 2 + data[24:],
            "text": b"GIF89a" + b"0" * 100,
        }[damage])  # fmt: skip
    for card in cards(root).values():
        assert reds(opened(card)) == 0


def test_any_title_fits(root):
    path = root / "projects/alpha/project.toml"
    text = path.read_text()
    for title in ("A", "Donaudampfschifffahrt" * 6, "many words " * 40, "深層生成モデル — ∀ε>0 🙂"):
        write(path, text.replace('title = "Project alpha"', f'title = "{title.strip()}"'))
        opened(cards(root)[card_path(find_entries(root)[0])])


def test_titles_are_broken_where_they_must():
    assert wrapped("a b c", 20, 10_000) == ["a b c"]
    rows = wrapped("x" * 300 + " end", 40, 400)
    assert "".join(rows) == "x" * 300 + " end"
    rows, size = fitted("word " * 2000, 500, lines=4)
    assert (len(rows), rows[-1][-1], size) == (4, "…", 32)
    assert fitted("Short", 500, lines=4) == (["Short"], 52)


def test_a_card_is_the_same_at_each_build(root):
    assert cards(root) == cards(root)


def test_what_a_card_is_made_from_is_named(root):
    site = Site(root, find_entries(root))
    (part,) = [part for part in parts(site) if part.name == "card.alpha"]
    names = {path.relative_to(site.entries[0].project.folder).as_posix() for path in part.inputs}
    assert names == {"project.toml", "figures/samples.png"}
    assert part.facts == (site.entries[0].picture,)  # which one the README shows
