import os
import shutil

import pytest
from clips import scene, write_images, write_video

from cyclevos.errors import VideoError
from cyclevos.media import source_identity as module
from cyclevos.media.source_identity import source_identity


def test_a_copy_is_the_same_whatever_its_times_and_its_place(tmp_path):
    folder = write_images(tmp_path / "frames", scene(3))
    video = write_video(tmp_path / "clip.mp4", scene(3))
    shutil.copytree(folder, tmp_path / "moved" / "frames")
    shutil.copy(video, tmp_path / "moved" / "clip.mp4")
    for path in (tmp_path / "moved").rglob("*.*"):
        os.utime(path, (1, 1))
    assert source_identity(tmp_path / "moved" / "frames") == source_identity(folder)
    assert source_identity(tmp_path / "moved" / "clip.mp4") == source_identity(video)
    assert source_identity(folder).startswith("3 frames, ")


@pytest.mark.parametrize("change", ["first", "last", "renamed", "added", "longer"])
def test_another_folder_under_the_same_name_is_noticed(tmp_path, change):
    folder = write_images(tmp_path / "frames", scene(4), ".bmp")
    before = source_identity(folder)
    if change in ("first", "last"):
        file = folder / ("00000.bmp" if change == "first" else "00003.bmp")
        file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    elif change == "renamed":
        (folder / "00002.bmp").rename(folder / "00002a.bmp")
    elif change == "added":
        shutil.copy(folder / "00003.bmp", folder / "00004.bmp")
    else:
        (folder / "00001.bmp").write_bytes((folder / "00001.bmp").read_bytes() + b"\0")
    assert source_identity(folder) != before


@pytest.mark.parametrize("place", [0, -1])
def test_of_a_video_both_ends_count_and_its_size(tmp_path, monkeypatch, place):
    monkeypatch.setattr(module, "_END_BYTES", 10)
    file = tmp_path / "a.mp4"
    content = bytearray(range(100))
    file.write_bytes(content)
    before = source_identity(file)
    content[50] ^= 1
    file.write_bytes(content)
    assert source_identity(file) == before, "what lies between is not read"
    content[place] ^= 1
    file.write_bytes(content)
    assert source_identity(file) != before
    file.write_bytes(bytes(range(101)))
    assert source_identity(file) != before


def test_a_source_that_went_away_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4 cannot be read"):
        source_identity(tmp_path / "gone.mp4")
