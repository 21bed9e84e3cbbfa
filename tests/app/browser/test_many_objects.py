"""Thirty objects: the list scrolls, digits and a search choose, long names are cut; and the preferences."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cyclevos.app.projects.project_file import ObjectInfo

_LONG = "the cyclist in the second row who overtakes the others"


@pytest.fixture
def crowd(editor):
    infos = [ObjectInfo(id=k, name=_LONG if k == 2 else f"person {k}") for k in range(1, 31)]
    editor.project.change(lambda file: setattr(file, "objects", infos))
    editor.page.locator("#objects .pick").nth(29).wait_for()
    return editor


def _inside(inner: dict[str, float], outer: dict[str, float]) -> bool:
    across = outer["x"] <= inner["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
    return across and outer["y"] - 1 <= inner["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 1


def test_two_digits_choose_and_the_chosen_object_is_in_view(crowd):
    page = crowd.page
    objects, active = page.locator("#objects"), page.locator("#objects li.active")
    crowd.press("2", "4")
    active.get_by_text("person 24").wait_for()
    assert _inside(active.bounding_box(), objects.bounding_box())
    page.wait_for_timeout(600)
    crowd.press("1", "0")
    active.get_by_text("person 10").wait_for()
    page.wait_for_timeout(600)
    crowd.press("3")
    active.get_by_text("person 3").wait_for()
    assert _inside(active.bounding_box(), objects.bounding_box())


def test_a_long_name_is_cut_and_its_controls_stay(crowd):
    page = crowd.page
    row, side = page.locator("#objects li").nth(1), page.locator(".side").bounding_box()
    assert _LONG in row.locator(".pick").get_attribute("title")
    for button in row.get_by_role("button").all():
        assert _inside(button.bounding_box(), side)
    assert row.bounding_box()["height"] < 40


def test_names_stand_beside_their_rows_on_the_strip(crowd):
    names = [name.bounding_box() for name in crowd.page.locator("#row-names span").all()]
    strip = crowd.page.locator("#strip").bounding_box()
    assert [round(b["y"] - a["y"]) for a, b in pairwise(names)] == [14] * 29
    assert all(each["x"] + each["width"] <= strip["x"] for each in names)


def test_a_name_is_searched_for_and_enter_chooses_it(crowd):
    page = crowd.page
    page.locator("#object-search").fill("SON 17")
    crowd.until(lambda: page.locator("#objects .pick").count() == 1)
    crowd.press("Enter")
    page.locator("#objects li.active", has_text="person 17").wait_for()
    assert page.locator("#objects .pick").count() == 30
    crowd.press("2")  # the keys are shortcuts again
    page.locator("#objects li.active", has_text=_LONG).wait_for()
    assert page.locator("#object-search").input_value() == ""


def test_colours_for_the_colour_blind_are_a_preference_of_the_page(editor, square):
    page, project = editor.page, editor.project
    project.paint(0, square, project.mask(0).tag)
    colour = page.get_by_label("Colour of object 1")
    assert colour.input_value() == project.file.palette[1]
    project.change(lambda file: file.palette.__setitem__(1, "#123456"))
    page.locator("#objects input[value='#123456']").wait_for()
    page.get_by_role("button", name="Preferences").click()
    page.get_by_label("Colours for the colour-blind").check()
    editor.press("Escape")
    page.locator("#objects input[value='#f4511e']").wait_for()
    assert colour.is_disabled()
    page.reload()
    page.locator("#objects input[value='#f4511e']").wait_for()
    assert project.file.palette[1] == "#123456"  # exports keep it
    assert np.array_equal(project.mask(0).ids, square)
