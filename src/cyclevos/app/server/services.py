"""The parts of the server that every route uses: projects, jobs, network, prompter."""

from __future__ import annotations

from dataclasses import dataclass

from cyclevos.app.projects.workspace import Workspace
from cyclevos.app.work.batch import TrackBatch
from cyclevos.app.work.jobs import JobQueue
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.prompter_holder import PrompterHolder


@dataclass(frozen=True)
class Services:
    """The parts of one server.

    Attributes:
        workspace: its projects.
        queue: its jobs.
        network: loaded on first use.
        prompter: the same, for the tool Point.
        batch: projects that are tracked one after another.
        max_upload: bytes of a video that a page may send.
    """

    workspace: Workspace
    queue: JobQueue
    network: NetworkHolder
    prompter: PrompterHolder
    batch: TrackBatch
    max_upload: int

    def close(self) -> None:
        """Stop all jobs and close the projects."""
        self.batch.close()
        self.queue.close()
        self.workspace.close()
