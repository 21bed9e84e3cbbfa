"""What axe-core finds on the page, and that the keyboard reaches everything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_PLACES = (Path(sys.prefix), Path(__file__).resolve().parents[3] / ".venv")
_COLOURS = ["color-contrast", "link-in-text-block"]  # the rules of axe that look at colours, all that a theme changes
_FIND = """async (rules) => {
    const only = rules ? { runOnly: { type: 'rule', values: rules } } : {};
    const { violations, passes } = await axe.run({ resultTypes: ['violations'], ...only });
    const grave = violations.filter(({ impact }) => ['moderate', 'serious', 'critical'].includes(impact));
    const found = grave.flatMap(({ id, nodes }) => nodes.map(({ html }) => [id, html]));
    return { found, passed: passes.map(({ id }) => id) };
}"""


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
    """Rules and places of what is moderate, serious or critical, in light and in dark."""

    def find(page) -> list[list[str]]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(axe)
        found = []
        for theme, rules in (("dark", _COLOURS), ("light", None)):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
            results = page.evaluate(_FIND, rules)
            looked = {"color-contrast"} if rules else {"color-contrast", "button-name"}
            assert looked <= {*results["passed"]}, "it did look"
            found += results["found"]
        return found

    return find


def test_axe_finds_nothing_of_weight_in_light_and_dark(editor, findings):
    page = editor.page

    editor.brush(6)
    editor.drag((5, 8), (11, 8))
    editor.press("t")
    editor.tracked()
    page.locator("#view").select_option("onion")
    page.locator("#view-legend").wait_for()
    assert findings(page) == []
    for popover in ("plan", "settings"):
        page.locator(f"#{popover}-open").click()
        page.locator(f"#{popover}").wait_for()
        assert findings(page) == []
        editor.press("Escape")
    page.get_by_role("button", name="Preferences").click()
    page.get_by_label("Colours for the colour-blind").wait_for()
    assert findings(page) == []
    editor.press("Escape", "?")
    page.locator("#dialog[open]").wait_for()
    title, box = (page.locator(name).bounding_box() for name in ("#dialog-title", "#dialog"))
    assert title["y"] > box["y"]  # a long list begins with its first line
    assert findings(page) == []
    for key, title in (("h", "History"), ("Control+e", "Export")):
        editor.press("Escape", key)
        page.locator("#dialog-title", has_text=title).wait_for()
        assert findings(page) == []
    editor.press("Escape")
    page.locator("#import-result").click()
    page.locator("#dialog-title", has_text="Import the masks of all frames").wait_for()
    assert findings(page) == []
    editor.press("Escape")
    page.locator("#forget").click()
    page.locator(".toast", has_text="Cleared").wait_for()
    editor.press("ArrowRight", "g")
    page.locator("#asked", has_text="is gone").wait_for()
    assert findings(page) == []
    for tab in ("surgery", "edges", "islands"):
        page.locator(f"#tab-{tab}").click()
        page.locator("#edits").wait_for()
        assert findings(page) == []
    editor.press("Escape", "h")
    page.get_by_role("button", name="Look at what was before").wait_for()
    assert findings(page) == []
    page.get_by_role("button", name="Look at what was before").click()
    page.locator("#look").get_by_role("button", name="Difference").click()
    page.locator("#legend", has_text="Overlap of then and now").wait_for()
    assert findings(page) == []
    editor.press("Escape")
    page.set_viewport_size({"width": 853, "height": 480})
    assert findings(page) == []


def test_axe_finds_nothing_on_the_list_of_projects(server, clip, square, new_page, findings):
    workspace = server.guard.services.workspace
    projects = [workspace.add(clip)["id"] for _ in range(10)]
    opened = workspace.get(projects[0])
    opened.paint(0, square, opened.mask(0).tag)
    workspace.duplicate(projects[0])
    workspace.delete(projects[1])
    (workspace.folder(projects[2]) / "project.json").write_text("{broken")
    page = new_page().page
    page.goto(server.address)
    page.locator("#projects img").first.wait_for()
    page.get_by_role("checkbox").first.check()
    page.get_by_text("Deleted (1)").click()
    assert findings(page) == []
    page.get_by_role("button", name="More for clip copy").click()
    page.get_by_role("button", name="Rename", exact=True).wait_for()
    assert findings(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Track these one after another").click()
    page.locator("#batch-list .progress").wait_for()
    assert findings(page) == []


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
    assert box["height"] > 430
    for control in ("#export", "#track-forward", "#accept", "#strip"):
        place = editor.page.locator(control).bounding_box()
        assert place["x"] + place["width"] <= 1280
        assert place["y"] + place["height"] <= 720
