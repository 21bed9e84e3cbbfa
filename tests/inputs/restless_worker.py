"""A process that changes projects without a pause until it is killed: what a server does, without its requests.

Run as a program with the projects' folder and a seed. The project `clip` has two states, by a step of all its frames.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.workspace import Workspace
from cyclevos.errors import CycleVOSError

ID = "clip"


def ids_of(state: int, index: int, size: tuple[int, int]) -> np.ndarray:
    """The mask of a frame in one of the two states; each is another one."""
    ids = np.zeros(size, np.uint8)
    ids[2 : 4 + index, 3 : 6 + state] = 1 + state
    return ids


def put_state(project: Project, state: int) -> None:
    """Bring a project into a state by one step."""

    def make(index: int) -> None:
        draft.track(index, ids_of(state, index, project.masks.size))

    with Draft(project, make) as draft:
        for index in range(project.frames):
            draft.add(index)
        with draft.step(f"State {state}"):
            project.list_objects([1 + state])


def state_of(project: Project) -> int | str | None:
    """The state that all frames of a project are in, "empty" without a mask; None if they differ."""
    if not project.masks.tracked:
        return "empty"
    for state in (0, 1):
        expected = [ids_of(state, index, project.masks.size) for index in range(project.frames)]
        shown = [project.mask(index).ids for index in range(project.frames)]
        if all(np.array_equal(a, b) for a, b in zip(shown, expected, strict=True)):
            return state
    return None


def work(workspace: Workspace, choose: random.Random) -> None:
    """Do one thing, chosen at random."""
    entries = [entry["id"] for entry in workspace.listing()]
    copies = [each for each in entries if each != ID]
    what = choose.choice(["step", "undo", "redo", "version", "copy", "delete", "remove", "rename", "new"])
    if what == "copy" and len(copies) < 3:
        workspace.duplicate(ID)
    elif what == "new" and len(copies) < 3:
        put_state(workspace.create(workspace.get(ID).source.path), 0)
    elif what == "delete":
        workspace.restore(workspace.delete(choose.choice(entries)))
    elif what == "remove" and copies:
        workspace.trash.remove(workspace.delete(choose.choice(copies)))
    elif what == "rename":
        name = f"name {choose.random()}" * 2
        workspace.change(choose.choice(entries), lambda file: setattr(file, "name", name))
    elif what == "step":
        put_state(workspace.get(ID), choose.randrange(2))
    elif what in ("undo", "redo") and len(workspace.get(ID).steps.history.steps) > 1:
        history = workspace.get(ID).steps.history
        if what == "undo" and history.past.done > 1:
            workspace.get(ID).undo()
        elif what == "redo":
            workspace.get(ID).redo()
    elif what == "version":
        project = workspace.get(ID)
        with project.steps.versions.run("Track"):
            put_state(project, int(state_of(project) == 0))
        for version in project.steps.versions.listing()[-1:]:
            project.bring_back(version["id"])


def main(projects: Path, seed: int) -> None:
    """Work until the end comes; a disk that is full refuses a few things."""
    workspace, choose = Workspace(projects, [projects.parent]), random.Random(seed)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        with suppress(CycleVOSError):
            work(workspace, choose)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
