"""Adapting the network to the video from the settings of tracking."""

from __future__ import annotations

from cyclevos.adaptation.settings import PRESETS, Adaptation


def test_the_panel_adapts_the_network_says_which_one_tracks_and_goes_back(editor, monkeypatch):
    monkeypatch.setitem(
        PRESETS, "default", Adaptation(steps=2, rate=1e-3, size=None, gap=4, least_area=1e-6, guard=False)
    )
    page, says = editor.page, editor.page.locator("#adapt-says")
    panel, settings = page.locator("#adapt"), page.locator("#settings-open")
    settings.click()
    panel.get_by_text("experimental", exact=True).wait_for()
    says.get_by_text(
        "Takes as long as tracking about 60 frames. Then track again and compare in History (H)."
    ).wait_for()
    editor.brush(8)
    editor.drag((8, 12), (14, 12))
    editor.press("t")
    editor.tracked()

    assert page.locator("#adapted-says").is_hidden()
    settings.click()
    panel.get_by_role("button", name="Adapt to this video").click()
    page.locator(".toast", has_text="Adapted; its loss went from").wait_for()
    says.get_by_text("Tracking uses the network adapted in 2 steps (experimental).").wait_for()
    editor.dismiss()
    page.locator("#adapted-says").wait_for()
    editor.press("t")
    editor.tracked()
    editor.press("h")
    page.locator("#dialog", has_text="Track forward, adapted network, ").wait_for()
    editor.press("Escape")

    editor.go(5)
    editor.drag((20, 4), (24, 4))
    settings.click()
    says.get_by_text("1 frame marked since.").wait_for()
    panel.get_by_role("button", name="Adapt further").wait_for()
    panel.get_by_role("button", name="Use the network as it was").click()
    says.get_by_text("Tracking uses the network as it was.").wait_for()
    assert editor.project.file.adapted is False
    panel.get_by_role("button", name="Adapt anew").wait_for()
    page.reload()
    settings.click()
    panel.get_by_role("button", name="Use the adapted network").click()
    says.get_by_text("Tracking uses the network adapted in 2 steps (experimental).").wait_for()
    assert editor.project.file.adapted is True
