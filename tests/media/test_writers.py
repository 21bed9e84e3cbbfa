import errno
import json
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from clips import closeness, scene, scene_ids
from PIL import Image
from pycocotools import mask as run_length

from cyclevos.errors import OutputError
from cyclevos.exchange.tools.coco_writer import CocoWriter
from cyclevos.media.appearance import Appearance
from cyclevos.media.contact_sheet import contact_sheet
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import OverlayWriter, blend
from cyclevos.media.write_behind import write_behind
from cyclevos.media.writers import MaskWriter, ProbabilityWriter, ResultWriter, is_finished_mask
from cyclevos.pictures.mask_files import read_mask
from cyclevos.pictures.palette import DAVIS_PALETTE

# Decoding in pycocotools has not caught up with NumPy 2; encoding, which we use, has.
old_pycocotools = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def frames(count=3, height=48, width=64):
    return list(frames_from_arrays(scene(count, height, width)))


def write_all(writer, shown, masks):
    with writer:
        for frame, ids in zip(shown, masks, strict=True):
            writer.write(FrameResult(frame, ids))


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda name="replace": monkeypatch.setattr(Path, name, refuse)


def test_masks_come_back_with_their_palette(tmp_path):
    palette = bytes(range(256)) * 3
    write_all(MaskWriter(tmp_path / "out", Appearance(palette)), frames(), scene_ids(3))
    assert listing(tmp_path / "out") == ["00000.png", "00001.png", "00002.png"]
    for index, ids in enumerate(scene_ids(3)):
        mask = read_mask(tmp_path / "out" / f"{index:05d}.png")
        np.testing.assert_array_equal(mask.ids, ids)
        assert mask.palette == palette
        assert is_finished_mask(tmp_path / "out" / f"{index:05d}.png")
    MaskWriter(tmp_path).write(FrameResult(frames()[0], scene_ids(1)[0]))
    assert read_mask(tmp_path / "00000.png").palette == DAVIS_PALETTE


def test_a_mask_is_whole_or_not_there(tmp_path, monkeypatch):
    def half(self, file, **_):
        file.write(b"\x89PNG half")
        raise KeyboardInterrupt

    writer = MaskWriter(tmp_path)
    writer.write(FrameResult(frames()[0], scene_ids(1)[0]))
    before = (tmp_path / "00000.png").read_bytes()
    monkeypatch.setattr(Image.Image, "save", half)
    for frame in frames(2):
        with pytest.raises(KeyboardInterrupt):
            writer.write(FrameResult(frame, scene_ids(1)[0]))
    assert listing(tmp_path) == ["00000.png"]
    assert (tmp_path / "00000.png").read_bytes() == before


@pytest.mark.parametrize("call", ["replace", "open"])
def test_a_full_disk_is_an_output_error(tmp_path, full_disk, call):
    full_disk(call)
    with pytest.raises(OutputError, match=r"cannot write .*00000\.png: No space left.* GB free.*Free some space"):
        MaskWriter(tmp_path).write(FrameResult(frames()[0], scene_ids(1)[0]))
    assert listing(tmp_path) == []


def test_a_foreign_picture_is_not_overwritten(tmp_path):
    Image.fromarray(scene(1)[0]).save(tmp_path / "00000.png")
    with pytest.raises(OutputError, match=r"00000\.png was not written by cyclevos"):
        MaskWriter(tmp_path).write(FrameResult(frames()[0], scene_ids(1)[0]))


def test_wrong_ids_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected ids uint8 \(48, 64\), got int64 \(48, 64\)"):
        MaskWriter(tmp_path).write(FrameResult(frames()[0], scene_ids(1)[0].astype(np.int64)))


def test_probabilities_come_back(tmp_path):
    probabilities = np.random.default_rng(0).random((3, 48, 64)).astype(np.float32)
    with ProbabilityWriter(tmp_path) as writer:
        writer.write(FrameResult(frames()[0], scene_ids(1)[0], probabilities, object_ids=[1, 5]))
        with pytest.raises(ValueError, match="got none"):
            writer.write(FrameResult(frames()[1], scene_ids(1)[0]))
        with pytest.raises(ValueError, match="expected 2 object ids for 3 channels"):
            writer.write(FrameResult(frames()[1], scene_ids(1)[0], probabilities, object_ids=[1]))
    assert listing(tmp_path) == ["00000.npz"]
    with np.load(tmp_path / "00000.npz") as content:
        assert content["probabilities"].dtype == np.float16
        np.testing.assert_allclose(content["probabilities"], probabilities, atol=1e-3)
        assert content["object_ids"].tolist() == [1, 5]


