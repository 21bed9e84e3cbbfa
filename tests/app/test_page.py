"""The page and its scripts belong together: a script that asks for what the page has not stops the whole page."""

from __future__ import annotations

import re
from pathlib import Path

import cyclevos

_STATIC = Path(cyclevos.__file__).parent / "app/static"


def test_every_element_that_a_script_asks_for_is_in_the_page():
    page = set(re.findall(r'\bid="([^"]+)"', (_STATIC / "index.html").read_text(encoding="utf-8")))
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (_STATIC / "js").rglob("*.js")}
    asked = {(name, element) for name, text in scripts.items() for element in re.findall(r'\$\("([^"]+)"\)', text)}
    assert len(asked) > 100
    assert {(name, element) for name, element in asked if element not in page} == set()
