"""`cyclevos segment` on sources that hold more than a plain video does."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clips import write_video
from file_server import NO_LENGTH, serving
from PIL import Image

from cyclevos.media.open_source import open_source
from cyclevos.media.writers import MaskWriter

PTS = [0, 1, 9, 10, 30, 60]  # in 1/25 seconds


def overlay_times(folder):
    return [frame.time for frame in open_source(folder / "overlay.mp4")]


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_an_interrupted_run_ends_with_the_source_s_times_too(segment, tmp_path, images, monkeypatch, direction):
    video = write_video(tmp_path / "vfr.mp4", images, pts=PTS)
    write = MaskWriter.write

    def stopping(self, result):
        if result.frame.index == 3:
            raise OSError(28, "No space left on device")
        write(self, result)

    monkeypatch.setattr("cyclevos.jobs.segment_job._SECONDS_BETWEEN_STATES", 0)
    monkeypatch.setattr(MaskWriter, "write", stopping)
    assert segment("--direction", direction, source=video).code != 0
    assert not (tmp_path / "out" / "overlay.mp4").exists()
    monkeypatch.setattr(MaskWriter, "write", write)
    answer = segment("--direction", direction, source=video)
    assert answer.code == 0, answer.err
    assert overlay_times(tmp_path / "out") == pytest.approx([stamp / 25 for stamp in PTS])


def test_an_animation_is_segmented_to_its_end_and_is_the_same_run_again(segment, tmp_path, images):
    first, *others = map(Image.fromarray, images)
    path = tmp_path / "clip.webp"
    first.save(path, save_all=True, append_images=others, duration=[40, 500, 40, 40, 40, 40], lossless=True)
    assert "6 frames" in segment(source=path).out
    assert overlay_times(tmp_path / "out") == pytest.approx([0, 0.04, 0.54, 0.58, 0.62, 0.66])
    assert "finished before" in segment(source=path).out
    others[0].save(path, save_all=True, append_images=others, duration=40, lossless=True)
    again = segment(source=path)
    assert again.code == 7
    assert "another run" in again.err


def test_deinterlacing_is_offered_and_makes_another_run(segment, tmp_path, images, caplog):
    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    video = write_video(
        tmp_path / "clip.mp4", [image.repeat(2, axis=0).repeat(2, axis=1) for image in images], options=options
    )
    mask = tmp_path / "mask.png"
    Image.fromarray(np.ones((48, 80), np.uint8)).save(mask)
    answer = segment(source=video, masks=mask)
    assert answer.code == 0, answer.err
    assert caplog.text.count("--deinterlace") == 1
    caplog.clear()
    assert "another run" in segment("--deinterlace", source=video, masks=mask).err
    answer = segment("--deinterlace", "--overwrite", source=video, masks=mask)
    assert answer.code == 0, answer.err
    assert "--deinterlace" not in caplog.text


def test_one_frame_of_a_folder_and_a_frame_that_is_not_there_are_named_before_anything_is_written(
    segment, tmp_path, images
):
    folder = tmp_path / "clip2"
    folder.mkdir()
    for index, image in enumerate(images[:3]):
        Image.fromarray(image).save(folder / f"{index:05d}.png")
    answer = segment(source=folder / "00000.png")
    assert answer.code == 3
    assert f"Give the folder, {folder}" in answer.err
    (folder / "00001.png").unlink()
    (folder / "00001.png").symlink_to("gone.png")
    answer = segment(source=folder)
    assert answer.code == 3
    assert "00001.png is named like a frame, but it is a link to gone.png" in answer.err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("drawn_timelines")
def test_a_stream_is_segmented_once_and_never_continued(segment, tmp_path, images):
    with serving(write_video(tmp_path / "clip.ts", images).read_bytes()) as server:
        server.plan = [NO_LENGTH]
        refused = segment("--direction", "both", source=server.url)
        assert refused.code == 3
        assert "cannot be read backward" in refused.err
        assert not (tmp_path / "out").exists()
        answer = segment(source=server.url)
        assert answer.code == 0, answer.err
        assert "6 frames" in answer.out
        record = json.loads((tmp_path / "out" / "run.json").read_text())
        assert server.url in json.dumps(record)
        times = overlay_times(tmp_path / "out")
        assert [time - times[0] for time in times] == pytest.approx([index / 25 for index in range(6)], abs=0.002)
        assert (tmp_path / "out" / "review" / "timeline.png").is_file()
        again = segment(source=server.url)
        assert again.code == 7
        assert "another run" in again.err


def test_a_pattern_and_a_list_are_runs_of_their_own(segment, tmp_path, clip):
    answer = segment(source=clip / "shot_%03d.png")
    assert answer.code == 0, answer.err
    assert "finished before" in segment(source=clip / "shot_%03d.png").out
    assert "another run" in segment(source=clip).err
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"clip/shot_{index:03d}.png" for index in (0, 2, 4)))
    answer = segment(source=listed, output=tmp_path / "listed")
    assert answer.code == 0, answer.err
    assert "3 frames" in answer.out
    assert sorted(path.name for path in (tmp_path / "listed").glob("shot_*.png")) == [
        f"shot_{index:03d}.png" for index in (0, 2, 4)
    ]
