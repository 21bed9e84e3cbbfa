"""The work of a person, from opening a video to the masks on disk."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import Image

import cyclevos
from cyclevos.app.projects.demos import DEMO
from cyclevos.app.projects.doubt import review_list
from cyclevos.app.projects.project_file import ObjectInfo
from cyclevos.pictures.mask_files import read_mask


def test_open_paint_track_look_fix_accept_export(server, clip, new_page, lively_network):
    person = new_page()
    page = person.page
    page.goto(server.address)
    page.get_by_label("Path of a video or a folder of frames").fill(str(clip))
    page.get_by_role("button", name="Open").click()
    person.frame(0)
    project = server.project("clip")

    person.brush(6)
    person.drag((5, 8), (11, 8), (11, 13), (5, 13))
    painted = project.masks.read(0).ids.copy()
    assert painted[8, 8] == 1
    person.press("t")
    person.tracked()
    assert project.masks.tracked == frozenset(range(10))
    result = [p.ids for p in cyclevos.segment(lively_network, clip, {0: painted})]
    assert all(np.array_equal(project.masks.read(index).ids, ids) for index, ids in enumerate(result))

    page.locator("#review button").first.wait_for()
    worst = review_list(project)[0]["frame"]
    person.press("Home", "n")
    person.frame(worst)
    person.press("a")
    page.locator("#status", has_text="Accepted").wait_for()
    accepted = project.masks.read(worst).ids.copy()

    fixed = 2 if worst != 2 else 3
    person.go(fixed)
    person.brush(4)
    person.drag((30, 20), (36, 20))
    corrected = project.masks.read(fixed).ids.copy()
    assert corrected[20, 33] == 1
    page.get_by_role("button", name="Track forward").click()
    person.tracked()
    assert np.array_equal(project.masks.read(worst).ids, accepted)
    given = {0: painted, worst: accepted, fixed: corrected}
    shown = {p.index: p.ids for p in cyclevos.segment(lively_network, clip, given)}
    assert all(np.array_equal(project.masks.read(index).ids, ids) for index, ids in shown.items())

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.locator("#dialog").get_by_role("button", name="Export").click()
    packed = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    assert {"reliability.csv", "overlay.mp4"} <= set(packed.namelist())
    for index, ids in shown.items():
        name = next(name for name in packed.namelist() if name == f"shot_{index:03d}.png")
        with Image.open(io.BytesIO(packed.read(name))) as image:
            assert image.mode == "P"
            assert np.array_equal(np.array(image), ids)


def test_a_demo_clip_opens_with_its_ready_mask_and_is_found_again(server, new_page):
    person = new_page()
    page = person.page
    page.goto(server.address)
    page.get_by_role("button", name="Car shadow").click()
    person.frame(0)
    page.get_by_role("button", name="Use a ready mask").click()
    page.locator("#objects .pick").wait_for()
    expected = read_mask(DEMO / "car-shadow.png").ids
    person.until(lambda: np.array_equal(server.project("car-shadow").masks.read(0).ids, expected))
    page.get_by_role("link", name="All projects").click()
    page.get_by_role("link", name="Car shadow").click()
    person.frame(0)
    assert page.locator("#status").inner_text() == "Painted"


def test_an_upload_becomes_a_project(server, new_page):
    person = new_page()
    person.page.goto(server.address)
    person.page.get_by_role("heading", name="cyclevos").wait_for()
    person.page.locator("#upload").set_input_files(DEMO / "bmx-trees.mp4")
    person.frame(0)
    assert server.project("bmx-trees").source.size == (480, 854)


def test_what_is_no_video_is_refused_in_words(server, new_page, tmp_path):
    person = new_page()
    person.page.goto(server.address)
    person.page.get_by_role("heading", name="cyclevos").wait_for()
    (tmp_path / "words.txt").write_text("no video")
    person.page.locator("#upload").set_input_files(tmp_path / "words.txt")
    person.page.locator("#upload-failed", has_text="Choose one of").wait_for()
    person.page.get_by_label("Path of a video").fill("/etc")
    person.page.get_by_role("button", name="Open").click()
    person.page.locator(".toast", has_text="outside the folders").wait_for()


def test_stopping_keeps_what_is_done_and_tracking_goes_on_from_there(editor, go_on):
    person, project = editor, editor.project
    person.brush(8)
    person.drag((6, 10), (10, 10))
    person.press("t")
    person.until(lambda: 4 in project.masks.tracked)
    person.page.locator("#job-figures", has_text="of 10").wait_for()
    with person.page.expect_response("**/jobs/*"):
        person.page.get_by_role("button", name="Stop").click()
    go_on.set()
    person.page.locator(".toast", has_text="Stopped").wait_for()
    assert project.masks.tracked == frozenset(range(5))
    person.press("t")
    person.page.locator(".toast", has_text="Tracked 5 frames").wait_for()
    assert project.masks.tracked == frozenset(range(10))


def test_the_wheel_over_the_rows_scrolls_where_they_do_not_all_fit(editor):
    page, project = editor.page, editor.project

    def wait(condition: str) -> None:
        editor.until(lambda: page.locator(".strip-box").evaluate(f"(box) => {condition}"))

    for k in range(2, 16):
        project.change(lambda file, k=k: file.objects.append(ObjectInfo(id=k, name=f"object {k}")))
    wait("box.scrollHeight > box.clientHeight + 40")
    box = page.locator("#strip").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 70)
    page.mouse.wheel(0, 60)
    wait("box.scrollTop > 0")
    editor.frame(0)
    page.locator(".strip-box").evaluate("(box) => box.scrollTo(0, 0)")
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10)
    page.mouse.wheel(0, 60)
    editor.frame(1)


def test_keys_wheel_and_drag_move_through_the_frames(editor):
    person, page = editor, editor.page
    person.press("ArrowRight")
    person.frame(1)
    person.press("End")
    person.frame(9)
    person.press("Shift+ArrowLeft")
    person.frame(0)
    box = page.locator("#strip").bounding_box()
    y = box["y"] + 10
    page.mouse.move(box["x"] + 0.55 * box["width"], y)
    page.mouse.down()
    person.frame(5)
    page.mouse.move(box["x"] + 0.85 * box["width"], y)
    person.frame(8)
    page.mouse.up()
    page.mouse.wheel(0, -100)
    person.frame(7)
    assert page.locator("#frame").input_value() == "7"
    person.press("Home", "Space")
    person.frame(9)  # played to the end
