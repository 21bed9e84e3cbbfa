"""A person imports somebody else's result, has it resized, and goes to the worst frame."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cyclevos.app.projects.doubt import review_list


def files_of(masks):
    for index, mask in enumerate(masks):
        data = io.BytesIO()
        Image.fromarray(mask).save(data, format="PNG")
        yield {"name": f"shot_{index:03d}.png", "mimeType": "image/png", "buffer": data.getvalue()}


def test_pictures_of_another_size_become_the_tracked_masks(editor):
    masks = [np.zeros((48, 80), np.uint8) for _ in range(10)]
    for index, mask in enumerate(masks):
        mask[12:32, 6 + 4 * index : 26 + 4 * index] = 2
    page = editor.page
    page.locator("#import-result").click()
    page.locator("#result-files").set_input_files(list(files_of(masks)))
    page.locator("#dialog .primary", has_text="Import").click()
    page.locator("#dialog", has_text="80x48").wait_for()
    page.locator("#dialog .primary", has_text="Resize them").click()
    page.locator(".toast", has_text="Imported the masks of 10 frames.").wait_for()
    page.locator("#objects li", has_text="object 2").wait_for()
    for index, mask in enumerate(masks):
        shown = editor.project.mask(index)
        np.testing.assert_array_equal(shown.ids, mask[::2, ::2])
        assert shown.status == "tracked"

    page.locator("#strip").focus()
    editor.press("n")
    worst = review_list(editor.project)[0]["frame"]
    editor.frame(worst)
    editor.press("a")
    editor.until(lambda: editor.project.mask(worst).status == "accepted")
    editor.press("Control+z", "Control+z")  # the import too
    page.locator("#status", has_text="No mask").wait_for()
    page.locator("#review", has_text="After tracking").wait_for()
    page.locator("#objects", has_text="None yet").wait_for()


def test_an_import_that_fails_before_its_request_is_answered_still_offers_to_resize(server, editor):
    large = [np.kron(mask, np.ones((2, 2), np.uint8)) for mask in 10 * [np.eye(24, 40, dtype=np.uint8)]]
    held = editor.hold("/results?**")
    page = editor.page
    page.locator("#import-result").click()
    page.locator("#result-files").set_input_files(list(files_of(large)))
    page.locator("#dialog .primary", has_text="Import").click()
    editor.until(lambda: len(held) == 1)
    [(route, told)] = held
    job = server.guard.services.queue.get(told.json()["id"])
    editor.until(lambda: job.status == "failed")
    page.locator("#job").wait_for(state="hidden")  # the page has heard of it
    route.fulfill(response=told)
    page.locator("#dialog", has_text="80x48").wait_for()