def test_blend_by_hand():
    image = np.full((5, 5, 3), 100, np.uint8)
    ids = np.zeros((5, 5), np.uint8)
    ids[1:4, 1:4] = 2
    result = blend(image, ids, alpha=0.5)
    assert result[0, 0].tolist() == [100, 100, 100]
    assert result[2, 2].tolist() == [50, 114, 50]
    assert result[1, 1].tolist() == [0, 128, 0]
    np.testing.assert_array_equal(image, 100)
    np.testing.assert_array_equal(blend(image, np.zeros_like(ids)), image)
    with pytest.raises(ValueError, match=r"alpha in 0\.\.1, got 2"):
        blend(image, ids, alpha=2)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (8, 8), (1, 1)])
def test_overlay_plays_and_shows_the_blend(tmp_path, height, width):
    shown, masks = frames(4, height, width), scene_ids(4, height, width)
    write_all(OverlayWriter(tmp_path / "overlay.mp4", 12.5), shown, masks)
    assert listing(tmp_path) == ["overlay.mp4"]
    content = (tmp_path / "overlay.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "players can start before the end has come"
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    source = open_source(tmp_path / "overlay.mp4")
    assert source.frame_rate == 12.5
    assert source.size == (height + height % 2, width + width % 2)
    played = [frame.image[:height, :width] for frame in source]
    assert len(played) == 4
    for image, frame, ids in zip(played, shown, masks, strict=True):
        assert closeness(image, blend(frame.image, ids)) < (9 if width > 8 else 12 if width > 1 else 40)


def test_an_aborted_overlay_leaves_nothing(tmp_path):
    def stopped():
        with OverlayWriter(tmp_path / "overlay.mp4") as writer:
            writer.write(FrameResult(frames()[0], scene_ids(1)[0]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert listing(tmp_path) == []
    OverlayWriter(tmp_path / "overlay.mp4").close()
    assert listing(tmp_path) == []


def test_an_overlay_on_a_full_disk_leaves_nothing(tmp_path, full_disk):
    writer = OverlayWriter(tmp_path / "overlay.mp4")
    writer.write(FrameResult(frames()[0], scene_ids(1)[0]))
    full_disk()
    with pytest.raises(OutputError, match=r"overlay\.mp4: No space left"):
        writer.close()
    assert listing(tmp_path) == []


def test_overlay_without_the_encoder_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(OutputError, match=r"no H\.264 encoder.*pip install"):
        OverlayWriter(tmp_path / "overlay.mp4")


def test_overlay_keeps_the_colours(tmp_path):
    red = np.full((64, 64, 3), (200, 30, 60), np.uint8)
    write_all(OverlayWriter(tmp_path / "red.mp4"), frames_from_arrays([red]), [np.zeros((64, 64), np.uint8)])
    assert closeness(next(iter(open_source(tmp_path / "red.mp4"))).image, red) < 3


def decoded(annotation):
    return run_length.decode(annotation["segmentation"]).astype(bool)


@old_pycocotools
def test_coco_holds_every_object_of_every_frame(tmp_path):
    masks = [*scene_ids(2), np.zeros((48, 64), np.uint8)]
    write_all(CocoWriter(tmp_path / "coco.json", "clip", Appearance(names={5: "sign"})), frames(), masks)
    assert listing(tmp_path) == ["coco.json"]
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["00000.png", "00001.png", "00002.png"]
    assert [(c["id"], c["name"]) for c in content["categories"]] == [(1, "object 1"), (5, "sign")]
    assert [annotation["id"] for annotation in content["annotations"]] == [1, 2, 3, 4]
    for annotation in content["annotations"]:
        truth = masks[annotation["image_id"] - 1] == annotation["category_id"]
        np.testing.assert_array_equal(decoded(annotation), truth)
        assert annotation["area"] == truth.sum()
        rows, columns = np.nonzero(truth)
        assert annotation["bbox"] == [
            columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        ]  # fmt: skip
        assert annotation["track_id"] == annotation["category_id"]
        assert annotation["iscrowd"] == 0


@old_pycocotools
def test_coco_loads_in_the_official_reader(tmp_path):
    from pycocotools.coco import COCO

    write_all(CocoWriter(tmp_path / "coco.json"), frames(), scene_ids(3))
    reader = COCO(str(tmp_path / "coco.json"))
    assert len(reader.getAnnIds(catIds=[5])) == 3
    np.testing.assert_array_equal(reader.annToMask(reader.loadAnns([1])[0]), scene_ids(1)[0] == 1)


def test_an_interrupted_coco_run_continues(tmp_path):
    path = tmp_path / "coco.json"
    whole = tmp_path / "whole.json"
    write_all(CocoWriter(whole), frames(4), scene_ids(4))
    first = CocoWriter(path)
    for frame, ids in list(zip(frames(4), scene_ids(4), strict=True))[1:3]:
        first.write(FrameResult(frame, ids))
    first.abort()
    assert not path.exists()
    with first.partial_path.open("ab") as file:
        file.write(b'{"image": {"frame_ind')  # killed in the middle of a line
    second = CocoWriter(path, resume=True)
    assert second.finished_frames == {1, 2}
    write_all(second, frames(4), scene_ids(4))
    assert path.read_text() == whole.read_text()
    before = path.read_text()
    write_all(CocoWriter(path, resume=True), frames(4), scene_ids(4))
    assert path.read_text() == before
    write_all(CocoWriter(path, resume=False), frames(1), scene_ids(1))
    assert len(json.loads(path.read_text())["images"]) == 1
    assert listing(tmp_path) == ["coco.json", "whole.json"]


def test_a_coco_run_cut_at_any_byte_keeps_its_whole_frames(tmp_path):
    path = tmp_path / "coco.json"
    whole = tmp_path / "whole.json"
    write_all(CocoWriter(whole), frames(3), scene_ids(3))
    first = CocoWriter(path)
    for frame, ids in zip(frames(3), scene_ids(3), strict=True):
        first.write(FrameResult(frame, ids))
    content = first.partial_path.read_bytes()
    for size in range(len(content) + 1):
        first.partial_path.write_bytes(b"garbage\n" + content[:size])
        again = CocoWriter(path, resume=True)
        assert again.finished_frames == set(range(content[:size].count(b"\n")))
        if size % 50 == 0:
            write_all(again, frames(3), scene_ids(3))
            assert path.read_bytes() == whole.read_bytes()
            path.unlink()


def test_coco_on_a_full_disk_keeps_the_frames(tmp_path, full_disk):
    writer = CocoWriter(tmp_path / "coco.json")
    writer.write(FrameResult(frames()[0], scene_ids(1)[0]))
    full_disk()
    with pytest.raises(OutputError, match=r"coco\.json: No space left"):
        writer.close()
    assert CocoWriter(tmp_path / "coco.json", resume=True).finished_frames == {0}


class Recorder(ResultWriter):
    def __init__(self, error=None, gate=None):
        self.names, self.ended, self.error, self.gate = [], [], error, gate
        self.threads = set()

    def write(self, result):
        if self.gate:
            self.gate.wait(5)
        if self.error and self.names:
            raise self.error
        self.names.append(result.name)
        self.threads.add(threading.current_thread().name)

    def close(self):
        self.ended.append("closed")

    def abort(self):
        self.ended.append("aborted")


def running():
    return [thread for thread in threading.enumerate() if thread.name == "cyclevos-write-behind"]


def test_write_behind_writes_all_in_order():
    recorder = Recorder()
    write_all(write_behind(recorder, depth=2), frames(20, 8, 8), scene_ids(20, 8, 8))
    assert recorder.names == [f"{index:05d}" for index in range(20)]
    assert recorder.threads == {"cyclevos-write-behind"}
    assert recorder.ended == ["closed"]
    assert not running()


def test_write_behind_does_not_wait_for_the_disk_but_is_bounded():
    gate = threading.Event()
    recorder = Recorder(gate=gate)
    writer = write_behind(recorder, depth=4)
    shown, masks = frames(5, 8, 8), scene_ids(5, 8, 8)
    for frame, ids in zip(shown[:4], masks[:4], strict=True):
        writer.write(FrameResult(frame, ids))
    assert recorder.names == []
    gate.set()
    writer.close()
    assert len(recorder.names) == 4


def test_write_behind_raises_at_the_next_write_or_at_close():
    recorder = Recorder(error=OSError(errno.ENOSPC, "No space left on device"))
    writer = write_behind(recorder)
    shown, masks = frames(3, 8, 8), scene_ids(3, 8, 8)
    for frame, ids in zip(shown[:2], masks[:2], strict=True):
        writer.write(FrameResult(frame, ids))
    with pytest.raises(OutputError, match=r"No space left.*Free some space"):
        writer.close()
    assert recorder.ended == ["aborted"]
    writer = write_behind(Recorder(error=RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        write_all(writer, frames(500, 8, 8), scene_ids(500, 8, 8))
    assert not running()


def test_write_behind_keeps_what_waits_when_the_run_is_stopped():
    recorder = Recorder()

    def stopped():
        with write_behind(recorder) as writer:
            for frame, ids in zip(frames(5, 8, 8), scene_ids(5, 8, 8), strict=True):
                writer.write(FrameResult(frame, ids))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(recorder.names) == 5
    assert recorder.ended == ["aborted"]
    assert not running()


def test_contact_sheet_lays_out_a_grid():
    images = [np.full((20, 40, 3), 40 * (index + 1), np.uint8) for index in range(5)]
    sheet = contact_sheet(images, [f"image {index}" for index in range(5)], columns=2, width=208)
    assert sheet.shape == (4 + 3 * (49 + 14 + 4), 208, 3)
    found = {value for value in np.unique(sheet) if (sheet == value).sum() > 3000}
    assert {40, 80, 120, 160, 200} <= found
    with pytest.raises(ValueError, match="as many labels as images"):
        contact_sheet(images, ["one"])
    with pytest.raises(ValueError, match="fit into the width"):
        contact_sheet(images, ["x"] * 5, columns=5, width=10)
