"""Names from a user's words: valid and distinct on every system."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.files.names import distinct_names, safe_name

RESERVED = (
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"),
)


def assert_valid(name):
    """What Windows, macOS and Linux ask of a name."""
    assert name
    assert not set(name) & set('<>:"/\\|?*')
    assert all(ord(sign) >= 32 and ord(sign) != 127 for sign in name)
    assert name[-1] not in " ."
    assert name[0] not in " ."
    assert name.split(".")[0].rstrip(" ").lower() not in RESERVED
    assert len(name.encode()) <= 255
    assert len(name.encode("utf-16-le")) <= 2 * 255
    assert unicodedata.normalize("NFC", name) == name


@pytest.mark.parametrize("name", ["shot_001", "Käse 1", "a.b.c", "console", "com10", "com", "猫", "x" * 120])
def test_a_valid_name_stays(name):
    assert safe_name(name) == name


@pytest.mark.parametrize("text", ["CON", "con.png", "Aux .tar.gz", "nul.", "COM1", "lpt\u00b2.txt", "CONOUT$"])
def test_names_of_devices_are_changed(text):
    assert_valid(safe_name(text))
    assert "_" in safe_name(text)


@pytest.mark.parametrize("text", ["", " ", "...", ". .", "\ud800"])
def test_of_nothing_the_fallback_is_left(text):
    assert_valid(safe_name(text, "clip"))
    assert safe_name(text, "clip") in {"clip", "_"}


def test_a_folder_cannot_be_left():
    assert safe_name("../../etc/passwd") == "_.._etc_passwd"


@given(st.text(max_size=400))
def test_every_name_is_valid_and_stays_when_it_is_made_again(text):
    name = safe_name(text)
    assert_valid(name)
    assert safe_name(name) == name


@given(st.lists(st.text(alphabet="aAbB\u00e4\u00c4 .:/", max_size=4), max_size=12))
def test_names_differ_where_case_does_not_count(texts):
    names = distinct_names(texts)
    assert len(names) == len(texts)
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert_valid(name)


def test_long_names_stay_apart():
    names = distinct_names(["\u00e4" * 300] * 3)
    assert len(set(names)) == 3
    assert max(len(name.encode()) for name in names) <= 120


def test_a_name_made_by_counting_does_not_meet_a_given_one():
    assert distinct_names(["a", "A", "a-2", "a"]) == ["a", "A-2", "a-2-2", "a-3"]
