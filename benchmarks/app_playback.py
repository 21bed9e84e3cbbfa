"""Times playing and seeking in the app: frames shown in Chromium, their cost, the first frame after a restart.

Usage:
    python benchmarks/app_playback.py [--only playing|seeking|costs] [--seconds 5]

``playing``   the bundled clip at 480p, 1080p and 4K with a mask on each frame: frames shown per second of the video's
              24, and how far the frame on screen is behind the clock on average, and at most
``seeking``   a video of 2,100 frames at 480p, a keyframe every 250: the time from the request for frame 1990, the first
              one to a server that was started again, to the last byte of its answer
``costs``     CPU time of the server for a frame and its mask, beside decoding, at the video's size and reduced for
              playing: the least of seven, which counts on a busy machine, too
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from clips import write_clip
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from serving import chromium, serving
from shown_frames import shown_frames, watch

from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.mask_pngs import encode, read_ids
from cyclevos.app.server.wire import Fit, mask_response
from cyclevos.media.decoded_frame import reduced_frame
from cyclevos.media.open_source import open_source
from cyclevos.pictures.jpeg import jpeg_bytes
from cyclevos.pictures.reduced import reduced_size

_RATE = 24
_LONG, _WANTED = 2100, 1990
_FIT = Fit.W960  # what a window of 1280x720 asks for


def main() -> None:
    """Read the arguments and run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["playing", "seeking", "costs"])
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.only in (None, "playing"):
            for height in (480, 1080, 2160):
                playing(Path(name), height, arguments.seconds)
        if arguments.only in (None, "seeking"):
            seeking(Path(name))
        if arguments.only in (None, "costs"):
            for height in (1080, 2160):
                costs(Path(name), height)


def playing(folder: Path, height: int, seconds: int) -> None:
    """Play a clip and print how many frames were shown, and how late."""
    program = chromium()
    clip, ids = write_clip(folder / f"{height}.mp4", height, _RATE * seconds)
    with serving(clip, folder) as (_, address, project), sync_playwright() as driver:
        wait_until_read(address, project)
        import_masks(address, project, ids, _RATE * seconds)
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"{address}/?project={project}")
        page.locator("#canvas[data-frame='0']").wait_for()
        page.locator("#reading").wait_for(state="hidden")
        print(f"{height}p: {played(page, _RATE * seconds)}", flush=True)
        browser.close()


def played(page: Page, frames: int) -> str:
    """Play to the end and return what was seen."""
    watch(page)
    page.keyboard.press("Space")
    page.locator(f"#canvas[data-frame='{frames - 1}']").wait_for(timeout=120_000)
    shown = np.array(shown_frames(page))
    seconds = (shown[:, 1] - shown[0, 1]) / 1000
    late = seconds - (shown[:, 0] - shown[0, 0]) / _RATE
    return (
        f"{(len(shown) - 1) / seconds[-1]:.1f} frames/s shown of {_RATE}; {seconds[-1]:.1f} s for "
        f"{(shown[-1, 0] - shown[0, 0]) / _RATE:.1f} s of video; behind by {1000 * np.mean(late):.0f} ms, at most "
        f"{1000 * np.max(late):.0f} ms"
    )


def import_masks(address: str, project: str, ids: np.ndarray, frames: int) -> None:
    """Give every frame a mask."""
    picture, archive = io.BytesIO(), io.BytesIO()
    Image.fromarray(ids).save(picture, format="PNG")
    with zipfile.ZipFile(archive, "w") as packed:
        for index in range(frames):
            packed.writestr(f"{index:05d}.png", picture.getvalue())
    path = f"{address}/api/projects/{project}"
    httpx.post(f"{path}/results?name=masks.zip", content=archive.getvalue(), timeout=120).raise_for_status()
    while len(httpx.get(path, timeout=120).json()["tracked"]) < frames:
        time.sleep(0.2)
    for job in httpx.get(path, timeout=120).json()["jobs"]:  # the review is not what is measured
        httpx.delete(f"{address}/api/jobs/{job['id']}", timeout=120)
    while httpx.get(path, timeout=120).json()["jobs"]:
        time.sleep(0.2)


def seeking(folder: Path) -> None:
    """Print how long the first seek takes after a restart."""
    clip, _ = write_clip(folder / "long.mp4", 480, _LONG)
    with serving(clip, folder) as (_, address, project):
        wait_until_read(address, project)
    times = []
    for _ in range(3):
        with serving(clip, folder) as (_, address, project):
            begun = time.monotonic()
            httpx.get(f"{address}/api/projects/{project}/frames/{_WANTED}", timeout=120).raise_for_status()
            times.append(time.monotonic() - begun)
    print(f"frame {_WANTED} of {_LONG} after a restart: {np.median(times):.2f} s, the slowest of 3 {max(times):.2f} s")


def costs(folder: Path, height: int) -> None:
    """Print what a frame and its mask cost the server."""
    clip, ids = write_clip(folder / f"costs{height}.mp4", height, 4)
    source, file = open_source(clip), folder / f"{height}.png"
    frame = next(source.unconverted(0))
    file.write_bytes(encode(ids))
    reduced = reduced_size(source.size, _FIT)
    parts = {
        "frame": lambda: jpeg_bytes(frame.image, 90, full_colour=True),
        f"frame {_FIT} pixels wide": lambda: jpeg_bytes(reduced_frame(frame, reduced), 90),
        "mask read": lambda: FrameMask(read_ids(file, source.size), None, True).tag,
        "mask packed": lambda: mask_response(ids, {}),
        f"mask {_FIT} pixels wide packed": lambda: mask_response(ids, {}, _FIT),
    }
    print(f"{height}p: " + ", ".join(f"{name} {1000 * least(part):.1f} ms" for name, part in parts.items()))


def least(work: Callable[[], object]) -> float:
    """Return the least CPU time of seven calls, in seconds."""
    times = []
    for _ in range(7):
        begun = time.thread_time()
        work()
        times.append(time.thread_time() - begun)
    return min(times)


def wait_until_read(address: str, project: str) -> None:
    """Wait until the video is indexed."""
    while httpx.get(f"{address}/api/projects/{project}", timeout=120).json()["reading"] is not None:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
