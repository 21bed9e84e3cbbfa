"""`cyclevos segment`: its results, and its answer to everything that can be wrong with what it is given."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sys

import av
import numpy as np
import pytest
import torch
from cli_inputs import PALETTE, save_frames, save_mask
from interrupting import interrupted_at
from PIL import Image

from cyclevos.cli.run_answer import tell_result
from cyclevos.files.locks import sole_writer
from cyclevos.jobs import segment_job as job
from cyclevos.jobs.segment_job import JobResult
from cyclevos.media.open_source import open_source
from cyclevos.media.writers import MaskWriter
from cyclevos.network.traits import CloserLook, NetworkTraits
from cyclevos.pictures.mask_files import read_mask
from cyclevos.propagation.inner_size import choose_size

NAMES = [f"shot_{i:03d}" for i in range(6)]


def masks_in(folder):
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def everything_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_video(path, images, rate=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


# Results


def test_all_results_agree_with_each_other(segment, tmp_path, ids, images):
    answer = segment("--save", "masks,overlay,probabilities,coco")
    out = tmp_path / "out"
    assert answer.code == 0, answer.err
    assert "6 frames, objects 2, 7. Results: " in answer.out
    listed = json.loads((out / "reliability.json").read_text())["review"]
    worst = f"{listed[0]['frame']} ({listed[0]['reliability']:.2f}), "
    assert f"Check first (predicted J, uncalibrated): {worst}" in answer.out
    assert sorted(masks_in(out)) == NAMES
    assert not (out / "state.safetensors").exists()
    results = {name: read_mask(out / f"{name}.png") for name in NAMES}
    np.testing.assert_array_equal(results[NAMES[0]].ids, ids)
    assert all(result.palette == PALETTE for result in results.values())
    assert 0 < (results[NAMES[3]].ids > 0).mean() < 1

    with av.open(str(out / "overlay.mp4")) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(24, 40, 3)] * 6

    for name, result in results.items():
        with np.load(out / "probabilities" / f"{name}.npz") as stored:
            assert stored["object_ids"].tolist() == [2, 7]
            probabilities = stored["probabilities"].astype(np.float32)
        assert probabilities.shape == (3, 24, 40)
        np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=2e-3)
        top = np.sort(probabilities, axis=0)
        clear = top[-1] - top[-2] > 2e-3
        np.testing.assert_array_equal(np.array([0, 2, 7])[probabilities.argmax(axis=0)][clear], result.ids[clear])

    coco = json.loads((out / "annotations.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == [f"{name}.png" for name in NAMES]
    for annotation in coco["annotations"]:
        result = results[NAMES[annotation["image_id"] - 1]].ids
        assert annotation["area"] == (result == annotation["category_id"]).sum()
    assert len(coco["annotations"]) == sum(len(result.object_ids) for result in results.values())


@pytest.mark.parametrize(
    ("side", "told"),
    [
        (20, "Size inside the network: 624 instead of 480, because object 2 (cap) is small (400 pixels in its"),
        (50, "Size inside the network: 480, large enough for object 2 (cap), the smallest one."),
    ],
)
def test_the_answer_says_which_size_was_chosen_and_why(tmp_path, capsys, side, told):
    ids = np.zeros((480, 640), np.uint8)
    ids[:side, :side], ids[200:400, 200:400] = 2, 3
    chosen = choose_size(NetworkTraits("stm", 480, closer=CloserLook(length=26, most=1.5)), {0: ids})
    tell_result(JobResult(3, 3, (2, 3), names={2: "cap"}, size=chosen), tmp_path, "")
    assert told in capsys.readouterr().out


def test_a_video_file_and_a_folder_of_masks(segment, tmp_path, images, ids):
    video = write_video(tmp_path / "clip.mp4", images)
    save_mask(tmp_path / "masks" / "1.png", np.where(ids == 2, 2, 0).astype(np.uint8))
    save_mask(tmp_path / "masks" / "00004.png", np.where(ids == 7, 7, 0).astype(np.uint8))
    assert segment("--save", "masks", source=video, masks=tmp_path / "masks").code == 0
    out = tmp_path / "out"
    assert list(masks_in(out)) == [f"{i:05d}" for i in range(6)]
    assert read_mask(out / "00000.png").object_ids == ()
    np.testing.assert_array_equal(read_mask(out / "00004.png").ids == 7, ids == 7)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert segment("--save", "masks", source=video, masks=tmp_path / "masks").code == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*.png")}, "all was done already"


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_directions_reach_frames_before_the_mask(segment, tmp_path, ids, direction):
    save_mask(tmp_path / "masks" / "shot_003.png", ids)
    answer = segment("--direction", direction, masks=tmp_path / "masks")
    assert answer.code == 0, answer.err
    out = tmp_path / "out"
    assert list(masks_in(out)) == NAMES
    assert read_mask(out / "shot_000.png").object_ids
    with av.open(str(out / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6


def test_a_4k_video_keeps_its_size(segment, tmp_path, images, ids):
    large = [image.repeat(90, axis=0).repeat(96, axis=1) for image in images[:3]]  # 24x40 to 2160x3840
    mask = save_mask(tmp_path / "large.png", ids.repeat(90, axis=0).repeat(96, axis=1))
    answer = segment("--size", "24", source=write_video(tmp_path / "large.mp4", large), masks=mask)
    assert answer.code == 0, answer.err
    results = masks_in(tmp_path / "out")
    assert [read_mask(tmp_path / "out" / f"{name}.png").ids.shape for name in results] == [(2160, 3840)] * 3
    assert read_mask(tmp_path / "out" / "00002.png").object_ids
    with av.open(str(tmp_path / "out" / "overlay.mp4")) as container:
        assert [(frame.height, frame.width) for frame in container.decode(video=0)] == [(2160, 3840)] * 3


def test_one_frame(segment, tmp_path, images, ids):
    assert segment(source=save_frames(tmp_path / "one", images[:1])).out.startswith("1 frame, objects 2, 7. ")
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "shot_000.png").ids, ids)


def test_an_object_that_covers_the_frame_is_warned_of_once(segment, tmp_path, images, ids, caplog):
    mask = save_mask(tmp_path / "full.png", np.ones_like(ids))
    assert segment("--save", "masks", source=save_frames(tmp_path / "one", images[:1]), masks=mask).code == 0
    assert caplog.text.count("covers more than 90%") == 1


def test_the_progress_bar_is_on_standard_error_only(segment, call, tmp_path, clip, mask, weights):
    answer = call("segment", clip, "--masks", mask, "--output", tmp_path / "out", "--weights", weights, "--size", "16")
    assert answer.code == 0
    assert [line.partition(" ")[0] for line in answer.out.splitlines()] == ["6", "Check"]
    assert "6/6 frames" in answer.err
    assert segment("--size", "16", "--dtype", "auto").err == ""


# Bad sources


@pytest.mark.parametrize(
    ("content", "text"), [(b"this is no video", "cannot be"), (b"", "clip.mp4"), (None, "does not exist")]
)
def test_not_a_video(segment, tmp_path, content, text):
    source = tmp_path / "clip.mp4"
    if content is not None:
        source.write_bytes(content)
    answer = segment(source=source)
    assert answer.code == 3
    assert str(source) in answer.err
    assert text in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "out").exists(), "a refusal leaves nothing behind"


def test_an_empty_folder(segment, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = segment(source=tmp_path / "empty")
    assert answer.code == 3
    assert "holds no image" in answer.err


def test_a_broken_frame_midway_is_named_and_earlier_masks_stay(segment, tmp_path, clip, images):
    (clip / "shot_003.png").write_bytes((clip / "shot_003.png").read_bytes()[:200])
    answer = segment()
    assert answer.code == 3
    assert "Frame 3 cannot be decoded" in answer.err
    assert "shot_003.png" in answer.err
    assert list(masks_in(tmp_path / "out")) == NAMES[:3]
    Image.fromarray(images[3]).save(clip / "shot_003.png")
    assert segment().code == 0, "the same command goes on once the frame is repaired"
    assert list(masks_in(tmp_path / "out")) == NAMES


def test_a_truncated_video_keeps_what_was_done(segment, tmp_path, images):
    video = write_video(tmp_path / "clip.mkv", images * 10)
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.6)])
    answer = segment("--save", "masks", source=video)
    done = masks_in(tmp_path / "out")
    assert 3 <= len(done) < 60
    assert list(done) == [f"{i:05d}" for i in range(len(done))]
    assert answer.code in (0, 3), "whether FFmpeg notices depends on where it is cut"
    assert "Traceback" not in answer.err


def test_frames_of_differing_sizes(segment, tmp_path, clip, images):
    Image.fromarray(images[2][:, :30]).save(clip / "shot_002.png")
    answer = segment()
    assert answer.code == 3
    assert "shot_002.png is 30x24" in answer.err
    assert list(masks_in(tmp_path / "out")) == NAMES[:2]


# Bad masks


def test_a_mask_of_another_size_and_fit_mask(segment, tmp_path, ids):
    small = save_mask(tmp_path / "small.png", ids[::2, ::2].copy())
    answer = segment(masks=small)
    assert answer.code == 4
    assert "is 20x12 but the video is 40x24" in answer.err
    assert "--fit-mask" in answer.err
    assert segment("--fit-mask", masks=small).code == 0
    np.testing.assert_array_equal(
        read_mask(tmp_path / "out" / "shot_000.png").ids, ids[::2, ::2].repeat(2, 0).repeat(2, 1)
    )


def test_a_soft_rgb_mask_and_fix_mask(segment, tmp_path, ids):
    rgb = np.zeros((*ids.shape, 3), np.uint8)
    rgb[ids > 0] = (128, 0, 0)  # DAVIS's first colour
    rgb[6, 3:13] = (121, 6, 3)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    answer = segment(masks=tmp_path / "rgb.png")
    assert answer.code == 4
    assert "121" in answer.err
    assert "--fix-mask" in answer.err
    assert segment("--fix-mask", masks=tmp_path / "rgb.png").code == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "shot_000.png").ids, (ids > 0).astype(np.uint8))


def test_a_mask_of_0_and_255_is_object_1(segment, tmp_path, ids):
    binary = save_mask(tmp_path / "binary.png", np.where(ids > 0, 255, 0).astype(np.uint8), None)
    assert "frames, object 1. " in segment(masks=binary).out


def test_frames_before_the_first_mask_are_named_once_and_recorded(segment, tmp_path, ids, caplog):
    masks = save_mask(tmp_path / "masks" / "shot_003.png", ids).parent
    assert segment("--save", "masks", masks=masks).code == 0
    warnings = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert len(warnings) == 1
    assert warnings[0].startswith("The first mask is that of frame shot_003, so frames shot_000 to shot_002 stay empty")
    assert caplog.text.count("stay empty: 3 frames") == 1
    caplog.clear()
    assert segment("--save", "masks", "--direction", "both", "--overwrite", masks=masks).code == 0
    assert "stay empty" not in caplog.text
    assert segment("--save", "masks", "--direction", "backward", "--overwrite", masks=masks).code == 0
    assert "frames shot_004 to shot_005 stay empty: 2 frames" in caplog.text


def test_255_beside_other_ids_is_unknown_unless_it_is_kept(segment, tmp_path, ids, caplog):
    mask = save_mask(tmp_path / "voc.png", np.where(ids == 7, 255, ids).astype(np.uint8))
    answer = segment("--save", "masks", masks=mask)
    assert "frames, object 2. " in answer.out
    assert caplog.text.count("255 beside other ids marks unknown pixels (80 pixels)") == 1
    assert "unknown" in json.loads((tmp_path / "out" / "run.json").read_text())["warnings"][0]
    assert "frames, objects 2, 255. " in segment("--save", "masks", "--keep-255", "--overwrite", masks=mask).out


def test_names_reach_every_result_that_can_hold_them(segment, call, tmp_path, ids):
    for name, object_id in (("car", 2), ("dog", 7)):
        save_mask(tmp_path / "masks" / name / "shot_000.png", np.where(ids == object_id, 255, 0).astype(np.uint8), None)
    answer = segment("--save", "masks,coco,youtube-vis,objects", masks=tmp_path / "masks")
    out = tmp_path / "out"
    assert "6 frames, objects 1 (car), 2 (dog). Results: " in answer.out
    assert json.loads((out / "run.json").read_text())["object_names"] == {"1": "car", "2": "dog"}
    for file in ("annotations.json", "youtube_vis.json"):
        categories = json.loads((out / file).read_text())["categories"]
        assert [(each["id"], each["name"]) for each in categories] == [(1, "car"), (2, "dog")]
    assert json.loads((out / "objects" / "names.json").read_text()) == {"1": "car", "2": "dog"}
    assert (
        "objects 1 (car), 2 (dog) (finished before"
        in segment("--save", "masks,coco,youtube-vis,objects", masks=tmp_path / "masks").out
    )
    assert call("convert", out, "--from", "masks", "--to", "coco", "--output", tmp_path / "again.json").code == 0
    assert [each["name"] for each in json.loads((tmp_path / "again.json").read_text())["categories"]] == ["car", "dog"]
    answer = call("convert", tmp_path / "again.json", "--to", "mots", "--output", tmp_path / "mots.txt")
    assert "mots has no place for the names of the objects: 1 is car, 2 is dog." in answer.err


def test_an_empty_mask(segment, tmp_path, ids):
    answer = segment(masks=save_mask(tmp_path / "empty.png", ids * 0))
    assert answer.code == 4
    assert "No mask shows an object" in answer.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["folder", "clip.mp4", "clip.mkv"])
@pytest.mark.parametrize(("direction", "frame"), [("backward", 0), ("forward", 5)])
def test_a_mask_that_reaches_no_other_frame_is_refused(segment, tmp_path, clip, images, ids, direction, frame, kind):
    source = clip if kind == "folder" else write_video(tmp_path / kind, images)
    name = f"shot_{frame:03d}" if kind == "folder" else str(frame)
    masks = save_mask(tmp_path / "masks" / f"{name}.png", ids).parent
    answer = segment("--direction", direction, source=source, masks=masks)
    if kind == "clip.mkv" and frame:
        assert answer.code == 0, "which frame is the last one nobody knows before"
        return
    assert answer.code == 4
    assert f"--direction {direction} propagates it to" in answer.err
    assert not (tmp_path / "out").exists()
    save_mask(masks / ("shot_002.png" if kind == "folder" else "2.png"), ids)
    assert segment("--direction", direction, "--save", "masks", source=source, masks=masks).code == 0


def test_one_frame_needs_no_other(segment, tmp_path, images):
    answer = segment("--direction", "backward", source=save_frames(tmp_path / "one", images[:1]))
    assert answer.code == 0, answer.err


def test_a_blank_mask_among_others_is_said_to_change_nothing(segment, tmp_path, ids, caplog):
    save_mask(tmp_path / "masks" / "shot_000.png", ids)
    assert segment("--save", "masks", masks=tmp_path / "masks", output=tmp_path / "without").code == 0
    assert "show no object" not in caplog.text
    save_mask(tmp_path / "masks" / "shot_002.png", ids * 0)
    assert segment("--save", "masks", masks=tmp_path / "masks").code == 0
    assert "The mask of frame shot_002 shows no object, so it has no effect" in caplog.text
    assert masks_in(tmp_path / "out") == masks_in(tmp_path / "without")


def test_a_mask_for_a_frame_that_does_not_exist(segment, tmp_path, ids):
    save_mask(tmp_path / "masks" / "shot_000.png", ids)
    save_mask(tmp_path / "masks" / "shot_099.png", ids)
    answer = segment(masks=tmp_path / "masks")
    assert answer.code == 4
    assert "shot_099.png belongs to no frame" in answer.err


def test_a_mask_that_is_no_picture(segment, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    answer = segment(masks=tmp_path / "bad.png")
    assert answer.code == 4
    assert "bad.png" in answer.err


# Bad weights


class _Code:
    def __reduce__(self):
        return (print, ("this must never run",))


def bad_weights(folder, kind):
    path = folder / f"w{'.safetensors' if kind == 'text as safetensors' else '.pth'}"
    if kind == "code":
        path.write_bytes(pickle.dumps(_Code()))
    elif kind == "code in a zip":
        torch.save({"state_dict": _Code()}, path)
    elif kind == "other tensors":
        torch.save({"encoder.weight": torch.zeros(3)}, path)
    elif kind != "missing":
        path.write_bytes(b"no weights at all")
    return path


@pytest.mark.parametrize("kind", ["missing", "text", "text as safetensors", "code", "code in a zip", "other tensors"])
def test_weights_that_are_none(segment, tmp_path, kind):
    path = bad_weights(tmp_path, kind)
    answer = segment("--weights", path)
    assert answer.code == 5, answer.err
    assert str(path) in answer.err
    assert "this must never run" not in answer.out
    assert not masks_in(tmp_path / "out")
    assert segment().code == 0, "a refused run does not occupy its output folder"


# Options


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--save", "masks,overlays"), 6, "expected any of masks,overlay,probabilities,coco"),
        (("--save", ""), 6, "--save ''"),
        (("--size", "240p"), 6, "Give auto, none, or a number of pixels from 16"),
        (("--size", "15"), 6, "--size '15'"),
        (("--max-memory-frames", "1"), 6, "Give auto, 0 (no limit) or at least 2"),
        (("--max-memory-frames", "-1"), 6, "max-memory-frames"),
        (("--memory-every", "0"), 6, "Give auto or a whole number from 1"),
        (("--direction", "backwards"), 2, "backward"),
        (("--dtype", "float"), 2, "float32"),
        (("--fitmask",), 2, "--fit-mask"),
        (("--direction", "backward", "--save", "overlay"), 6, "add masks to --save"),
        (("--device", "gpu"), 6, "Device 'gpu' cannot be used"),
        (("--correction", "papr"), 2, "paper"),
        (("--correction-set", "rate=2"), 6, "takes none. To take gradient steps, begin from default or paper"),
        (("--correction", "off", "--correction-set", "steps=2"), 6, "add --correction prune, default or paper"),
        (("--correction", "paper", "--correction-set", "step=2"), 6, "no setting 'step'; expected any of steps, every"),
        (("--correction", "paper", "--correction-set", "steps"), 6, "Give key=value"),
        (("--correction", "paper", "--correction-set", "steps=few"), 6, "expected a whole number from 0"),
    ],
)
def test_misspelt_options_name_what_is_allowed(segment, options, code, text):
    answer = segment(*options)
    assert answer.code == code
    assert text in answer.err


def test_a_correction_changes_the_masks_and_is_part_of_the_run(segment, tmp_path):
    changed = ("--correction-set", "every=2", "--correction-set", "rate=2000", "--correction-set", "apply_to=both")
    assert segment(output=tmp_path / "plain").code == 0
    assert segment("--correction", "paper", *changed).code == 0
    assert masks_in(tmp_path / "out") != masks_in(tmp_path / "plain")
    answer = segment("--correction", "paper")
    assert answer.code != 0
    assert "--overwrite" in answer.err


def test_a_missing_library_is_named_before_anything_is_replaced(segment, tmp_path, monkeypatch):
    assert segment("--save", "masks").code == 0
    before = masks_in(tmp_path / "out")
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    answer = segment("--save", "masks,exr", "--overwrite")
    assert answer.code == 10
    assert "pip install 'cyclevos[exr]'" in answer.err
    assert masks_in(tmp_path / "out") == before


def test_a_missing_option_is_named(call, clip, mask):
    answer = call("segment", clip, "--masks", mask)
    assert answer.code == 2
    assert "--output" in answer.err


# The output folder


def test_results_of_another_run_are_refused_without_overwrite(segment, call, tmp_path):
    assert segment("--save", "masks,coco").code == 0
    before = masks_in(tmp_path / "out")
    answer = segment("--save", "masks,coco", "--memory-every", "1")
    assert answer.code == 7
    assert "memory_every (5 there, 1 now)" in answer.err
    assert "--overwrite" in answer.err
    assert "convert" not in answer.err
    answer = segment("--save", "masks")
    assert answer.code == 7
    assert "That run wrote all of these formats already." in answer.err
    answer = segment("--save", "masks,coco,gif,exr")
    assert answer.code == 7
    assert f"run: cyclevos convert {tmp_path / 'out'} --to gif." in answer.err, "exr needs probabilities"
    assert call("convert", tmp_path / "out", "--to", "gif").code == 0
    assert (tmp_path / "out" / "overlay.gif").is_file()
    assert masks_in(tmp_path / "out") == before
    assert segment("--save", "masks", "--memory-every", "1", "--overwrite").code == 0
    assert not (tmp_path / "out" / "annotations.json").exists()
    assert not (tmp_path / "out" / "overlay.gif").exists(), "what convert added is the run's too"


@pytest.mark.parametrize(
    ("options", "code"), [(("--weights", "nothere.pth"), 5), (("--device", "gpu"), 6), (("--direction", "both"), 3)]
)
def test_overwrite_removes_nothing_before_all_else_was_checked(segment, tmp_path, clip, options, code):
    assert segment("--save", "masks,coco").code == 0
    before = everything_in(tmp_path / "out")
    if code == 3:
        (clip / "shot_005.png").write_bytes((clip / "shot_005.png").read_bytes()[:200])
    assert segment("--save", "masks,coco", "--overwrite", *options).code == code
    assert everything_in(tmp_path / "out") == before


def test_weights_trained_anew_under_the_same_name_are_another_run(segment, tmp_path, weights):
    copy = shutil.copy(weights, tmp_path / "mine.safetensors")
    assert segment("--weights", copy).code == 0
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    answer = segment("--weights", copy)
    assert answer.code == 7
    assert len(re.findall(r"\(SHA-256 [0-9a-f]{8}\.\.\.\)", answer.err)) == 2
    assert not re.search("[0-9a-f]{32}", answer.err), "people do not compare 64 digits"


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_another_source_under_the_same_name_is_another_run(segment, tmp_path, clip, images, kind):
    source = clip if kind == "folder" else write_video(tmp_path / "clip.mp4", images)
    assert segment("--save", "masks", source=source).code == 0
    before = masks_in(tmp_path / "out")
    if kind == "folder":
        Image.fromarray(images[0]).save(clip / "shot_005.png")
    else:
        write_video(source, images[::-1])
    answer = segment("--save", "masks", source=source)
    assert answer.code == 7
    assert "source_content" in answer.err
    assert masks_in(tmp_path / "out") == before


@pytest.mark.parametrize("option", [(), ("--overwrite",)])
def test_a_users_own_pictures_are_left_alone(segment, tmp_path, images, option):
    out = save_frames(tmp_path / "out", images[:1])
    before = masks_in(out)
    answer = segment(*option)
    assert answer.code == 7
    assert masks_in(out) == before


@pytest.mark.parametrize("option", [(), ("--overwrite",)])
def test_two_runs_do_not_write_into_one_folder(segment, tmp_path, option):
    assert segment().code == 0
    before = everything_in(tmp_path / "out")
    with sole_writer(tmp_path / "out"):
        answer = segment(*option)
    assert answer.code == 7
    assert "Another cyclevos is writing to" in answer.err
    assert everything_in(tmp_path / "out") == before
    assert segment(*option).code == 0


def test_a_file_is_no_output_folder(segment, mask):
    answer = segment(output=mask)
    assert answer.code == 7
    assert "is a file. Expected a folder for the results" in answer.err


def test_results_do_not_go_among_the_frames(segment, clip):
    answer = segment(output=clip)
    assert answer.code == 7
    assert "holds the frames themselves" in answer.err


def test_a_full_disk_is_said_in_words_and_the_same_command_goes_on(segment, tmp_path, monkeypatch):
    write = MaskWriter.write

    def full(self, frame, *arguments, **options):
        if frame.index == 2:
            raise OSError(28, "No space left on device")
        write(self, frame, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(MaskWriter, "write", full)
        answer = segment()
    assert answer.code == 7
    assert "No space left on device" in answer.err
    assert "Free some space" in answer.err
    assert list(masks_in(tmp_path / "out")) == NAMES[:2]
    assert segment().code == 0
    assert list(masks_in(tmp_path / "out")) == NAMES


# Stopping and going on


def test_a_stopped_run_goes_on_to_the_same_results(segment, tmp_path, ids, monkeypatch):
    monkeypatch.setattr(job, "_SECONDS_BETWEEN_STATES", -1)  # a state after every frame
    save_mask(tmp_path / "masks" / "shot_000.png", np.where(ids == 2, 2, 0).astype(np.uint8))
    save_mask(tmp_path / "masks" / "shot_003.png", np.where(ids == 7, 7, 0).astype(np.uint8))
    options = ("--save", "masks,overlay,probabilities,coco", "--memory-every", "2", "--max-memory-frames", "3")
    options += ("--correction", "default", "--correction-set", "every=1", "--correction-set", "reference=all")
    whole = tmp_path / "whole"
    assert segment(*options, masks=tmp_path / "masks", output=whole).code == 0
    for stop_at, broken_state in ((1, False), (4, False), (4, True)):
        out = tmp_path / f"{stop_at} {broken_state}"
        with interrupted_at(stop_at, monkeypatch):
            assert segment(*options, masks=tmp_path / "masks", output=out).code == 130
        assert list(masks_in(out)) == NAMES[:stop_at]
        if broken_state:
            state = out / "state.safetensors"
            state.write_bytes(state.read_bytes()[:-20])
        answer = segment(*options, masks=tmp_path / "masks", output=out)
        assert answer.code == 0, answer.err
        assert "6 frames, objects 2, 7" in answer.out
        assert_same_results(out, whole)


def assert_same_results(out, whole):
    assert masks_in(out) == masks_in(whole)
    first, second = (json.loads((folder / "annotations.json").read_text()) for folder in (out, whole))
    assert first["annotations"] == second["annotations"]
    for name in ("reliability.csv", "reliability.json"):
        assert (out / name).read_text() == (whole / name).read_text()
    for name in NAMES:
        with np.load(out / "probabilities" / f"{name}.npz") as a, np.load(whole / "probabilities" / f"{name}.npz") as b:
            np.testing.assert_array_equal(a["probabilities"], b["probabilities"])
    with av.open(str(out / "overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    assert not (out / "state.safetensors").exists()


@pytest.mark.parametrize("option", [(), ("--overwrite",)])
def test_a_run_that_goes_on_does_not_start_over(segment, tmp_path, monkeypatch, option):
    monkeypatch.setattr(job, "_SECONDS_BETWEEN_STATES", -1)
    write = MaskWriter.write
    written = []

    def stop(self, frame, *arguments, **kwargs):
        if frame.index == 4 and 4 not in written:
            written.append(4)
            raise KeyboardInterrupt
        written.append(frame.index)
        write(self, frame, *arguments, **kwargs)

    monkeypatch.setattr(MaskWriter, "write", stop)
    segment("--save", "masks", *option)
    assert segment("--save", "masks", *option).code == 0
    assert written == [0, 1, 2, 3, 4, 4, 5]
    assert segment("--save", "masks", *option).code == 0
    assert written[7:] == ([*range(6)] if option else []), "what has ended is done anew only where that is asked for"


@pytest.mark.parametrize("save", ["masks,overlay", "overlay"])
def test_a_finished_stream_of_undeclared_length_is_not_done_again(segment, tmp_path, images, save):
    video = write_video(tmp_path / "clip.mkv", images)
    assert open_source(video).len_hint is None
    assert "6 frames" in segment("--save", save, source=video).out
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir() if path.suffix in (".mp4", ".png")}
    assert "6 frames" in segment("--save", save, source=video).out
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert segment("--save", save, "--overwrite", source=video).code == 0
    assert all(time != path.stat().st_mtime_ns for path, time in before.items())
