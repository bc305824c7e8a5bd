"""The entries of the drawings: emoji and the characters of Omniglot."""

from dataclasses import replace

from common.data.registry import DatasetInfo, RemoteFile

EMOJI = DatasetInfo(
    name="emoji",
    title="Emoji with names and keywords, as Twemoji draws them",
    shape=(3, 72, 72),
    splits={"train": 2440, "valid": 331, "test": 259},
    num_levels=256,
    num_classes=9,
    class_names=(
        *("Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink"),
        *("Travel & Places", "Activities", "Objects", "Symbols", "Flags"),
    ),
    licence="CC BY 4.0 (the drawings); Unicode License (names); MIT (keywords)",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    citation="Twemoji; Unicode emoji-test.txt 16.0; emojilib",
    source="github.com/discourse/discourse-emojis and github.com/muan/emojilib, in one file each",
    checksum="23b7461b7420620792d5f7f829d70b678fbdc6177a06c52d00a333ef15abd666",
    notes="Over white. split.texts has name, keywords, char and subgroup; the label is the group. "
    "A tenth of the base emoji is valid, a tenth test, by a hash; what has one name before the colon, "
    "such as all skin tones, is one base.",
    forms=(
        (
            RemoteFile(
                "emoji/captions.tsv",
                sha256="d256ef8094d90d308434072d4120ab599cee7bd256bd0927be2236ec1c94a7f0",
                size=439075,
            ),
            RemoteFile(
                "emoji/twemoji_72x72.npz",
                sha256="1f1197d5d8a01957706eb3c9c8c50f5e9ff03dc0c168706e12fc8d0b441e579a",
                size=3329307,
            ),
        ),
    ),
)

EMOJI_NOTO = replace(
    EMOJI,
    name="emoji_noto",
    title="The same emoji in the same splits, as Noto draws them",
    licence="Apache 2.0 / OFL 1.1 (the drawings); Unicode License (names); MIT (keywords)",
    licence_url="https://github.com/googlefonts/noto-emoji/blob/main/LICENSE",
    citation="Google Noto Emoji; Unicode emoji-test.txt 16.0; emojilib",
    source="github.com/googlefonts/noto-emoji and github.com/muan/emojilib, in one file each",
    checksum="5fd1f40f57d91b0718132fb20f5c0fdd2f3160d594fcf9c494ea49bc37bbe952",
    notes=f"{EMOJI.notes} Row i is row i of emoji: pairs for translation.",
    forms=(
        (
            EMOJI.files[0],
            RemoteFile(
                "emoji/noto_72x72.npz",
                sha256="08f0382740434e1af678e84f439ce7f2838f9d0cdfc9fe2db0cdd386e3a01941",
                size=5468685,
            ),
        ),
    ),
)

_NPZ = (
    "https://raw.githubusercontent.com/bitsandscraps/omniglot/"
    "b0481240b7eb42393285a93ce7d2f266ff10c62b"
)


def _omniglot(file: str, sha256: str, size: int) -> RemoteFile:
    return RemoteFile(f"omniglot/{file}", sha256=sha256, size=size, urls=(f"{_NPZ}/{file}",))


OMNIGLOT = DatasetInfo(
    name="omniglot",
    title="Omniglot: 1623 characters of fifty alphabets, twenty drawers",
    shape=(1, 105, 105),
    splits={"train": 16060, "valid": 3220, "test": 13180},
    num_levels=2,
    num_classes=1623,
    licence="MIT",
    licence_url="https://github.com/brendenlake/omniglot/blob/master/LICENSE",
    citation="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning through probabilistic "
    "program induction, Science 2015",
    source="github.com/bitsandscraps/omniglot, from the images of github.com/brendenlake/omniglot",
    checksum="e7e066b5b233197074ffd10f88b632eb4faed7da78bd11d1001a4d02cd6b11f2",
    notes="Ink is 1. Test is the published evaluation set of 20 alphabets; valid are the last five "
    "of the 30 background alphabets. No character is in two splits.",
    forms=(
        (
            _omniglot(
                "images_background.npz",
                "8bf84167413cd00beacdce3fe582f780ab538d8dbef043a6d688f2527bbce199",
                3340794,
            ),
            _omniglot(
                "images_evaluation.npz",
                "0b84c7ffd94c4841c0040e529c86a82eaaccb986d8eadad5673f7991b7475276",
                2415269,
            ),
        ),
    ),
)

OMNIGLOT_28 = replace(
    OMNIGLOT,
    name="omniglot_28",
    title="Omniglot, resized to 28 x 28 by area",
    shape=(1, 28, 28),
    num_levels=256,
    checksum="30180354711d267930d763ee4930fa55fb4248ca3f13d00c6bba17fa5860765c",
    notes=f"{OMNIGLOT.notes.replace('Ink is 1.', 'Ink is 255.')} Not the 28 x 28 file of Burda et "
    "al. (2016): numbers are not comparable with theirs.",
)

DRAWING_INFOS = (EMOJI, EMOJI_NOTO, OMNIGLOT, OMNIGLOT_28)

# the first character of each alphabet, 0..963 in the background set and from 964 in the other
ALPHABETS = (
    (0, "Arcadian"),
    (26, "Armenian"),
    (67, "Asomtavruli (Georgian)"),
    (107, "Balinese"),
    (131, "Bengali"),
    (177, "Blackfoot (Canadian Aboriginal Syllabics)"),
    (191, "Braille"),
    (217, "Cyrillic"),
    (250, "Early Aramaic"),
    (272, "Syriac (Estrangelo)"),
    (295, "Anglo-Saxon Futhorc"),
    (324, "Futurama"),
    (350, "Grantha"),
    (393, "Greek"),
    (417, "Gujarati"),
    (465, "Hebrew"),
    (487, "Japanese (Hiragana)"),
    (539, "Inuktitut (Canadian Aboriginal Syllabics)"),
    (555, "Malay (Jawi-Arabic)"),
    (595, "Japanese (Katakana)"),
    (642, "Korean"),
    (682, "Latin"),
    (708, "Alphabet of the Magi"),
    (728, "Mkhedruli (Georgian)"),
    (769, "Burmese (Myanmar)"),
    (803, "N Ko"),
    (836, "Ojibwe (Canadian Aboriginal Syllabics)"),
    (850, "Sanskrit"),
    (892, "Tagalog"),
    (909, "Tifinaghs"),
    (964, "Angelic"),
    (984, "Atemayar Qelisayer"),
    (1010, "Atlantean"),
    (1036, "Aurek-Besh"),
    (1062, "Avesta"),
    (1088, "Ge ez"),
    (1114, "Glagolitic"),
    (1159, "Gurmukhi"),
    (1204, "Kannada"),
    (1245, "Keble"),
    (1271, "Malayalam"),
    (1318, "Manipuri"),
    (1358, "Mongolian"),
    (1388, "Old Church Slavonic (Cryllic)"),
    (1433, "Oriya"),
    (1479, "Syriac (Serto)"),
    (1502, "Sylheti"),
    (1530, "Tengwar"),
    (1555, "Tibetan"),
    (1597, "ULOG"),
)
