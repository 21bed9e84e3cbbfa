"""Images named by a pattern or in a list: which files are the frames, and what is refused by name."""

import os

import numpy as np
import pytest
from clips import images_of, scene, write_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.image_lists import listed_files
from cyclevos.media.open_source import open_source


def coloured(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    return path


def values(source):
    return [int(frame.image[0, 0, 0]) for frame in source]


def test_a_pattern_takes_its_numbered_files_by_number_and_nothing_else(tmp_path):
    for name, value in [("9.png", 9), ("10.png", 10), ("11.png", 11), ("08.png", 1), ("x8.png", 2), ("9.jpg", 3)]:
        coloured(tmp_path / name, value)
    source = open_source(tmp_path / "%d.png")
    assert values(source) == [9, 10, 11]
    assert source.frame_names == ("9", "10", "11")
    assert source.len_hint == 3
    assert (source.path, source.location) == (tmp_path, str(tmp_path / "%d.png"))
    assert source.identity != open_source(tmp_path / "%02d.png").identity
    assert open_source(tmp_path / "%02d.png").frame_names == ("08", "10", "11")


def test_a_pattern_counts_its_zeros_and_knows_a_per_cent_sign(tmp_path):
    for number in (99998, 99999, 100000):
        coloured(tmp_path / f"a%{number:05d}b.png", number % 50)
    coloured(tmp_path / "a%0099999b.png", 7)
    assert open_source(str(tmp_path / "a%%%05db.png")).frame_names == ("a%99998b", "a%99999b", "a%100000b")
    literal = coloured(tmp_path / "one" / "%05d.png", 33)
    assert values(open_source(literal)) == [33]


def test_numbers_that_are_left_out_are_said_and_shift_no_frame(tmp_path, caplog):
    write_images(tmp_path, scene(6))
    (tmp_path / "00002.png").unlink()
    (tmp_path / "00003.png").unlink()
    source = open_source(tmp_path / "%05d.png")
    assert source.frame_names == ("00000", "00001", "00004", "00005")
    assert "2 numbers between 0 and 5 are left out, the first after 1" in caplog.text
    caplog.clear()
    open_source(tmp_path)
    assert not caplog.text


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("%04d.png", r"No file in .* matches %04d\.png\. Found: 00000\.png"),
        ("gone/%05d.png", "gone does not exist"),
        ("%05d_%d.png", "2 numbers in its name"),
        ("%05d.mp4", "is not an image"),
        ("%05d.dng", "raw picture"),
        ("%s.png", "does not exist"),
    ],
)
def test_a_pattern_without_frames_is_named(tmp_path, pattern, says):
    write_images(tmp_path, scene(2))
    with pytest.raises(VideoError, match=says):
        open_source(tmp_path / pattern)


def test_a_broken_link_among_numbered_files_is_named(tmp_path):
    write_images(tmp_path, scene(3))
    (tmp_path / "00001.png").unlink()
    (tmp_path / "00001.png").symlink_to("gone.png")
    with pytest.raises(VideoError, match=r"00001\.png is named like a frame, but it is a link to gone\.png"):
        open_source(tmp_path / "%05d.png")


def test_a_list_is_read_in_its_order_and_relative_to_itself(tmp_path, monkeypatch):
    for name, value in [("b/2.png", 2), ("a/1.png", 1), ("it's 3.png", 3)]:
        coloured(tmp_path / "clip" / name, value)
    absolute = coloured(tmp_path / "else" / "4.png", 4)
    text = f"\ufeff# frames\nb/2.png\n\n a/1.png \r\nfile 'it'\\''s 3.png'\n{absolute}\n"
    (tmp_path / "clip" / "list.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")
    source = open_source(tmp_path / "clip" / "list.txt")
    assert values(source) == [2, 1, 3, 4]
    assert source.frame_names == ("2", "1", "it's 3", "4")
    assert (source.name, source.location) == ("list", str(tmp_path / "clip" / "list.txt"))
    assert source.path == tmp_path


def test_ffmpeg_s_lists_are_read_and_their_durations_said_to_have_no_effect(tmp_path, caplog):
    write_images(tmp_path, scene(2))
    text = "ffconcat version 1.0\nfile 00001.png\nduration 0.04\nfile '00000.png'\nduration 0.5\n"
    (tmp_path / "clip.ffconcat").write_text(text)
    np.testing.assert_array_equal(images_of(open_source(tmp_path / "clip.ffconcat")), scene(2)[::-1])
    assert caplog.text.count("durations") == 1


def test_files_of_one_name_in_several_folders_are_named_by_their_position(tmp_path, caplog):
    for folder in ("left", "right"):
        coloured(tmp_path / folder / "00007.png", len(folder))
    (tmp_path / "list.txt").write_text("right/00007.png\nleft/00007.png\n")
    source = open_source(tmp_path / "list.txt")
    assert source.frame_names == ("00000", "00001")
    assert values(source) == [5, 4]
    assert "named by their position: 00000 to 00001" in caplog.text
    (tmp_path / "list.txt").write_text("left/00007.png\nleft/00007.png\n")
    with pytest.raises(VideoError, match="both frame '00007'"):
        open_source(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("00000.png\n\ngone.png\n", r"list\.txt, line 3: '.*gone\.png' is not a file"),
        ("00000.png\nclip.mp4\n", r"line 2: clip\.mp4 is not an image.*-f concat"),
        ("notes.md", r"line 1: notes\.md is not an image"),
        ("shot.dng", "raw picture"),
        ("file '00000.png'\ninpoint 3", r"line 2: '.*inpoint 3' is not a file"),
        ("# nothing\n", "lists no file"),
        ("a\0b.png", "line 1: .* is not a file"),
    ],
)
def test_what_a_list_cannot_mean_is_refused_with_its_line(tmp_path, text, says):
    write_images(tmp_path, scene(1))
    for name in ("clip.mp4", "notes.md", "shot.dng"):
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(VideoError, match=says):
        open_source(tmp_path / "list.txt")


def test_a_list_that_is_no_text_or_endless_is_refused_unread(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VideoError, match="Expected text in UTF-8"):
        open_source(path)
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(VideoError, match="a list of files has at most"):
        open_source(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(content=st.binary(max_size=200) | st.text("file'\\ \n#.png01/\0", max_size=60).map(str.encode))
def test_any_list_gives_files_or_a_video_error(tmp_path, content):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    coloured(tmp_path / "0.png", 1)
    try:
        files = listed_files(path)
    except VideoError:
        return
    assert all(file.is_file() for file in files)
