"""Nothing in the package needs POSIX: modules that Windows lacks are imported in guarded places only."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_files import FILES, SOURCE, held_by_reading, nodes, relative

pytestmark = held_by_reading
MODULES = [
    "cyclevos." + relative(file).removesuffix(".py").replace("/", ".").removesuffix(".__init__") for file in FILES
]
MODULES = [name for name in MODULES if name not in ("cyclevos.__init__", "cyclevos.__main__")]
POSIX_ONLY = {
    "fcntl", "grp", "posix", "pty", "pwd", "resource", "spwd", "syslog", "termios", "tty", "crypt", "readline",
}  # fmt: skip
POSIX_NAMES = {
    "SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGSTOP", "SIGCONT", "fork", "forkpty", "getuid", "geteuid",
    "getgid", "chown", "mkfifo", "setsid", "killpg", "getpgid", "nice", "getloadavg", "uname", "statvfs",
}  # fmt: skip

# Imports every module while imports of those above, from this package, fail as they would on Windows.
PROGRAM = """
import builtins, importlib, json, sys
hidden, modules = json.load(sys.stdin)
real, failed = builtins.__import__, {}
def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in hidden and importer.split(".")[0] == "cyclevos":
        failed.setdefault(importer, name)
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = guarded
broken = {}
for module in modules:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        broken[module] = [error.name, [m for m in failed if m not in sys.modules]]
print(json.dumps(broken))
"""


@pytest.mark.slow
def test_every_module_is_imported_without_the_modules_that_windows_lacks():
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "OMP_NUM_THREADS": "1"}
    told = json.dumps([sorted(POSIX_ONLY), MODULES])
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    broken = json.loads(done.stdout)
    assert not broken
    assert len(MODULES) > 100


def test_names_that_windows_lacks_are_not_used():
    """`hasattr(os, "name")` asks with a string and is no use."""
    used = [(relative(file), node.attr) for file in FILES for node in nodes(file) if isinstance(node, ast.Attribute)]
    assert len(used) > 1000
    assert [(file, name) for file, name in used if name in POSIX_NAMES] == []


def test_text_files_are_opened_with_an_encoding_and_line_feeds():
    assert {relative(file): wrong for file in FILES if (wrong := opened_by_chance(file))} == {}


def opened_by_chance(file: Path) -> list[str]:
    """Calls that leave to the machine how text is written."""
    wrong = []
    for node in nodes(file):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name not in {"read_text", "write_text", "open"} or ast.unparse(node.func).startswith("av."):
            continue
        given = {keyword.arg for keyword in node.keywords}
        if name == "read_text" and "encoding" not in given:
            wrong.append(ast.unparse(node))
        if name == "write_text" and not {"encoding", "newline"} <= given:
            wrong.append(ast.unparse(node))
        modes = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        mode = next((each for each in modes if set(each) <= set("rwxabt+") and set(each) & set("wxa")), None)
        if name == "open" and mode is not None and "b" not in mode and not {"encoding", "newline"} <= given:
            wrong.append(ast.unparse(node))
    return wrong
