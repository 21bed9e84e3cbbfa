"""Nothing in the package needs POSIX: modules that Windows lacks are imported in guarded places only."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cyclevos

SOURCE = Path(cyclevos.__file__).parent
FILES = {file.relative_to(SOURCE).as_posix(): file for file in sorted(SOURCE.rglob("*.py"))}
MODULES = ["cyclevos." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for path in FILES]
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


@pytest.mark.parametrize("path", FILES)
def test_names_that_windows_lacks_are_not_used(path):
    """`hasattr(os, "name")` asks with a string and is no use."""
    used = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not used & POSIX_NAMES


@pytest.mark.parametrize("path", FILES)
def test_text_files_are_opened_with_an_encoding_and_line_feeds(path):
    wrong = []
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func).startswith("av."):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        given = {keyword.arg for keyword in node.keywords}
        if name == "read_text" and "encoding" not in given:
            wrong.append(ast.unparse(node))
        if name == "write_text" and not {"encoding", "newline"} <= given:
            wrong.append(ast.unparse(node))
        modes = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        mode = next((each for each in modes if set(each) <= set("rwxabt+") and set(each) & set("wxa")), None)
        if name == "open" and mode is not None and "b" not in mode and not {"encoding", "newline"} <= given:
            wrong.append(ast.unparse(node))
    assert wrong == []


def tree(path: str) -> ast.Module:
    return ast.parse(FILES[path].read_text(encoding="utf-8"))
