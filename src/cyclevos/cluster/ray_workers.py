"""Clips on a Ray cluster: one actor per device holds the network, the driver hands out clips and keeps the record."""

from __future__ import annotations

import logging
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from cyclevos.errors import ConfigError, FailedClipsError, MissingExtraError
from cyclevos.jobs.batch import Record
from cyclevos.jobs.clips import COMMAND_ERRORS, Clip, ClipRunner, failed_record
from cyclevos.jobs.segment_job import SegmentJob, weights_file

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MissingExtraError(
        "--cluster needs Ray, which is not installed. Install it with: pip install 'cyclevos[cluster]'"
    ) from error

_RETRIES = 1  # of a clip whose worker died, before it counts as failed
_PATIENCE = 10.0  # seconds for a cluster to answer
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
logger = logging.getLogger(__name__)


class _Worker:
    """Lives in a process of its own, on whatever machine Ray finds for it."""

    def __init__(self, job: SegmentJob, later: bool, threads: int | None, command: list[str]) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        sys.argv = command  # for the record: what the user called, not what Ray did
        context = ray.get_runtime_context()
        self._wrong: Exception | None = None
        try:
            self._runner = ClipRunner(
                job, later=later, worker=f"{context.get_node_id()[:8]}/{context.get_worker_id()[:8]}"
            )
        except COMMAND_ERRORS as error:
            self._wrong = error

    def run_record(self) -> Record | Exception:
        """Return the record of a run's start; what is wrong with the command comes back as it is."""
        return self._wrong or self._runner.run_record()

    def run(self, clip: Clip) -> Record | Exception:
        """Segment a clip; what is wrong with the command comes back as it is."""
        try:
            return self._runner.run(clip)
        except COMMAND_ERRORS as error:
            return error


class RayWorkers:
    """Actors that segment clips.

    Where a worker dies Ray starts it anew, on another machine if need be, and the clip goes on where its folder
    says that it stopped.

    Args:
        job: the settings; its output must lie where every machine sees it.
        later: follow objects that appear after the first mask too.
        address: ``auto`` for the cluster this machine belongs to, or one of its own; ``local`` for one of its own;
            else of a cluster.
        count: actors; None = one for each GPU, or on CPUs one for each machine.

    Raises:
        ConfigError: no cluster answers at the address.
    """

    def __init__(self, job: SegmentJob, *, later: bool, address: str, count: int | None) -> None:
        _connect(address)
        resources = ray.cluster_resources()
        gpus = 0 if job.device == "cpu" else int(resources.get("GPU", 0))
        nodes = [node for node in ray.nodes() if node["Alive"]]
        count = count or gpus or len(nodes)
        threads = None if gpus else max(1, int(resources.get("CPU", 1)) // count)
        file = weights_file(job.weights)
        weights = job.weights if file is None or not Path(job.weights).exists() else str(file.resolve())
        job = replace(job, weights=weights, output=job.output.resolve(), quiet=True)
        options: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": threads}
        remote = ray.remote(**options, max_restarts=-1, max_task_retries=_RETRIES)(_Worker)
        self._actors = [remote.remote(job, later, threads, list(sys.argv)) for _ in range(count)]

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()

    def run_record(self) -> Record:
        """Return the record of a run's start, as the first worker that is there tells it.

        Raises:
            ConfigError, WeightsError, MissingExtraError: the command is wrong.
        """
        asked = [actor.run_record.remote() for actor in self._actors]
        (first, *_), _ = ray.wait(asked)
        return {**_record(ray.get(first)), "workers": len(self._actors)}

    def execute(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, Record]]:
        """Run clips and yield each with its record as it ends; a clip goes to a worker only once that is there.

        Raises:
            ConfigError, WeightsError, MissingExtraError: the command is wrong.
            FailedClipsError: no worker is left.
        """
        waiting = deque(clips)
        pending: dict[Any, tuple[Any, Clip | None]] = {
            actor.run_record.remote(): (actor, None) for actor in self._actors
        }
        left = len(clips)
        while left:
            if not pending:
                raise FailedClipsError(
                    f"All {len(self._actors)} workers of the cluster are gone with {left} sequences left. What is "
                    "finished stays: look at the cluster's logs, then run the same command again."
                )
            (answer,), _ = ray.wait(list(pending))
            actor, clip = pending.pop(answer)
            try:
                record, alive = _record(ray.get(answer)), True
            except RayError as error:
                logger.warning("a worker of the cluster failed: %s", _first_line(error))
                record, alive = {}, False
                if clip is not None:
                    record = failed_record(clip, f"its worker died: {_first_line(error)}")
                    pending[actor.run_record.remote()] = (actor, None)  # has Ray brought it back?
            if alive and waiting:
                following = waiting.popleft()
                pending[actor.run.remote(following)] = (actor, following)
            if clip is not None:
                left -= 1
                yield clip, record


def _connect(address: str) -> None:
    """Join a cluster, or start one here; somebody must listen at an address, for Ray itself would wait for minutes."""
    try:
        if address not in ("auto", "local"):
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
        if address == "auto" and not _joined("auto"):
            logger.info("no Ray cluster runs here: starting one on this machine")
            address = "local"
        if address == "local":
            ray.init(address="local", include_dashboard=False, **_QUIET)
        elif address != "auto":
            ray.init(address=address, **_QUIET)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"--cluster {address}: no Ray cluster answers there ({_first_line(error)}). Expected auto, local, "
            "HOST:PORT or ray://HOST:PORT; `ray status` on that machine tells whether one runs."
        ) from error


def _joined(address: str) -> bool:
    try:
        ray.init(address=address, **_QUIET)
    except ConnectionError:
        return False
    return True


def _record(answer: Record | Exception) -> Record:
    if isinstance(answer, Exception):
        raise answer
    return answer


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
