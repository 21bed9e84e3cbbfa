"""Makes the film of the app, an animated WebP, and its picture: from a click to tracked and checked masks.

python scripts/app_film.py
python scripts/app_film.py --width 800 --output app.webp --picture app.jpg

A real Chromium is driven before a real server with the packaged weights. A picture is taken after each thing that a
person does, and while tracking is at work; nothing is retouched. Chromium has to be installed.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import tempfile
import threading
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from cyclevos.app.server.server import AppOptions, create_app

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = {"width": 1280, "height": 720}
CLICK = (0.46, 0.55)  # of the car in the first frame, as shares of the canvas
STRETCH = 160  # milliseconds that a picture of tracking is shown
READING = 1600  # milliseconds that what a person has done is shown


class Film:
    """Pictures of a page, each with the time that it is shown.

    Args:
        page: what is filmed.
        width: of the film in pixels.
    """

    def __init__(self, page: Page, width: int) -> None:
        self.page, self.width = page, width
        self.pictures: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, milliseconds: int = READING) -> Image.Image:
        """Take a picture, and return it at the page's own size."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        height = round(self.width * picture.height / picture.width)
        self.pictures.append(picture.resize((self.width, height), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)
        return picture

    def save(self, path: Path, quality: int) -> None:
        """Write the film."""
        first, *others = self.pictures
        first.save(path, save_all=True, append_images=others, duration=self.times, loop=0, quality=quality, method=6)


def main() -> None:
    """Read the arguments, play the story and write the film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=960, help="width of the film in pixels")
    parser.add_argument("--quality", type=int, default=60, help="quality of the WebP pictures, 0 to 100")
    parser.add_argument("--output", type=Path, default=DOCS / "app.webp")
    parser.add_argument("--picture", type=Path, default=DOCS / "app.jpg")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server, address = _serve(Path(folder))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-headless-shell"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(address)
        film = Film(page, arguments.width)
        picture = _play(film)
        browser.close()
        server.should_exit = True
    picture.save(arguments.picture, quality=85)
    film.save(arguments.output, arguments.quality)
    seconds, megabytes = sum(film.times) / 1000, arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: {len(film.pictures)} pictures, {seconds:.0f} s, {megabytes:.2f} MB")


def _serve(folder: Path) -> tuple[uvicorn.Server, str]:
    """Start a server on a free port; return it with its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(AppOptions(projects=folder)), log_config=None, access_log=False)
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    return server, f"http://127.0.0.1:{listening.getsockname()[1]}"


def _play(film: Film) -> Image.Image:
    """Play the story; return the picture that shows most of it."""
    page = film.page
    demo = page.get_by_role("button", name="Car shadow")
    demo.wait_for()
    film.take()
    demo.click()
    page.locator("#canvas[data-frame='0']").wait_for()
    page.locator("#hint", has_text="Press C").wait_for()
    film.take()
    page.keyboard.press("c")
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    at = box["x"] + CLICK[0] * box["width"], box["y"] + CLICK[1] * box["height"]
    page.mouse.move(*at)
    film.take(800)
    page.mouse.click(*at)
    page.locator("#objects li", has_text="object 1").wait_for()
    page.locator("#hint", has_text="Click what is missing").wait_for()
    page.locator("#saved", has_text="All saved").wait_for()
    film.take(2400)
    page.keyboard.press("t")
    page.locator("#follow").click()
    while page.locator("#job").is_visible():
        page.wait_for_timeout(600)
        film.take(STRETCH)
    film.take()
    page.keyboard.press("n")
    page.wait_for_timeout(800)
    shown = film.take(2400)
    for view in ("Outlines", "Cut-out", "Filled"):
        page.locator("#view").select_option(label=view)
        page.wait_for_timeout(500)
        film.take()
    page.keyboard.press("a")
    page.locator("#status", has_text="Accepted").wait_for()
    film.take()
    page.keyboard.press("h")
    page.wait_for_timeout(500)
    film.take(2400)
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    for _ in range(24):
        page.wait_for_timeout(120)
        film.take(STRETCH)
    page.keyboard.press("Space")
    return shown


if __name__ == "__main__":
    main()
