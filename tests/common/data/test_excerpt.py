"""The embedded pages of Tiny Shakespeare."""

from common.data import decode, get_info, load


def test_the_excerpt_is_where_the_whole_text_begins():
    """Embedded pages in the vocabulary of the whole, cut between two speeches."""
    data = load("shakespeare_excerpt")
    train, valid = (decode(split.x, data.vocabulary) for split in data.splits.values())
    assert train.startswith("First Citizen:\nBefore we proceed any further, hear me speak.")
    assert train.endswith("boasting.\n\n")
    assert valid.startswith("MENENIUS:\n")
    assert data.vocabulary == get_info("tiny_shakespeare").vocabulary
