"""The export dialog offers what the server can make, and says what a format cannot hold."""

from __future__ import annotations

import zipfile

import pytest

from cyclevos.exchange.formats import APP, offered


def test_the_dialog_lists_the_formats_of_the_server_and_reports_losses(server, clip, new_page):
    person = new_page()
    page = person.page
    page.goto(server.address)
    page.get_by_label("Path of a video or a folder of frames").fill(str(clip))
    page.get_by_role("button", name="Open").click()
    person.frame(0)
    person.brush(6)
    person.drag((5, 8), (11, 8), (11, 13), (5, 13))
    page.get_by_role("button", name="Export").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Overlay video").wait_for()
    assert not dialog.get_by_label("MOTS text").is_visible(), "only what to look at is listed at once"
    for heading in ("For annotation tools and training", "For editors and the web"):
        dialog.get_by_text(heading).click()
    boxes = dialog.get_by_role("checkbox").all()
    ticked = {box.get_attribute("value"): box.is_checked() for box in boxes}
    assert ticked == {each.name: each.preselected for each in offered(APP)}
    for box in boxes:
        box.set_checked(box.get_attribute("value") == "mots")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Export").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["mots.txt"]
    page.get_by_text("MOTS text has no place for the names of the objects").wait_for()


@pytest.mark.parametrize("size", [(1280, 720), (853, 480)])
def test_its_buttons_stay_in_sight_and_it_shows_no_markup(editor, size):
    page, dialog = editor.page, editor.page.locator("#dialog")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    editor.press("Control+e")
    for heading in dialog.locator("summary").all():
        heading.click()
    assert dialog.evaluate("(box) => box.scrollHeight > 2 * box.clientHeight")
    button = dialog.get_by_role("button", name="Export")
    for place in ("0", "box.scrollHeight"):
        dialog.evaluate(f"(box) => box.scrollTo(0, {place})")
        box = button.bounding_box()
        at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).textContent", at) == "Export"
    assert dialog.locator("code", has_text="data.yaml").count() == 1
    assert "`" not in dialog.inner_text()
