"""Predictions written from Python: the same files as the command's, in any format, from any source of frames."""

from __future__ import annotations

import json
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

import cyclevos
from cyclevos import ConfigError, OutputError, VideoError
from cyclevos.exchange.formats import RUN, offered, read_track
from cyclevos.jobs.job import SegmentJob
from cyclevos.jobs.review import REVIEW_FOLDER
from cyclevos.jobs.run_folder import TIMELINE
from cyclevos.jobs.segment_job import run_job
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.reliability_files import REVIEW_FILE
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.settings import SegmentationSettings

ALL = tuple(each.name for each in offered(RUN))


@pytest.fixture
def clip(tmp_path, images):
    folder = tmp_path / "clip"
    folder.mkdir()
    for index, image in enumerate(images[:4]):
        Image.fromarray(image).save(folder / f"shot_{index}.png")
    return folder


def segment(network, frames, masks, **options):
    return list(cyclevos.segment(network, frames, masks, size=None, **options))


def write(folder, predictions, save=("masks",), **options):
    with cyclevos.Writer(folder, save, **options) as writer:
        for p in predictions:
            writer.write(p)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def pictures_of(path):
    with av.open(str(path)) as container:
        return [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_format_is_the_commands(lively_network, clip, square, strip, tmp_path, direction):
    mask = Image.fromarray(square + strip)
    mask.putpalette(bytes([0, 0, 0, 9, 8, 7]) + DAVIS_PALETTE[6:])
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / ("shot_0.png" if direction == "forward" else "shot_3.png"))
    job = SegmentJob(
        clip,
        tmp_path / "masks",
        tmp_path / "out",
        segmentation=SegmentationSettings(size=None, direction=direction),
        results=OutputSettings(save=ALL, quiet=True),
    )
    run_job(job, lively_network)
    predictions = segment(lively_network, clip, tmp_path / "masks", direction=direction)
    (tmp_path / "python").mkdir()
    write(tmp_path / "python" / "out", predictions, ALL, frames=clip)
    expected, found = files_of(tmp_path / "out"), files_of(tmp_path / "python" / "out")
    beside = {"run.json", ".cyclevos.lock", REVIEW_FILE, f"{REVIEW_FOLDER}/{TIMELINE}"}
    assert set(expected) - beside == set(found) - beside
    for name in set(found) - beside:
        if name.endswith(".npz"):
            ours, theirs = np.load(found[name]), np.load(expected[name])
            for key in theirs:
                np.testing.assert_array_equal(ours[key], theirs[key])
        elif name.endswith(".mp4"):  # x264's threads do not always decide alike
            for one, other in zip(pictures_of(found[name]), pictures_of(expected[name]), strict=True):
                assert np.abs(one.astype(int) - other).mean() < 2
        else:
            assert found[name].read_bytes() == expected[name].read_bytes(), name


def test_three_lines_write_masks_overlay_and_coco_with_names(lively_network, images, square, strip, tmp_path):
    with cyclevos.Writer(tmp_path / "out", save="masks, overlay, coco") as writer:
        for p in cyclevos.segment(lively_network, images[:3], {0: {"car": square}, 2: {"box": strip}}, size=None):
            writer.write(p)
    track = read_track(tmp_path / "out")
    assert track.object_names == {1: "car", 2: "box"}
    frames = list(track.frames())
    np.testing.assert_array_equal(frames[0].ids, square)
    assert [frame.name for frame in frames] == ["00000", "00001", "00002"]
    coco = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [category["name"] for category in coco["categories"]] == ["car", "box"]
    with av.open(str(tmp_path / "out" / "overlay.mp4")) as video:
        assert len(list(video.decode(video=0))) == 3
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["finished"] == 3
    assert record["object_names"] == {"1": "car", "2": "box"}


