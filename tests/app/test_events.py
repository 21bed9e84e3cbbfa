"""The stream of news: everyone hears everything, those who fall behind fetch anew, those who leave are forgotten."""

from __future__ import annotations

import asyncio
import base64
import zlib

import numpy as np

from cyclevos.app.projects.events import Hub


def test_everyone_hears_everything_in_order():
    async def story():
        hub = Hub()
        streams = [hub.listen() for _ in range(2)]
        greetings = [await anext(stream) for stream in streams]
        for number in range(3):
            hub.publish("job", {"done": number})
        heard = [[await anext(stream) for _ in range(3)] for stream in streams]
        for stream in streams:
            await stream.aclose()
        return greetings, heard, hub.heard

    greetings, heard, still = asyncio.run(story())
    assert all("event: hello" in greeting for greeting in greetings)
    assert heard[0] == heard[1] == [f'event: job\ndata: {{"done":{number}}}\n\n' for number in range(3)]
    assert not still


def test_who_falls_behind_is_told_to_fetch_everything_anew(monkeypatch):
    monkeypatch.setattr("cyclevos.app.projects.events._WAITING", 5)

    async def story():
        hub = Hub()
        stream = hub.listen()
        await anext(stream)
        for number in range(20):
            hub.publish("job", {"done": number})
        await asyncio.sleep(0.01)
        heard = []
        while not heard or '"done":19' not in heard[-1]:
            heard.append(await anext(stream))
        await stream.aclose()
        return heard

    heard = asyncio.run(story())
    assert len(heard) <= 6
    assert any("event: hello" in text for text in heard)


def test_streams_end_with_the_server():
    async def story():
        hub = Hub()
        stream = hub.listen()
        await anext(stream)
        hub.close()
        return [text async for text in stream]

    assert asyncio.run(story()) == []


def test_silence_is_broken_by_a_heartbeat(monkeypatch):
    monkeypatch.setattr("cyclevos.app.projects.events._HEARTBEAT", 0.01)

    async def story():
        stream = Hub().listen()
        await anext(stream)
        return await anext(stream)

    assert asyncio.run(story()).startswith(":")


def test_tracking_sends_each_mask_and_the_progress(client, clip, square, news_of):
    project = client.open(clip)
    client.paint(project, 0, square)
    news = news_of(client.http.app.services.workspace.get(project))
    client.track(project)
    masks = [data for kind, data in news if kind == "mask"]
    assert [data["frame"] for data in masks] == list(range(10))
    for data in masks:
        ids = np.frombuffer(zlib.decompress(base64.b64decode(data["mask"])), np.uint8).reshape(24, 40)
        shown, tag = client.mask(project, data["frame"])
        assert np.array_equal(ids, shown)
        assert data["tag"] == tag.strip('"')
    jobs = [data for kind, data in news if kind == "job"]
    assert jobs[-1]["status"] == "done"
    assert jobs[-1]["done"] == jobs[-1]["total"] == 10


def test_a_page_that_goes_is_forgotten(client, clip):
    project = client.open(clip)
    guard, sent = client.http.app, []
    gone = asyncio.Event()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        for message in asked:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if b"hello" in message.get("body", b""):
            gone.set()

    scope = {
        "type": "http", "method": "GET", "path": f"/api/projects/{project}/events", "raw_path": b"",
        "query_string": b"", "headers": [(b"host", b"127.0.0.1:8420")], "http_version": "1.1", "scheme": "http",
        "root_path": "", "server": ("127.0.0.1", 8420), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 10))
    assert sent[0]["status"] == 200
    assert not guard.services.workspace.get(project).hub.heard
