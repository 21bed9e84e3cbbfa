"""A server that is killed under an open page: what was done is there when the next one starts."""

from __future__ import annotations

import signal

import httpx
import numpy as np


def test_killing_the_server_under_an_open_page_loses_nothing(process, new_page, near_line):
    server, address, name = process()
    project = f"{address}/api/projects/{name}"
    person = new_page()
    page = person.page
    page.goto(f"{address}/?project={name}")
    person.frame(0)
    page.locator("#reading").wait_for(state="hidden")
    person.brush(6)
    person.drag((8, 5), (20, 5))
    person.press("t")
    with httpx.Client(timeout=30) as http:
        while len(http.get(project).json()["tracked"]) < 2:
            page.wait_for_timeout(5)
        server.send_signal(signal.SIGKILL)
        server.wait()
        page.locator("#saved", has_text="does not answer").wait_for()
        page.mouse.move(*person.at(8, 18))
        page.mouse.down()
        page.mouse.move(*person.at(20, 18))
        page.mouse.up()
        server, restarted, again = process(int(address.rpartition(":")[2]))
        assert (restarted, again) == (address, name)
        page.locator("#saved", has_text="All saved").wait_for()
        page.reload()
        person.frame(0)
        state = http.get(project).json()
        assert len(state["tracked"]) >= 2
        assert set(state["marks"]) == {"0"}
        painted = near_line((8, 5), (20, 5), 3) | near_line((8, 18), (20, 18), 3)
        ids = np.frombuffer(http.get(f"{project}/masks/0").content, np.uint8)
        assert np.array_equal(ids.reshape(24, 40) == 1, painted)
        person.press("t")
        person.tracked()
        assert http.get(project).json()["tracked"] == list(range(10))
