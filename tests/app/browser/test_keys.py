"""The list of keys says what the page binds, controls name their keys, and the focus comes back from dialogs."""

from __future__ import annotations

import re

import pytest

_COMBINATIONS = """async () => {
    const { actionOf } = await import('/js/page/shortcuts.js');
    const letters = [...'abcdefghijklmnopqrstuvwxyz'];
    const others = [...'1[]+-=0#?.,/;<>*_ ', 'Home', 'End', 'PageUp', 'PageDown', 'Enter', 'Escape', 'Tab', 'Backspace',
        'Delete', 'F1', 'F2', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'];
    const found = [];
    for (const key of [...letters, ...others]) {
        for (const ctrlKey of [false, true]) for (const altKey of [false, true]) for (const shiftKey of [false, true]) {
            if (shiftKey && key.length === 1 && !letters.includes(key)) continue;  // it is another key then
            if (actionOf(new KeyboardEvent('keydown', { key, ctrlKey, altKey, shiftKey }))) {
                found.push([ctrlKey && 'Ctrl', altKey && 'Alt', shiftKey && 'Shift', key].filter(Boolean));
            }
        }
    }
    return found;
}"""
_SIGNS = {"ArrowLeft": "←", "ArrowRight": "→", " ": "Space", "-": "\u2212", "Escape": "Esc", "1": "1 … 99"}
_GESTURES = {
    *("Click", "Alt click", "Right click", "Double click", "Drag", "Ctrl drag", "Wheel", "Shift wheel"),
    *("Middle button", "Two fingers"),
}
# While something is drawn, or where something has the focus.
_IN_PLACE = {"Tab", "Shift", "Enter", "Backspace", "Delete", "F2", "Alt arrows"}


def _listed(page) -> list[str]:
    return page.locator("#dialog kbd").all_inner_texts()


def _said(keys: list[str]) -> str:
    """A combination as the list says it."""
    *held, key = keys
    if "Ctrl" in held and key.startswith("Arrow"):
        key = "arrows"
    elif len(key) > 1 and not key.startswith("Arrow"):
        held = [each for each in held if each != "Shift"]  # which changes nothing
    return " ".join([*held, _SIGNS.get(key, key.upper() if len(key) == 1 else key)])


@pytest.fixture
def painted(editor, square):
    """One object, which a digit chooses."""
    editor.project.paint(0, square, editor.project.mask(0).tag)
    editor.page.locator("#objects .pick").wait_for()
    return editor


def test_the_list_of_keys_equals_what_the_page_binds(painted):
    bound = {_said(keys) for keys in painted.page.evaluate(_COMBINATIONS)}
    painted.press("?")
    listed = _listed(painted.page)
    assert len(listed) == len(set(listed))  # nothing is listed twice
    assert bound == set(listed) - _GESTURES - _IN_PLACE
    assert set(listed) >= _GESTURES | _IN_PLACE


def test_every_key_that_a_control_names_is_in_the_list(painted):
    page = painted.page
    titles = page.locator("#editor [title]").evaluate_all("(all) => all.map((each) => each.title)")
    named = {
        "#export": "Ctrl+E",
        "#open-history": "H",
        "#undo": "Ctrl+Z",
        "#redo": "Ctrl+Shift+Z",
        "#play": "Space",
        "#accept": "A",
        "#add-object": "M",
        "#track-both": "Shift+T",
        "#next-review": "N",
        "#tab-surgery": "S",
        "#tab-islands": "Shift+K",
        "#tool-point": "C",
        "#job-cancel": "Esc",
    }
    for place, key in named.items():
        assert f"({key}" in page.locator(place).get_attribute("title"), place
    painted.press("?")
    listed = set(_listed(page)) | {"Left", "Right"}  # drawn as arrows there
    keys = {key for title in titles for key in re.findall(r"\(((?:Ctrl\+|Shift\+)*[A-Z0-9?][A-Za-z]*)\)$", title)}
    assert len(keys) > 20
    assert {key.replace("+", " ") for key in keys} <= listed


def test_the_focus_comes_back_from_a_dialog_and_keys_work_at_once(painted):
    page = painted.page
    focused = "document.activeElement.id"
    page.locator("#preferences").focus()
    painted.press("Enter")
    page.locator("#dialog[open]").wait_for()
    painted.press("Escape")
    assert page.evaluate(focused) == "preferences"
    page.get_by_role("button", name="Delete object 1").focus()
    painted.press("Enter")
    page.locator("#dialog").get_by_role("button", name="Delete").focus()
    painted.press("Enter")
    page.locator("#objects .empty-note").wait_for()
    painted.press("ArrowRight")
    painted.frame(1)


def test_a_key_opens_each_edit_and_the_keys_of_the_page_go_on(painted):
    page = painted.page
    for key, tab in (("s", "surgery"), ("k", "edges"), ("Shift+k", "islands")):
        painted.press(key)
        page.locator(f"#tab-{tab}[aria-pressed=true]").wait_for()
    painted.press("ArrowRight")
    painted.frame(1)
    painted.press("Tab")
    assert (
        page.locator("#edits").get_by_label("Object", exact=True).evaluate("(each) => each === document.activeElement")
    )
    painted.press("Escape")
    page.locator("#review-panel").wait_for()
    assert page.evaluate("document.activeElement.id") == "canvas"