def test_names_that_come_later_are_written_too(lively_network, images, square, strip, tmp_path):
    propagator = cyclevos.Propagator(lively_network, None)
    steps = [propagator.add_mask(0, images[0], "car", square), propagator.step(1, images[1])]
    steps.append(propagator.add_mask(2, images[2], "box", strip))
    write(tmp_path / "out", steps, ("masks", "coco", "objects"))
    assert read_track(tmp_path / "out" / "annotations.json").object_names == {1: "car", 2: "box"}
    assert read_track(tmp_path / "out" / "objects").object_names == {1: "car", 2: "box"}
    assert read_track(tmp_path / "out").object_names == {1: "car", 2: "box"}


def test_one_prediction_is_enough_and_none_writes_nothing(lively_network, images, square, tmp_path):
    write(tmp_path / "one", segment(lively_network, images[:1], square), ("masks", "overlay"))
    assert {"00000.png", "overlay.mp4", "reliability.csv"} <= set(files_of(tmp_path / "one"))
    write(tmp_path / "none", [])
    assert not (tmp_path / "none").exists()


def test_an_error_in_the_block_keeps_masks_and_leaves_no_broken_file(lively_network, images, square, tmp_path):
    predictions = segment(lively_network, [*images[:3]], square)

    def failing():
        yield from predictions
        raise VideoError("the camera is gone.", "Plug it in.")

    with pytest.raises(VideoError):
        write(tmp_path / "out", failing(), ("masks", "overlay", "coco"))
    assert {"00000.png", "00001.png", "00002.png"} <= set(files_of(tmp_path / "out"))
    assert not (tmp_path / "out" / "overlay.mp4").exists()
    assert not (tmp_path / "out" / "annotations.json").exists()
    write(tmp_path / "out", predictions[:2], ("masks", "overlay"), overwrite=True)
    assert not (tmp_path / "out" / "00002.png").exists(), "masks of before are replaced, not mixed with"


def test_files_of_others_are_never_replaced(lively_network, images, square, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    Image.fromarray(square).save(tmp_path / "00000.png")
    with pytest.raises(OutputError, match=r"holds files already.*overwrite=True"):
        cyclevos.Writer(tmp_path)
    with pytest.raises(OutputError, match="not written by cyclevos"):
        write(tmp_path, segment(lively_network, images[:2], square), overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "00000.png")), square)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"save": "overlays"}, ConfigError, "save names 'overlays'; expected any of masks, overlay"),
        ({"save": ()}, ConfigError, "save names no format"),
        ({"save": ("mots",)}, ConfigError, "made from the masks at the end: mots"),
        ({"frames": [np.zeros((2, 2, 3), np.uint8)]}, VideoError, "The writer's frames are list"),
        ({"frames": "nowhere.mp4"}, VideoError, "does not exist"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_refused_at_once(tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        cyclevos.Writer(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_overlay_needs_its_frames_in_order(lively_network, images, square, tmp_path):
    one, two, three = segment(lively_network, images[:3], square)
    with pytest.raises(ConfigError, match="Frame 1 comes after frame 2, but overlay needs the frames in order"):
        write(tmp_path / "out", [one, three, two], ("masks", "overlay"))
    write(tmp_path / "masks", [one, three, two])
    with pytest.raises(ConfigError, match="from the last frame to the first, so overlay is made at the end"):
        write(tmp_path / "backward", [three, two, one], ("masks", "overlay"))
    write(tmp_path / "backward", [three, two, one], ("masks",))


def test_files_per_object_are_made_of_the_objects_known_at_first(lively_network, images, square, tmp_path):
    first, second = list(segment(lively_network, images[:2], {0: square}))
    later = replace(second, object_ids=(*second.object_ids, 9))
    with pytest.raises(ConfigError, match=r"object 9 came after the first prediction, but mattes has"):
        write(tmp_path / "out", [first, later], ["masks", "mattes"])
    write(tmp_path / "masks", [first, later], ["masks"])


def test_a_prediction_without_its_frame_is_refused(lively_network, images, square, tmp_path):
    bare = cyclevos.Propagator(lively_network, None).advance(0, images[0], square)
    with pytest.raises(ConfigError, match="The prediction of frame 0 carries no frame"):
        write(tmp_path / "out", [bare])
