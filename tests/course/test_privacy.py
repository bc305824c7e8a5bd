"""What is private is found with its line, and what only looks private is left alone.

Addresses and numbers are put together at run time: this file must pass the search it tests.
"""

import string
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.course import addresses, privacy
from common.course.privacy import find_private, fold

AT = "@"
NUMBER = "219" + "45678"
LETTERED = "b" + NUMBER
ADDRESS = "ada" + AT + "example.org"


def kinds(text, known=()):
    return [private.kind for private in find_private(text, known)]


@pytest.mark.parametrize(
    "text",
    [
        f"write to {ADDRESS}.",
        f"<{ADDRESS}>",
        f"[mail](mailto:{ADDRESS})",
        "mailto:ada%40" + "example.org",
        "ada&#64;" + "example.com",
        ADDRESS.upper(),
        "ayşe.yılmaz" + AT + "örnek.edu.tr",
        "ayşe" + AT + "bölüm.example.edu.tr, and more",
        "ada" + AT + "cs.example.de",
        "ada" + AT + "163.com",
        f"{ADDRESS}.Then a sentence",
        "ada\u200b" + AT + "example.org",
        "ada " + AT + " example.edu",
        "ada at example" + " dot edu",
        "ada [at] example" + " [dot] edu",
        "ada (at) example" + ".edu",
        "ada{at}example" + "{dot}edu",
        "ada AT example" + ".edu",
        "ada et" + " example nokta edu nokta tr",
        "ada" + AT + "example" + " dot edu",
    ],
)
def test_an_address_is_found(text):
    assert kinds(text) == [privacy.EMAIL]


@pytest.mark.parametrize(
    "text",
    [
        "git" + AT + "github.com:course/models.git",
        "uses: actions/checkout" + AT + "v4",
        "package" + AT + "1.2.dev",
        "chart.js" + AT + "3.9.1/dist",
        "@torch.no_grad()",
        "@property",
        "y = x @ w.T",
        "y = x" + AT + "w.T",
        "y = x" + AT + "w.mT",
        "y = x" + AT + "self.weight",
        "h" + AT + "self.w.is",
        "y = x" + AT + "w.to(device)",
        "y = x" + AT + "layer.weight.mean()",
        "https://medium.com/@ada.lovelace",
        "look at arxiv.org, or at example.com",
    ],
)
def test_what_is_no_address_is_left_alone(text):
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        f"student number: {NUMBER}",
        f"Student No {NUMBER}",
        f"student_id = {NUMBER}",
        f"Student ID: N{NUMBER}",
        f"öğrenci numarası: {NUMBER}",
        f"ÖĞRENCİ NO: {NUMBER}",
        f"Ogrenci no. {NUMBER}",
        f"numaram {NUMBER}",
        f"matriculation number {NUMBER}",
        f"Matrikelnummer {NUMBER}",
        f"roll no. {NUMBER}9",
        f"ID: {NUMBER}",
        f"Ada Lovelace, no: {NUMBER}",
        f"Student number:\n\n{NUMBER}",
        f"homework_{LETTERED}.ipynb",
        f"by {LETTERED.upper()}",
        "N" + "19139" + "634",
    ],
)
def test_a_student_number_is_found(text):
    assert kinds(text) == [privacy.STUDENT_NUMBER]


@pytest.mark.parametrize(
    "text",
    [
        "arXiv:1502.03509v2",
        "doi:10.5281/zenodo.12345678",
        "Zenodo ID 12345678",
        "seed 12345678",
        "seed number 12345678",
        "SLURM job id 12345678",
        "dataset_id = 12345678",
        '"id": "12345678"',
        "run no. 12345678",
        "commit b21945678 is the one",
        "n02102040, n15075141: classes of ImageNet",
        "https://example.org/commit/b21945678",
        "ab219456789f",
        "ISBN 9780262018029",
        "ORCID 0000-0002-1825-0097",
        "20260211",
        "the student network has 11689512 parameters, its teacher 60192808",
        "number of parameters: 12345678",
        "60000000 images",
        "1e+10 1000 1000 and [+0.123 456 789 012]",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert kinds(text) == []


def test_a_table_of_student_numbers_is_found_row_by_row_until_it_ends():
    table = f"| Name | Student No |\n|---|---|\n| A | {NUMBER} |\n| B | {NUMBER[:-1]}9 |\n\n| x | {NUMBER} |"
    assert [private.line for private in find_private(table)] == [3, 4]


def test_several_numbers_in_a_line_are_all_found():
    text = f"student numbers {NUMBER}, {NUMBER[:-1]}0 and {NUMBER[:-1]}1"
    assert len(find_private(text)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "grade" + ": 87/100",
        "**Grade:**" + " 87 / 100",
        "her grade" + " was 87/100",
        "Final grade" + ": 87",
        "final_grade" + " = 87.5",
        "grade" + ": BA",
        "notu" + ": 87/100",
    ],
)
def test_a_grade_is_found(text):
    assert kinds(text) == [privacy.GRADE]


@pytest.mark.parametrize(
    "text",
    [
        "degrade: 5",
        "upgrade = 3",
        "grade = compute(x)",
        "score: 8/10",
        "grade: Any",
        "a grade of 3",
    ],
)
def test_what_is_no_grade_is_left_alone(text):
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "+90 312 297 " + "7500",
        "+90 (312) 297-" + "7500",
        "+90532" + "1234567",
        "0532 123 " + "45 67",
        "0532" + "1234567",
        "tel: (312) 297 " + "75 00",
    ],
)
def test_a_phone_number_is_found(text):
    assert kinds(text) == [privacy.PHONE]


