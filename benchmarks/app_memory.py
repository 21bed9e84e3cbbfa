"""Memory of the app's server over a long session: its RSS against rounds of work, over HTTP, as a page sends them.

Usage:
    python benchmarks/app_memory.py [--minutes 20] [--height 480] [--frames 240] [--projects 1] [--light]

The server is a process of its own, with a page that listens to its events. Each round goes to a frame at random,
fetches its picture and its mask, clicks on it with the tool Point and paints a stroke. Every 7th round undoes the
stroke, every 10th tracks five frames, every 40th exports the masks, and every 120th imports them again, as one step.
With several projects, each has a page, and they take turns of 17 rounds.
The caches of pictures are bounded, so the RSS must stop growing once they are full.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from clips import write_clip
from serving import serving

_TURN = 17  # rounds; no divisor of the rounds between exports, so that each project exports and imports


def main() -> None:
    """Read the arguments, start the server and drive it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--projects", type=int, default=1)
    parser.add_argument("--light", action="store_true", help="without the networks: no tracking, no clicks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, ids = write_clip(folder / "clip.mp4", arguments.height, arguments.frames)
        with serving(clip, folder) as (server, address, project), ExitStack() as stack:
            projects = [project, *(opened(address, clip, number) for number in range(1, arguments.projects))]
            try:
                pages = [stack.enter_context(Page(address, each, ids, light=arguments.light)) for each in projects]
                drive(pages, psutil.Process(server.pid), 60 * arguments.minutes)
            except httpx.TransportError as error:
                status = server.poll()
                ended = "the server goes on" if status is None else f"the server ended with {status}"
                asked = f"{error.request.method} {error.request.url.path}"
                raise SystemExit(f"no answer to {asked} ({error!r}); {ended}") from None


def opened(address: str, clip: Path, number: int) -> str:
    """Make a project of a copy of a clip and return its id."""
    copy = clip.with_name(f"{clip.stem}-{number}{clip.suffix}")
    shutil.copy(clip, copy)
    answer = httpx.post(f"{address}/api/projects", json={"path": str(copy)}, timeout=300).raise_for_status()
    return answer.json()["id"]


class Page:
    """What a page sends; a context that listens to the project's events meanwhile."""

    def __init__(self, address: str, project: str, ids: np.ndarray[Any, Any], *, light: bool) -> None:
        self.light = light
        self.slowest = (0.0, "")
        hooks = {"request": [self._asked], "response": [self._answered]}
        self.http = httpx.Client(base_url=f"{address}/api", timeout=300, event_hooks=hooks)
        self.path, self.ids, self.random = f"/projects/{project}", ids, random.Random(0)
        self._listening = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Page:
        """Wait until the video is read, paint the first frame, and listen."""
        while self.state()["reading"] is not None:
            time.sleep(1)
        self.frames = self.state()["frames"]
        self._listening.start()
        self.paint(0, self.ids)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.http.close()

    def state(self) -> dict[str, Any]:
        """Return the project's state."""
        return self.http.get(self.path).json()

    def round(self, number: int) -> None:
        """Do a round of work."""
        index = self.random.randrange(self.frames)
        self.http.get(f"{self.path}/frames/{index}").raise_for_status()
        height, width = self.ids.shape
        x, y = self.random.uniform(0.2, 0.8) * width, self.random.uniform(0.2, 0.8) * height
        if not self.light:
            clicked = {"points": [(x, y)], "labels": [1]}
            self.http.post(f"{self.path}/frames/{index}/point", json=clicked).raise_for_status()
        stroke = self.mask(index)
        stroke[int(y) : int(y) + height // 20, int(x) : int(x) + width // 20] = 1
        self.paint(index, stroke)
        if number % 10 == 0 and not self.light:
            first = self.random.randrange(self.frames - 5)
            self.job("/track", direction="forward", first=first, last=first + 4)
        if number % 40 == 0:
            name = self.job("/export", kinds=["masks"])["result"]["file"]
            if number % 120 == 0:
                masks = self.http.get(f"{self.path}/exports/{name}").content
                self.import_masks(masks)
        if number % 7 == 0:
            self.http.post(f"{self.path}/undo").raise_for_status()

    def import_masks(self, masks: bytes) -> None:
        """Import masks of all frames; their review needs the network."""
        sent = self.http.post(f"{self.path}/results", params={"name": "masks.zip"}, content=masks).raise_for_status()
        job = sent.json()
        while self.light and job["note"] in ("", "reading the masks", "importing") and job["status"] != "done":
            time.sleep(0.1)
            job = self.http.get(f"/jobs/{job['id']}").json()
        if self.light:
            self.http.delete(f"/jobs/{job['id']}")
        self.finish(job, ended=("done", "cancelled"))

    def mask(self, index: int) -> np.ndarray[Any, Any]:
        """Return a frame's mask."""
        answer = self.http.get(f"{self.path}/masks/{index}").raise_for_status()
        self.tag = answer.headers["etag"]
        return np.frombuffer(answer.content, np.uint8).reshape(self.ids.shape).copy()

    def paint(self, index: int, ids: np.ndarray[Any, Any]) -> None:
        """Save a frame's mask."""
        self.mask(index)
        headers = {"If-Match": self.tag, "Content-Encoding": "gzip"}
        body = gzip.compress(ids.tobytes(), 1)
        self.http.put(f"{self.path}/masks/{index}", content=body, headers=headers).raise_for_status()

    def job(self, path: str, **body: Any) -> dict[str, Any]:
        """Start a job and wait for its end."""
        return self.finish(self.http.post(self.path + path, json=body).raise_for_status().json())

    def finish(self, job: dict[str, Any], ended: tuple[str, ...] = ("done",)) -> dict[str, Any]:
        """Wait for a job's end."""
        while job["status"] in ("queued", "running"):
            time.sleep(0.1)
            job = self.http.get(f"/jobs/{job['id']}").json()
        if job["status"] not in ended:
            raise SystemExit(f"a job failed: {job['error']}")
        return job

    def _asked(self, request: httpx.Request) -> None:
        request.extensions["asked"] = time.monotonic()

    def _answered(self, response: httpx.Response) -> None:
        seconds = time.monotonic() - response.request.extensions["asked"]
        self.slowest = max(self.slowest, (seconds, f"{response.request.method} {response.request.url.path}"))

    def _listen(self) -> None:
        with self.http.stream("GET", f"{self.path}/events", timeout=None) as events:
            for _ in events.iter_bytes():
                pass


def drive(pages: list[Page], process: psutil.Process, seconds: float) -> None:
    """Do rounds until the time is up and print the RSS after every twentieth, and how it grew over each quarter."""
    begun, seen = time.monotonic(), []
    number = 0
    while time.monotonic() - begun < seconds:
        pages[number // _TURN % len(pages)].round(number + 1)
        number += 1
        seen.append(process.memory_info().rss / 1e6)
        if number % 20 == 0:
            print(f"{number} rounds, {time.monotonic() - begun:.0f} s: RSS {seen[-1]:.0f} MB", flush=True)
    quarters = np.array_split(np.array(seen), 4)
    print("mean RSS of each quarter: " + ", ".join(f"{each.mean():.0f} MB" for each in quarters), flush=True)
    print("the slowest request: {:.1f} s, {}".format(*max(page.slowest for page in pages)), flush=True)


if __name__ == "__main__":
    os.nice(1)
    main()
