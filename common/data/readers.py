"""Which function makes tensors of which set's files."""

from collections.abc import Callable

from common.data import emoji, music, omniglot, speech, tables, text
from common.data.archives import read_splits
from common.data.dataset import Split
from common.data.registry import DatasetInfo

Reader = Callable[[DatasetInfo, dict[str, bytes]], dict[str, Split]]

READERS: dict[str, Reader] = {
    "tiny_shakespeare": text.read_running_text,
    **dict.fromkeys(
        ("jsb_chorales", "jsb_chorales_eighth", "jsb_chorales_sixteenth"), music.read_rolls
    ),
    **dict.fromkeys(("emoji", "emoji_noto"), emoji.read_emoji),
    **dict.fromkeys(("omniglot", "omniglot_28"), omniglot.read_omniglot),
    "names": text.read_names,
    "fsdd": speech.read_recordings,
    **dict.fromkeys(("protein", "parkinsons", "wine"), tables.read_table),
    **dict.fromkeys(music.STRIDES, music.read_voices),
}


def read(info: DatasetInfo, content: dict[str, bytes]) -> dict[str, Split]:
    """The splits of a downloaded set; `content` maps file names to proved bytes."""
    if info.name in READERS:
        return READERS[info.name](info, content)
    raw = read_splits(info, content)
    return {name: Split(name, x, y, None, factors) for name, (x, y, factors) in raw.items()}