def test_an_identity_number_is_found():
    assert kinds("T.C. Kimlik No: 12345" + "678901") == [privacy.IDENTITY_NUMBER]


@pytest.mark.parametrize(
    "text",
    [
        "İsmail Işık wrote this",
        "ISMAIL ISIK",
        "ismail_ışık.py",
        "**İsmail**  **Işık**",
        "by ismail\nisik",
    ],
)
def test_a_roster_entry_is_found_whatever_its_case_and_accents(text):
    assert kinds(text, ["İsmail Işık"]) == [privacy.KNOWN]


def test_a_roster_entry_is_a_whole_word_and_has_its_line():
    assert find_private("Adamant\nsadas\nan ada", ["Ada"]) == [
        privacy.Private(3, privacy.KNOWN, "Ada")
    ]
    assert find_private("Ada, who met the Countess of Lovelace", ["Ada Lovelace"]) == []
    assert find_private("anything", ["", "  ", "--"]) == []


def test_lines_are_counted_as_editors_count_them():
    text = f"one\r\ntwo {ADDRESS}\r\n\r\nÖğrenci no: {NUMBER}\r\n"
    assert [private.line for private in find_private(text)] == [2, 4]


def test_a_masked_text_does_not_tell():
    (private,) = find_private(ADDRESS)
    assert private.masked.startswith("ad*")
    assert "example" not in private.masked


def test_the_tree_itself_is_clean():
    """This file and the module that searches: both speak of addresses and neither has one."""
    for path in (Path(__file__), Path(privacy.__file__), Path(addresses.__file__)):
        assert find_private(path.read_text(encoding="utf-8")) == []


def test_fold_makes_one_letter_of_the_four_turkish_ones():
    assert fold("IıİiŞşĞğÇçÖöÜü") == "iiiissggccoouu"


@settings(max_examples=60, deadline=None)
@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_is_searched_without_an_error(text, known):
    lines = text.count("\n") + 1
    assert all(1 <= private.line <= lines for private in find_private(text, known))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(string.ascii_lowercase + " .,;()", max_size=30), max_size=6),
    st.text(string.ascii_lowercase + "çğıöşü", min_size=2, max_size=12),
)
def test_a_planted_address_is_found_on_its_line(lines, name):
    text = "\n".join([*lines, f"{name}{AT}example.org", *lines])
    assert len(lines) + 1 in [private.line for private in find_private(text)]


@pytest.mark.parametrize(
    "piece", ["a", "1", " ", "a.b-", "student ", "|student no|\n", "id 1234 ", "at dot ", "+1 (2"]
)
def test_time_grows_no_faster_than_the_text(piece):
    text = piece * (200_000 // len(piece))
    start = time.process_time()
    find_private(text, ["Ada Lovelace"])
    assert time.process_time() - start < 2  # 0.1 s; a quadratic search takes minutes


@pytest.mark.parametrize("mark", [" ", "-", ".", "/", "\u00a0"])
def test_a_known_number_is_found_in_groups(mark):
    text = f"one\n1{mark}{NUMBER[:3]}{mark}{NUMBER[3:]}{mark}7"
    assert privacy.find_spaced(text, {NUMBER}) == [privacy.Private(2, privacy.KNOWN, NUMBER)]
    assert privacy.find_spaced(f"{NUMBER[:3]}\n{NUMBER[3:]} {NUMBER[:-1]}", {NUMBER}) == []


@pytest.mark.parametrize("piece", ["1 ", "1", "12-", "a1 "])
def test_the_search_for_groups_takes_linear_time(piece):
    start = time.process_time()
    privacy.find_spaced(piece * 50_000, {NUMBER})
    assert time.process_time() - start < 2
