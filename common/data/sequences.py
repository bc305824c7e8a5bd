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
    is_sequence=True,
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

_JSB = f"{_RAW}/czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d"
_BOULANGER = (
    "Boulanger-Lewandowski, Bengio, Vincent, Modeling temporal dependencies in high-dimensional "
    "sequences, ICML 2012"
)
_HUANG = "Huang, Cooijmans, Roberts, Courville, Eck, Counterpoint by convolution, ISMIR 2017"
_SEPARATED = (
    "Jsb16thSeparated.json 79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7 1666444"
)


def _chorales(
    name: str, title: str, shape: tuple[int, ...], file: str, checksum: str, notes: str
) -> DatasetInfo:
    """One form of the chorales; `file` is its name, sha256 and bytes."""
    path, sha256, size = file.split()
    is_roll = shape[-1] == 88
    return DatasetInfo(
        name=name,
        title=title,
        shape=shape,
        splits={"train": 229, "valid": 76, "test": 77},
        num_levels=2 if is_roll else 128,
        licence="public domain music; none stated for the files",
        licence_url="https://github.com/czhuang/JSB-Chorales-dataset",
        citation=_BOULANGER if name == "jsb_chorales" else f"{_BOULANGER}; {_HUANG}",
        source="github.com/czhuang/JSB-Chorales-dataset",
        is_sequence=True,
        checksum=checksum,
        notes=notes,
        forms=(
            (
                RemoteFile(
                    f"jsb-chorales/{path}", sha256=sha256, size=int(size), urls=(f"{_JSB}/{path}",)
                ),
            ),
        ),
    )


_ROLL = "Key k of 88 is MIDI pitch k + 21. Zeros after split.lengths steps are padding. "
_VOICES = (
    "MIDI pitches of soprano, alto, tenor and bass; 0 is silence, and padding after split.lengths "
    "steps. "
)
_HELD = "A held note and one struck again are not told apart."
CHORALES = (
    _chorales(
        "jsb_chorales",
        "JSB chorales, quarter notes, piano roll",
        (160, 88),
        "jsb-chorales-quarter.json "
        "2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91 407200",
        "25a4653207f4b8f6c60dabface55e8f30f75b663877a6240d9e468563440bd58",
        f"{_ROLL}The files and split of Boulanger-Lewandowski et al. {_HELD}",
    ),
    _chorales(
        "jsb_chorales_eighth",
        "JSB chorales, eighth notes, piano roll",
        (320, 88),
        "jsb-chorales-8th.json "
        "88fb80b22829a815e8105da538d94ae803773158507e2145938351f35142390a 870990",
        "f64014ff40abcc547b2ce105c9754a3d8adfba8f670e21ed6c0adabf4189b2d6",
        f"{_ROLL}The key of every piece is the original, not that of jsb_chorales. {_HELD}",
    ),
    _chorales(
        "jsb_chorales_sixteenth",
        "JSB chorales, sixteenth notes, piano roll",
        (640, 88),
        "jsb-chorales-16th.json "
        "8730aca7b64e7d29493733d1cf19fad4a5b351d8f1845e57dac27728104fd39f 1741172",
        "6d08a794454839b7cfd66eac1b1ddc650773383327947386127572a9b042778e",
        f"{_ROLL}The key of every piece is the original, not that of jsb_chorales. {_HELD}",
    ),
    _chorales(
        "jsb_voices",
        "JSB chorales, quarter notes, four voices",
        (160, 4),
        _SEPARATED,
        "8f080c526550e908301e73f837b8ece071d6e80221d34eacfbb8fefb5b6d2cfc",
        f"{_VOICES}Every fourth sixteenth. {_HELD}",
    ),
    _chorales(
        "jsb_voices_eighth",
        "JSB chorales, eighth notes, four voices",
        (320, 4),
        _SEPARATED,
        "9b3e4af22e7b35032320d4691389b9aeb0e2f46a986f443dce21c6a2c5a59809",
        f"{_VOICES}Every second sixteenth. {_HELD}",
    ),
    _chorales(
        "jsb_voices_sixteenth",
        "JSB chorales, sixteenth notes, four voices",
        (640, 4),
        _SEPARATED,
        "4794d806b9c5fd09c0f7c0d92db65b8cf4e7dac9f4f6adf6b2f71cbc6df13256",
        f"{_VOICES}{_HELD}",
    ),
)

_MAKEMORE = f"{_RAW}/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4"

NAMES = DatasetInfo(
    name="names",
    title="Given names, letter by letter",
    shape=(16,),
    splits={"train": 23596, "valid": 2949, "test": 2949},
    num_levels=27,
    licence="public domain (US Social Security Administration); the list MIT",
    licence_url="https://github.com/karpathy/makemore/blob/master/LICENSE",
    citation="Karpathy, makemore, 2022",
    source="github.com/karpathy/makemore",
    is_sequence=True,
    vocabulary=tuple(".abcdefghijklmnopqrstuvwxyz"),
    checksum="f3d2dfc6eb3d187f5313f57e31577f1fb467859a42b0a1b5f863b7c92713839a",
    notes="The 29,494 distinct of 32,033 names, each ended by the mark '.', symbol 0, which counts "
    "as a step; what follows after split.lengths is padding. The splits, by a hash, are ours.",
    forms=(
        (
            RemoteFile(
                "names/names.txt",
                sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
                size=228145,
                urls=(f"{_MAKEMORE}/names.txt",),
            ),
        ),
    ),
)

FSDD = DatasetInfo(
    name="fsdd",
    title="Free Spoken Digit Dataset: six speakers, 8 kHz",
    shape=(18262,),
    splits={"train": 2400, "valid": 300, "test": 300},
    num_levels=None,
    num_classes=10,
    class_names=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    factors={
        "digit": tuple(range(10)),
        "speaker": ("george", "jackson", "lucas", "nicolas", "theo", "yweweler"),
    },
    licence="CC BY-SA 4.0",
    licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
    citation="Jackson et al., Free Spoken Digit Dataset, 2016",
    source="github.com/Jakobovski/free-spoken-digit-dataset, its recordings in one zip",
    is_sequence=True,
    checksum="a667a24d700ae9e66f7999b56fa448025342e0b79866339b7ddc95cb308670a0",
    notes="Amplitudes in [-1, 1), multiples of 1/32768; preprocess=MuLaw() makes 256 symbols of "
    "them. The official test recordings 0-4 of each speaker and digit; valid are recordings 5-9 "
    "of the official training set.",
    forms=(
        (
            RemoteFile(
                "fsdd/recordings.zip",
                sha256="c8c9cef2e709eef08e33521c806135d48ffdbbe03551bb0f93668617635ad562",
                size=16161380,
            ),
        ),
    ),
)

SEQUENCE_INFOS = (TINY_SHAKESPEARE, NAMES, *CHORALES, FSDD)
