"""The entries of the sets of sequences: text, music and speech."""

from common.data.registry import DatasetInfo, RemoteFile

_RAW = "https://raw.githubusercontent.com"
_CHAR_RNN = f"{_RAW}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"

TINY_SHAKESPEARE = DatasetInfo(
    name="tiny_shakespeare",
    title="Tiny Shakespeare: a million characters of the plays",
    shape=(),
    splits={"train": 1003854, "valid": 111540},
    num_levels=65,
    licence="public domain",
    licence_url="https://github.com/karpathy/char-rnn",
    citation="Karpathy, The unreasonable effectiveness of recurrent neural networks, 2015",
    source="github.com/karpathy/char-rnn",
    vocabulary=tuple(
        "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    ),
    checksum="762dd4b903d8e0d0330d41a37c531d006bcce9882440e916ebf5940c43b29eec",
    notes="The public split: the first nine tenths to learn from, the last tenth, valid, for the "
    "number that is published; there is no test. Tune on the end of train. "
    "data.windows(64) cuts it into examples.",
    forms=(
        (
            RemoteFile(
                "tiny-shakespeare/input.txt",
                sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                size=1115394,
                urls=(f"{_CHAR_RNN}/data/tinyshakespeare/input.txt",),
            ),
        ),
    ),
)

SEQUENCE_INFOS = (TINY_SHAKESPEARE,)
