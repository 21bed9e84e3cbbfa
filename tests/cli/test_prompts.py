"""`cyclevos segment --point` and `cyclevos first-mask`: from a click to masks, with a prompter that can be foretold."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_inputs import save_frames, save_mask
from clips import SHARED, write_video
from file_server import NO_LENGTH, serving
from PIL import Image
from prompters import SquarePrompter
from sam2_networks import sam2_config

import cyclevos
from cyclevos.jobs import segment_job
from cyclevos.media.open_source import open_source
from cyclevos.media.writers import MaskWriter
from cyclevos.network.fingerprint import fingerprint
from cyclevos.pictures.mask_files import read_labels, read_mask
from cyclevos.prompts import loading

NAMES = [f"shot_{i:03d}" for i in range(6)]


@pytest.fixture
def prompter(monkeypatch) -> SquarePrompter:
    """What every name of a prompter loads."""
    made = SquarePrompter(half=4)
    monkeypatch.setattr(loading, "load_prompter", lambda *_, **__: made)
    return made


@pytest.fixture
def point(call, clip, weights, tmp_path):
    """Run `cyclevos segment` on the clip without masks."""

    def run(*options: object, source: Path = clip, output: Path = tmp_path / "out"):
        base = ("segment", source, "--output", output, "--weights", weights)
        return call(*base, "--size", "none", "--dtype", "float32", "--quiet", *options)

    return run


def ids_in(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: read_labels(path).ids for path in sorted(folder.glob("*.png"))}


def square(row: int, column: int, object_id: int = 1, half: int = 4) -> np.ndarray:
    ids = np.zeros((24, 40), np.uint8)
    ids[row - half : row + half, column - half : column + half] = object_id
    return ids


# segment


def test_a_click_becomes_the_mask_of_the_first_frame(point, prompter, tmp_path, images):
    answer = point("--point", "8,11")
    assert answer.code == 0, answer.err
    out = tmp_path / "out"
    assert "6 frames, object 1. Results: " in answer.out
    assert f"Masks made from the prompts: {out / 'marks'}" in answer.out
    assert list(ids_in(out)) == NAMES
    np.testing.assert_array_equal(ids_in(out)["shot_000"], square(11, 8))
    np.testing.assert_array_equal(prompter.asked[0]["image"], images[0])


def test_several_objects_frames_and_kinds_of_prompts(point, prompter, tmp_path):
    answer = point("--point", "8,11:2", "--not-point", "5,8:2", "--box", "3:20,4,30,9:7", "--point", "3:22,20:2")
    assert answer.code == 0, answer.err
    first = square(11, 8, 2)
    first[8, 5] = 0
    later = square(20, 22, 2)
    later[4:9, 20:30] = 7
    assert {name: ids.tolist() for name, ids in ids_in(tmp_path / "out" / "marks").items()} == {
        "shot_000": first.tolist(),
        "shot_003": later.tolist(),
    }
    assert "objects 2, 7" in answer.out
    np.testing.assert_array_equal(ids_in(tmp_path / "out")["shot_003"] == 7, later == 7)


def test_prompts_repair_masks_that_are_given_and_add_to_them(point, prompter, tmp_path, mask, ids):
    answer = point("--masks", mask, "--not-point", "4,7:2", "--point", "30,8:9")
    assert answer.code == 0, answer.err
    np.testing.assert_array_equal(prompter.asked[0]["mask"], ids == 2)
    expected = np.where(square(8, 30, 9) > 0, 9, ids)
    expected[7, 4] = 0
    np.testing.assert_array_equal(ids_in(tmp_path / "out" / "marks")["shot_000"], expected)
    made, given = (read_labels(path).palette for path in (tmp_path / "out" / "marks" / "shot_000.png", mask))
    assert made == given


def test_the_masks_that_are_kept_repeat_the_run_without_prompts(point, prompter, tmp_path, mask):
    assert point("--masks", mask, "--point", "2:8,11:9", "--point", "30,8:4").code == 0
    asked = len(prompter.asked)
    kept = tmp_path / "out" / "marks"
    assert point("--masks", kept, output=tmp_path / "again").code == 0
    first, second = ids_in(tmp_path / "out"), ids_in(tmp_path / "again")
    assert all(np.array_equal(first[name], second[name]) for name in NAMES)
    assert len(prompter.asked) == asked


def test_the_record_names_prompts_and_prompter(point, prompter, tmp_path):
    assert point("--point", "8,11", "--box", "3:20,4,30,9:7").code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["signature"]["prompts"] == ["--point=0:8,11:1", "--box=3:20,4,30,9:7"]
    assert re.fullmatch("SHA-256 [0-9a-f]{64}", record["signature"]["prompter"])
    assert "marks" in record["outputs"]


@pytest.mark.parametrize("stop_at", [0, 1, 4])
def test_a_stopped_run_goes_on_without_asking_the_prompter_again(point, prompter, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)
    options = ("--point", "8,11:2", "--point", "4:22,8:7")
    assert point(*options, output=tmp_path / "whole").code == 0
    write, written = MaskWriter.write, []

    def stop(self, frame, *arguments, **kwargs):
        if frame.index == stop_at and stop_at not in written:
            written.append(stop_at)
            raise KeyboardInterrupt
        written.append(frame.index)
        write(self, frame, *arguments, **kwargs)

    monkeypatch.setattr(MaskWriter, "write", stop)
    assert point(*options).code == 130
    asked = len(prompter.asked)
    answer = point(*options)
    assert answer.code == 0, answer.err
    assert len(prompter.asked) == asked, "the kept masks are used"
    assert written == [*range(stop_at + 1), *range(stop_at, 6)]
    whole, out = ids_in(tmp_path / "whole"), ids_in(tmp_path / "out")
    assert all(np.array_equal(whole[name], out[name]) for name in NAMES)
    assert "finished before" in point(*options).out
    assert len(prompter.asked) == asked


@pytest.mark.parametrize("damage", ["gone", "cut", "painted over"])
def test_kept_masks_that_are_damaged_are_made_again(point, prompter, tmp_path, damage):
    assert point("--point", "8,11").code == 0
    kept, asked = tmp_path / "out" / "marks" / "shot_000.png", len(prompter.asked)
    if damage == "gone":
        kept.unlink()
    elif damage == "cut":
        kept.write_bytes(kept.read_bytes()[:-9])
    else:
        MaskWriter(kept.parent).write(_result(kept.stem, square(4, 4)))
    answer = point("--point", "8,11")
    assert answer.code == 0, answer.err
    assert "finished before" in answer.out
    assert len(prompter.asked) == asked + 1


def _result(name: str, ids: np.ndarray):
    from cyclevos.media.frame_result import FrameResult
    from cyclevos.media.frames import Frame

    return FrameResult(Frame(0, name, np.zeros((*ids.shape, 3), np.uint8)), ids)


def test_other_prompts_are_another_run_and_overwrite_replaces_what_was_kept(point, prompter, tmp_path):
    assert point("--point", "3:8,11").code == 0
    before, asked = ids_in(tmp_path / "out"), len(prompter.asked)
    answer = point("--point", "3:9,11")
    assert answer.code == 7
    assert len(prompter.asked) == asked, "a refusal does not wait for the prompter"
    assert 'prompts (["--point=3:8,11:1"] there, ["--point=3:9,11:1"] now)' in answer.err
    assert all(np.array_equal(before[name], ids) for name, ids in ids_in(tmp_path / "out").items())
    (tmp_path / "out" / "marks" / "mine.txt").write_text("a note of the user's")
    assert point("--point", "0:9,11", "--overwrite").code == 0
    assert sorted(path.name for path in (tmp_path / "out" / "marks").iterdir()) == ["mine.txt", "shot_000.png"]


def test_other_weights_of_the_prompter_are_another_run(point, prompter, tmp_path):
    mine = shutil.copy(loading.prompter_file("default"), tmp_path / "mine.safetensors")
    assert point("--point", "8,11", "--prompter", mine).code == 0
    data = bytearray(mine.read_bytes())
    data[-1] ^= 1
    mine.write_bytes(data)
    answer = point("--point", "8,11", "--prompter", mine)
    assert answer.code == 7
    assert "prompter" in answer.err


def test_an_object_of_which_nothing_is_found_is_named(point, prompter, tmp_path, caplog):
    prompter.half = 0
    answer = point("--point", "8,11", "--box", "2:1,1,9,9:3")
    assert answer.code == 0, answer.err
    assert "The prompts of object 3 in frame 2 found nothing" in caplog.text
    assert "--point 2:X,Y:3" in caplog.text
    assert any("object 3" in note for note in json.loads((tmp_path / "out" / "run.json").read_text())["warnings"])
    answer = point("--box", "1,1,9,9", output=tmp_path / "nothing")
    assert answer.code == 13
    assert "found no object in any frame" in answer.err
    assert not (tmp_path / "nothing").exists()


def test_frames_before_the_first_prompt_are_told(point, prompter, caplog):
    assert point("--point", "3:8,11").code == 0
    assert "frames shot_000 to shot_002 stay empty" in caplog.text
    answer = point("--point", "5:8,11", "--overwrite")
    assert answer.code == 4
    assert "Use --direction backward or both" in answer.err
    assert point("--point", "5:8,11", "--direction", "backward", "--overwrite").code == 0


def test_a_long_stroke_is_many_points(point, prompter, tmp_path):
    stroke = [option for x in range(2000) for option in ("--point", f"{x * 0.02:.2f},{12 + x % 2}")]
    answer = point(*stroke)
    assert answer.code == 0, answer.err
    assert (ids_in(tmp_path / "out")["shot_000"][12:14] == 1).all()
    answer = point(*stroke[:-2])
    assert answer.code == 7
    assert len(answer.err) < 1500, "a refusal does not list thousands of points"


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--point", "6:1,1"), 3, "There is no frame 6: the video has 6 frames"),
        (("--point", "-1:1,1"), 13, "--point '-1:1,1' is not a point"),
        (("--point", "1,1:0"), 13, "the object's id from 1 to 255"),
        (("--point", "1,1:256"), 13, "the object's id from 1 to 255"),
        (("--point", "40,1"), 13, "The point 40,1 lies outside the picture of 40x24"),
        (("--point", "-1,1"), 13, "Give x from 0 to 39 and y from 0 to 23"),
        (("--box", "40,2,50,9"), 13, "The box 40,2,50,9 lies outside"),
        (("--box", "9,9,3,3"), 13, "expected left < right"),
        (("--not-point", "3,3"), 13, "only points beside it"),
        (("--point", "3,3", "--point", "3,3:2"), 13, "is clicked for objects 1, 2"),
        (("--point", "3,3", "--prompter", "sma"), 5, "No weights 'sma': neither a named prompter"),
        ((), 2, "--point"),
        ((), 2, "--masks"),
    ],
)
def test_what_is_wrong_is_named_and_leaves_nothing_behind(point, prompter, tmp_path, options, code, text):
    answer = point(*options)
    assert answer.code == code
    assert text in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["23,39", "0,0", "39.99,23.99", "39,0"])
def test_points_on_the_border(point, prompter, tmp_path, text):
    x, y = (int(float(number)) for number in text.split(","))
    if y > 23:
        assert point("--point", text).code == 13
        return
    assert point("--point", text).code == 0
    assert ids_in(tmp_path / "out")["shot_000"][y, x] == 1


def test_a_stream_takes_prompts_for_its_first_frame_alone(point, prompter, tmp_path, images):
    with serving(write_video(tmp_path / "a.ts", images).read_bytes()) as server:
        server.plan = [NO_LENGTH]
        answer = point("--point", "2:8,11", source=server.url)
        assert answer.code == 13
        assert "frame 2 cannot be shown before it is reached" in answer.err
        server.plan = [NO_LENGTH]
        answer = point("--point", "8,11", source=server.url)
    assert answer.code == 0, answer.err
    np.testing.assert_array_equal(ids_in(tmp_path / "out")["00000"], square(11, 8))


def test_points_are_pixels_of_the_picture_as_it_is_shown(point, prompter, tmp_path):
    video = SHARED / "cases" / "video" / "rotated.mov"
    if not video.is_file():
        pytest.skip(f"{video} is not here")
    answer = point("--point", "420,230", source=video)
    assert answer.code == 0, answer.err
    np.testing.assert_array_equal(prompter.asked[0]["image"], open_source(video).frame(0).image)
    assert ids_in(tmp_path / "out" / "marks")["00000"][230, 420] == 1


# first-mask


def test_a_first_mask_is_the_one_that_segment_uses(call, point, prompter, clip, tmp_path, images):
    file = tmp_path / "first.png"
    answer = call("first-mask", clip, "--point", "8,11", "--box", "20,4,30,9:7", "--output", file)
    assert answer.code == 0, answer.err
    expected = square(11, 8)
    expected[4:9, 20:30] = 7
    np.testing.assert_array_equal(read_mask(file).ids, expected)
    with Image.open(tmp_path / "first-picture.png") as picture:
        shown = np.asarray(picture)
    np.testing.assert_array_equal((shown != images[0]).any(axis=2), expected > 0)
    assert "Object 1: 64 pixels, 6.7% of frame 0." in answer.out
    then = shlex.split(next(line for line in answer.out.splitlines() if line.startswith("Then: "))[6:])
    assert then == ["cyclevos", "segment", str(clip), "--masks", str(file), "--output", "clip-masks"]
    assert point("--point", "8,11", "--box", "20,4,30,9:7").code == 0
    np.testing.assert_array_equal(ids_in(tmp_path / "out" / "marks")["shot_000"], expected)


@pytest.mark.parametrize("options", [("--point", "4:8,11"), ("--at", 4, "--point", "8,11")])
def test_the_printed_command_uses_the_mask_for_its_frame(call, prompter, clip, weights, tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    answer = call("first-mask", clip, *options, "--output", tmp_path / "mine")
    assert answer.code == 0, answer.err
    then = shlex.split(next(line for line in answer.out.splitlines() if line.startswith("Then: "))[6:])[1:]
    assert call(*then, "--weights", weights, "--size", "none", "--dtype", "float32", "--quiet").code == 0
    np.testing.assert_array_equal(ids_in(tmp_path / "clip-masks")["shot_004"], square(11, 8))


def test_a_picture_is_a_source(call, prompter, tmp_path, images):
    picture = save_frames(tmp_path / "one", images[:1]) / "shot_000.png"
    assert call("first-mask", picture, "--point", "8,11", "--output", tmp_path / "first.png").code == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "first.png").ids, square(11, 8))


@pytest.mark.parametrize("output", ["shot.png", "."])
def test_the_source_itself_is_never_written_over(call, prompter, tmp_path, images, output):
    folder = save_frames(tmp_path / "one", images[:1])
    picture = (folder / "shot_000.png").rename(folder / "shot.png")
    before = picture.read_bytes()
    answer = call("first-mask", picture, "--point", "8,11", "--output", folder / output, "--overwrite")
    assert answer.code == 7
    assert "is the picture itself" in answer.err
    assert picture.read_bytes() == before


def test_what_stands_there_is_not_replaced_unasked(call, prompter, clip, tmp_path, ids):
    file = save_mask(tmp_path / "first.png", ids)
    before = file.read_bytes()
    answer = call("first-mask", clip, "--point", "8,11", "--output", file)
    assert answer.code == 7
    assert "may have been painted" in answer.err
    assert file.read_bytes() == before
    assert call("first-mask", clip, "--point", "8,11", "--output", file, "--overwrite").code == 0
    assert call("first-mask", clip, "--point", "8,11", "--output", file).code == 0, "it is the same"


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ((), 2, "--point"),
        (("--point", "1,1", "--point", "2:3,3"), 13, "of frames 0, 2; expected one frame"),
        (("--at", 3, "--point", "2:3,3"), 13, "of frames 2, 3"),
        (("--point", "2:3,3"), 4, "Give a folder as --output"),
        (("--point", "40,3"), 13, "lies outside"),
        (("--point", "6"), 13, "is not a point"),
    ],
)
def test_what_is_wrong_with_a_first_mask_is_named(call, prompter, clip, tmp_path, options, code, text):
    answer = call("first-mask", clip, *options, "--output", tmp_path / "first.png")
    assert answer.code == code
    assert text in answer.err
    assert not (tmp_path / "first.png").exists()


def test_nothing_is_written_among_the_frames(call, prompter, clip):
    before = sorted(clip.iterdir())
    answer = call("first-mask", clip, "--point", "8,11", "--output", clip / "first.png")
    assert answer.code == 7
    assert sorted(clip.iterdir()) == before


# Real prompters


def test_a_folder_of_sam_2_makes_the_first_mask_and_the_run_records_it(call, point, clip, tmp_path):
    pytest.importorskip("transformers", reason="the extra sam2 is not installed")
    from cyclevos.network.sam2.build import build_sam2, save_sam2

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_sam2(build_sam2(sam2_config()), tmp_path / "net")
    options = ("--point", "8,11", "--not-point", "30,20", "--prompter", tmp_path / "net")
    answer = call("first-mask", clip, *options, "--dtype", "float32", "--output", tmp_path / "first.png")
    assert answer.code == 0, answer.err
    first = read_mask(tmp_path / "first.png").ids
    assert (first[11, 8], first[20, 30]) == (1, 0)
    assert point(*options).code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert fingerprint(tmp_path / "net") in json.dumps(record)
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "marks" / f"{NAMES[0]}.png").ids, first)


def test_the_packaged_prompter_obeys_on_the_clip_of_the_package(call, tmp_path):
    demo = Path(cyclevos.__file__).parent / "demo" / "car-shadow.mp4"
    options = ("--point", "420,200", "--not-point", "20,460", "--dtype", "float32")
    answer = call("first-mask", demo, *options, "--output", tmp_path / "first.png")
    assert answer.code == 0, answer.err
    ids = read_mask(tmp_path / "first.png").ids
    assert ids.shape == (480, 854)
    assert (ids[200, 420], ids[460, 20]) == (1, 0)
    assert call("first-mask", demo, *options, "--output", tmp_path / "again.png").code == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "again.png").ids, ids)
