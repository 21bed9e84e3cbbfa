"""The list of projects as a person uses it: rename, copy, delete, undo, search, several at once."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cyclevos.app.projects.demos import DEMO


@pytest.fixture
def workspace(server):
    return server.guard.services.workspace


@pytest.fixture
def start(server, new_page):
    """A page that shows the list."""

    def show():
        person = new_page()
        person.page.goto(server.address)
        person.page.locator("#projects li").first.wait_for()
        return person

    return show


def names(page) -> list[str]:
    return page.locator("#projects strong").all_text_contents()


def pick(page, name: str, action: str) -> None:
    """Choose what to do with a project, by keys alone."""
    wanted = page.get_by_role("button", name=action, exact=True)
    for _ in range(3):  # a list that is shown again meanwhile closes the menu
        page.get_by_role("button", name=f"More for {name}", exact=True).focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        if wanted.is_visible():
            break
    wanted.focus()
    page.keyboard.press("Enter")


def test_a_project_is_renamed_copied_deleted_and_brought_back(workspace, clip, start, square):
    project = workspace.create(clip)
    project.paint(3, square, project.mask(3).tag)
    page = start().page
    pick(page, "clip", "Rename")
    page.keyboard.type("Blue car")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Blue car").wait_for()
    assert project.file.name == "Blue car"

    pick(page, "Blue car", "Duplicate")
    page.get_by_role("link", name="Blue car copy").wait_for()
    pick(page, "Blue car", "Delete")
    page.locator(".toast", has_text="Deleted Blue car.").wait_for()
    page.locator("#projects strong", has_text="copy").wait_for()
    assert names(page) == ["Blue car copy"]
    page.locator(".toast").get_by_role("button", name="Undo").press("Enter")
    page.get_by_role("link", name="Blue car 10").wait_for()
    page.locator("#projects :focus").wait_for()  # what is back has the focus
    assert sorted(names(page)) == ["Blue car", "Blue car copy"]
    np.testing.assert_array_equal(workspace.get(project.id).mask(3).ids, square)

    pick(page, "Blue car copy", "Delete")
    page.get_by_text("Deleted (1)").click()
    page.get_by_role("button", name="Remove for good: Blue car copy").click()
    page.locator("#dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Restore: Blue car copy").click()
    page.get_by_role("link", name="Blue car copy").wait_for()
    pick(page, "Blue car copy", "Delete")
    page.get_by_role("button", name="Remove all for good").click()
    page.locator("#dialog").get_by_role("button", name="Remove for good").click()
    page.locator("#deleted").wait_for(state="hidden")
    assert [entry["name"] for entry in workspace.listing()] == ["Blue car"]


def test_many_projects_are_searched_and_put_in_order(workspace, clip, start):
    for number in (10, 2, 1, 33, 4, 5, 6, 7, 8, 9):
        workspace.add(clip, f"Shot {number}")
    page = start().page
    page.get_by_label("Sort by").select_option("name")
    assert names(page)[:4] == ["Shot 1", "Shot 2", "Shot 4", "Shot 5"]
    assert names(page)[-2:] == ["Shot 10", "Shot 33"]
    page.get_by_label("Search projects by name").fill("SHOT 3")
    assert names(page) == ["Shot 33"]
    page.get_by_label("Search projects by name").fill("none of them")
    page.get_by_text("No project has this in its name.").wait_for()
    page.reload()
    page.locator("#projects strong").first.wait_for()
    assert names(page)[:2] == ["Shot 1", "Shot 2"], "the order is kept by the browser"


def test_covers_are_shown_and_what_has_none_says_why(workspace, clip, start, square):
    kept = workspace.create(clip, "Kept")
    kept.paint(0, square, kept.mask(0).tag)
    newer, lost = (workspace.folder(workspace.add(clip, name)["id"]) for name in ("Newer", "Lost"))
    for folder, change in ((newer, {"format": 2, "version": "7.1.0"}), (lost, {"source": "/nowhere/lost.mp4"})):
        path = folder / "project.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    page = start().page
    page.locator("#projects li", has_text="Kept").locator("img").wait_for()
    width = "(image) => image.decode().then(() => image.naturalWidth)"
    assert page.locator("#projects li", has_text="Kept").locator("img").evaluate(width) == 40
    page.locator("#projects li", has_text="Newer").get_by_text("was made by cyclevos 7.1.0 or newer").wait_for()
    assert page.get_by_role("link", name="Newer").count() == 0
    page.locator("#projects li", has_text="Lost").get_by_text("/nowhere/lost.mp4 does not exist").wait_for()


def test_several_videos_become_several_projects_and_a_bad_one_is_named(workspace, start, clip):
    workspace.add(clip)
    page = start().page
    video = (DEMO / "car-shadow.mp4").read_bytes()
    sent = [("One.mp4", video), ("Broken.mp4", video[:20_000]), ("Notes.txt", b"x"), ("Two.mp4", video)]
    page.locator("#upload").set_input_files([{"name": n, "mimeType": "video/mp4", "buffer": data} for n, data in sent])
    page.get_by_text("Made 2 projects.").wait_for()
    assert sorted(entry["name"] for entry in workspace.listing()) == ["One", "Two", "clip"]
    page.get_by_role("link", name="One").wait_for()
    page.get_by_role("link", name="Two").wait_for()
    failed = page.locator("#upload-failed li").all_text_contents()
    assert [text.split(" ", 1)[0] for text in failed] == ["Broken.mp4", "Notes.txt"]
    assert "no frame that can be decoded" in failed[0]
    assert "not a video that this app can read" in failed[1]

    page.locator("#upload").set_input_files({"name": "Three.mp4", "mimeType": "video/mp4", "buffer": video})
    page.wait_for_url("**/?project=three")


def test_ticked_projects_are_tracked_one_after_another_without_the_page(workspace, clip, start, square):
    made = [workspace.create(clip, name) for name in ("First", "Second", "Third")]
    for project in made:
        project.paint(0, square, project.mask(0).tag)
    person = start()
    page = person.page
    for name in ("First", "Second", "Third"):
        page.get_by_role("checkbox", name=f"Tick {name}").check()
    made[1].forget(0)  # in another tab
    page.get_by_role("button", name="Track these one after another").click()
    page.get_by_text("You may close this page.").wait_for()
    page.close()
    person.page = start().page
    person.page.locator("#batch-says", has_text="2 of 3 done, 1 failed.").wait_for()
    row = person.page.locator("#batch-list li", has_text="Second")
    assert "No frame is marked yet." in row.text_content()
    assert made[0].masks.tracked == made[2].masks.tracked == frozenset(range(10))
    for name, said in (("First", "tracked · "), ("Second", "not tracked")):
        person.page.locator("#projects li", has_text=name).get_by_text(said).wait_for()
    person.page.get_by_role("button", name="Dismiss").last.click()
    person.page.locator("#batch").wait_for(state="hidden")


def test_one_of_them_is_stopped_and_then_all(workspace, clip, start, square, go_on):
    for name in ("First", "Second", "Third"):
        project = workspace.create(clip, name)
        project.paint(0, square, project.mask(0).tag)
    page = start().page
    page.get_by_role("button", name="Tick all").click()
    page.get_by_role("button", name="Track these one after another").click()
    page.get_by_text("4 of 10 frames").wait_for()
    page.get_by_role("button", name="Stop Second").click()
    page.locator("#batch-list li", has_text="Second").get_by_text("stopped").wait_for()
    page.get_by_role("button", name="Stop all").click()
    go_on.set()
    page.locator("#batch-says", has_text="0 of 3 done, 3 stopped.").wait_for()
    page.get_by_text("which are kept").wait_for()


def test_a_page_that_shows_a_deleted_project_keeps_its_strokes(server, workspace, editor):
    page = editor.page
    entry = workspace.delete(editor.project.id)
    page.get_by_text("Restore it under Deleted on the start page").first.wait_for()
    editor.brush(6)
    page.mouse.move(*editor.at(5, 8))
    page.mouse.down()
    page.mouse.move(*editor.at(11, 8))
    page.mouse.up()
    page.locator("#not-saved", has_text="was deleted").wait_for()
    page.locator("#reading", has_text="was deleted").wait_for()
    page.locator("#saved", has_text="Not saved").wait_for()  # the app answers, and says why
    workspace.restore(entry)
    page.locator("#saved", has_text="All saved").wait_for()
    assert server.project(editor.project.id).mask(0).ids[8, 8] == 1
