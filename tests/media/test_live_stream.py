"""Videos at addresses: files on a server, streams that play once, cameras; and what is refused by name."""

from contextlib import closing
from pathlib import Path
from socket import socket

import numpy as np
import pytest
from clips import images_of, scene, write_video
from file_server import NO_LENGTH, NO_RANGES, PAGE, SEEKABLE, serving

from cyclevos.errors import VideoError
from cyclevos.media.addresses import address_of
from cyclevos.media.live_stream import LiveStream
from cyclevos.media.open_source import open_source
from cyclevos.media.video_file import VideoFile

FAST = {"movflags": "faststart"}


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", scene(8), gop=4, container_options=FAST)


@pytest.fixture
def endless(tmp_path):
    """A transport stream has no length in its header."""
    return write_video(tmp_path / "clip.ts", scene(8), gop=4)


def free_port():
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("plan", [SEEKABLE, NO_RANGES])
def test_a_file_on_a_server_is_read_as_the_file_is(clip, plan):
    expected = images_of(open_source(clip))
    with serving(clip.read_bytes()) as server:
        server.plan = [plan]
        source = open_source(server.url)
        assert isinstance(source, VideoFile)
        np.testing.assert_array_equal(images_of(source), expected)
        np.testing.assert_array_equal(images_of(reversed(source)), expected[::-1])
        np.testing.assert_array_equal(next(source.iterate(start=5)).image, expected[5])
        assert (source.name, source.location, source.len_hint) == ("net", server.url, 8)
        assert source.can_be_read_again
        assert source.identity == open_source(server.url).identity
        server.content = write_video(clip.parent / "other.mp4", scene(9), container_options=FAST).read_bytes()
        assert source.identity != open_source(server.url).identity


def test_a_stream_without_length_is_read_once_and_forward(endless, caplog):
    with serving(endless.read_bytes()) as server:
        server.plan = [NO_LENGTH]
        source = open_source(server.url)
        assert isinstance(source, LiveStream)
        assert (source.size, source.len_hint, source.can_be_read_again) == ((48, 64), None, False)
        assert next(source.iterate()).index == 0
        frames = list(source.iterate())
        assert [frame.name for frame in frames] == [f"{index:05d}" for index in range(8)]
        np.testing.assert_array_equal(images_of(frames), images_of(open_source(endless)))
        assert float(frames[5].time - frames[0].time) == pytest.approx(0.2)
        assert float(source.playback.begins) == pytest.approx(frames[0].time)
        assert "The stream is taken to end here" in caplog.text  # without a length, an end and a break look alike
        with pytest.raises(VideoError, match=r"can be read only once. Record it first: ffmpeg -t 60 -i http://"):
            list(source.iterate())
        with pytest.raises(VideoError, match=r"cannot be read backward.*--direction forward"):
            source.iterate(reverse=True)
        assert source.identity != open_source(server.url).identity
        assert [frame.index for frame in open_source(server.url).iterate(start=6)] == [6, 7]


def test_what_a_server_answers_instead_of_a_video_is_told(clip):
    with serving(clip.read_bytes()) as server:
        for plan, says in (
            (404, "404"),
            (PAGE, "cannot be read as a video"),
            (("break", 900), "no frame that can be decoded"),
        ):
            server.plan = [plan]
            with pytest.raises(VideoError, match=says) as error:
                list(open_source(server.url))
            assert server.url in str(error.value)


def test_a_playlist_on_a_server_reads_no_file_of_this_machine(clip):
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n"
    with serving(playlist.encode()) as server, pytest.raises(VideoError):
        list(open_source(server.url + ".m3u8"))


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp", "tcp"])
def test_where_nothing_answers_the_address_is_named_without_its_password(scheme):
    port = free_port()
    with pytest.raises(VideoError, match="cannot be read as a video") as error:
        open_source(f"{scheme}://me:secret@127.0.0.1:{port}/live")
    assert f"{scheme}://127.0.0.1:{port}/live" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("place", ["97", "/dev/video97"])
def test_a_camera_that_is_not_there_is_named(place, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(VideoError, match=r"camera /dev/video97 cannot be opened.*Check that it is connected"):
        open_source(place)


def test_a_folder_named_by_a_number_is_that_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("0").mkdir()
    assert address_of("0") is None
    assert address_of(Path("C:/clip.mp4")) is None
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(VideoError, match="cameras have no numbers"):
        address_of("1")


def test_addresses_that_cannot_be_used_are_refused_by_name():
    for place, says in [
        (Path("https://host/clip.mp4"), "as text"),
        ("file:///tmp/clip.mp4", "give the path"),
        ("s3://bucket/clip.mp4", r"s3:// is not known here.*Download"),
    ]:
        with pytest.raises(VideoError, match=says):
            open_source(place)


@pytest.mark.parametrize(
    ("place", "text", "name"),
    [
        ("https://u:p@host:8443/a/clip%201.mp4?x=1", "https://host:8443/a/clip%201.mp4?x=1", "clip 1.mp4"),
        ("rtsp://host", "rtsp://host", "host"),
        ("/dev/video3", "camera /dev/video3", "video3"),
    ],
)
def test_an_address_has_a_name_for_results(place, text, name):
    address = address_of(place)
    assert (str(address), address.name) == (text, name)
