"""What is bounded: the jobs of a project, the memory of projects that nobody looks at, the time of a first seek."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.project import Project
from cyclevos.app.work.jobs import JobQueue
from cyclevos.media.open_source import open_source
from cyclevos.media.video_file import VideoFile


@pytest.fixture
def held(monkeypatch):
    """Jobs that export wait until this is set."""
    event = threading.Event()

    def work(project, kinds, folder, job):
        event.wait(20)
        return {"file": "x.zip"}

    monkeypatch.setattr("cyclevos.app.server.routes.work._export", work)
    yield event
    event.set()


def test_the_same_export_twice_is_one_job_until_something_is_painted(client, clip, held, square):
    project = client.open(clip)

    def export():
        return client.json("POST", f"/projects/{project}/export", 202, json={"kinds": ["masks"]})["id"]

    first = export()
    assert export() == first
    client.paint(project, 0, square)
    assert export() != first


def test_jobs_that_wait_are_bounded(client, clip, held, square):
    project = client.open(clip)
    kinds = ["masks", "overlay", "coco", "reliability", "cvat"]
    several = [[a, b] for a in kinds for b in kinds]
    path = f"/projects/{project}/export"
    answers = [client.http.request("POST", f"/api{path}", json={"kinds": each}) for each in several]
    assert [answer.status_code for answer in answers[:20]] == [202] * 20
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(refused) in (4, 5), "one works, twenty wait"
    assert refused[0].json()["problem"] == "20 jobs of this project wait already."


def test_another_project_s_jobs_do_not_count(clip, tmp_path, client):
    first = client.http.app.services.workspace.get(client.open(clip))
    second = client.http.app.services.workspace.get(client.open(clip))
    queue, go_on = JobQueue(), threading.Event()

    def work(_):
        go_on.wait(20)
        return {}

    working = queue.add("export", first, work)
    client.wait(lambda: working.status == "running")
    for _ in range(20):
        queue.add("export", first, work)
    with pytest.raises(ConflictError):
        queue.add("export", first, work)
    assert queue.add("export", second, work).status == "queued"
    go_on.set()
    queue.close()


@pytest.fixture
def video(options):
    """A video of sixty frames with a keyframe every ten."""
    path = options.folders[0] / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(60):
            image = np.full((48, 64, 3), 4 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_after_a_restart_the_first_seek_does_not_decode_what_is_before_it(serve, video, monkeypatch):
    client = serve()
    project = client.open(video)
    before = client.http.get(f"/api/projects/{project}/frames/55").content
    decoded = []
    frame = VideoFile._frame
    monkeypatch.setattr(VideoFile, "_frame", lambda self, index, p: decoded.append(index) or frame(self, index, p))
    client = serve()
    after = client.http.get(f"/api/projects/{project}/frames/55").content
    assert after == before
    assert set(decoded) <= {0, 55}, "frame 0 tells the size"
    assert client.http.app.services.workspace.get(project).index.seek.keyframes[:2] == [0, 10]


def test_a_table_of_another_file_is_not_used(serve, video, monkeypatch):
    client = serve()
    folder = client.http.app.services.workspace.projects / client.open(video)
    serve.stop()
    video.write_bytes(video.read_bytes() + b"\0\0\0\x08free")
    project = Project(folder)
    assert project.source.seek_table is None or project.index.content == open_source(video).content
    np.testing.assert_array_equal(project.reader.image(55), open_source(video).frame(55).image)
    project.close()
