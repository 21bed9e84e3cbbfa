"""What axe-core finds on the page, and that the keyboard reaches everything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_PLACES = (Path(sys.prefix), Path(__file__).resolve().parents[3] / ".venv")


@pytest.fixture(scope="module")
def axe() -> str:
    """The program of axe-core, fetched by the set-up of the tests where npm is there."""
    for place in _PLACES:
        program = place / "node_modules" / "axe-core" / "axe.min.js"
        if program.is_file():
            return program.read_text()
    pytest.skip("axe-core is not installed: npm install --prefix .venv axe-core")


@pytest.fixture
def findings(axe):
    """Ids and places of what is serious or critical."""

    def find(page) -> list[tuple[str, str]]:
        page.evaluate(axe)
        results = page.evaluate("axe.run({resultTypes: ['violations']})")
        found, passed = results["violations"], {rule["id"] for rule in results["passes"]}
        assert {"color-contrast", "button-name"} <= passed  # it did look
        return [
            (violation["id"], node["html"])
            for violation in found
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return find


def test_axe_finds_nothing_serious_in_light_and_dark(server, editor, findings):
    page = editor.page

    def both() -> list[tuple[str, str]]:
        found = []
        for theme in ("dark", "light"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            found += findings(page)
        return found

    editor.brush(6)
    editor.drag((5, 8), (11, 8))
    editor.press("t")
    editor.tracked()
    page.locator("#settings summary").click()
    page.locator("#view").select_option("onion")
    page.locator("#view-legend").wait_for()
    assert both() == []
    page.get_by_role("button", name="Preferences").click()
    page.get_by_label("Colours for the colour-blind").wait_for()
    assert both() == []
    editor.press("Escape", "?")
    page.locator("#dialog[open]").wait_for()
    title, box = (page.locator(name).bounding_box() for name in ("#dialog-title", "#dialog"))
    assert title["y"] > box["y"]  # a long list begins with its first line
    assert both() == []
    editor.press("Escape")
    for tab in ("objects", "edges", "islands"):
        page.locator(f"#open-{tab}").click()
        page.locator("#edits").wait_for()
        assert both() == []
    editor.press("Escape", "Control+e")
    page.get_by_label("Overlay video").wait_for()
    assert both() == []
    page.goto(server.address)
    page.get_by_role("link", name="clip").wait_for()
    assert both() == []


def test_the_tab_key_reaches_every_control(editor):
    page = editor.page
    wanted = page.locator("#editor").evaluate(
        """(editor) => [...editor.querySelectorAll('button, input, a, select, summary, [tabindex="0"]')]
            .filter((e) => !e.disabled && e.checkVisibility()).length"""
    )
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(wanted + 5):
        editor.press("Tab")
        where = "(e => e && e !== document.body ? [...document.querySelectorAll('*')].indexOf(e) : -1)"
        reached.add(page.evaluate(f"{where}(document.activeElement)"))
    assert len(reached - {-1}) == wanted


def test_the_page_fits_into_1280_by_720(editor):
    assert editor.page.evaluate("document.documentElement.scrollWidth <= 1280")
    box = editor.page.locator("#canvas").bounding_box()
    assert box["width"] > 900
    assert box["height"] > 450
    for control in ("#export", "#track-forward", "#accept", "#strip"):
        place = editor.page.locator(control).bounding_box()
        assert place["x"] + place["width"] <= 1280
        assert place["y"] + place["height"] <= 720
