"""Clips on a Ray cluster: one actor per device holds the network; the driver hands out clips and records results."""

from __future__ import annotations

import logging
import socket
import sys
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch

from cyclevos.errors import ConfigError, FailedClipsError, MissingExtraError
from cyclevos.jobs.clip_attempt import COMMAND_ERRORS
from cyclevos.jobs.clip_record import Clip, Record, failed_record
from cyclevos.jobs.clips import ClipRunner
from cyclevos.jobs.segment_job import SegmentJob
from cyclevos.words import counted, first_line

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MissingExtraError.of("--cluster", "Ray", "cyclevos[cluster]") from error

_RETRIES = 1  # of a clip whose worker died, before it is recorded as failed
_CONNECT_TIMEOUT = 10.0  # seconds
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
logger = logging.getLogger(__name__)


class _Worker:
    """Runs in a separate process, on a machine that Ray chooses."""

    def __init__(self, job: SegmentJob, later: bool, threads: int | None, command: list[str]) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        sys.argv = command  # recorded: the user's command, not Ray's
        context = ray.get_runtime_context()
        self._wrong: Exception | None = None
        try:
            self._runner = ClipRunner(
                job, later=later, worker=f"{context.get_node_id()[:8]}/{context.get_worker_id()[:8]}"
            )
        except COMMAND_ERRORS as error:
            self._wrong = error

    def run_record(self) -> Record | Exception:
        """Return the record of a run's start; an error of the command is returned instead of raised."""
        return self._wrong or self._runner.run_record()

    def run(self, clip: Clip) -> Record | Exception:
        """Segment a clip and return its record; an error of the command is returned instead of raised."""
        try:
            return self._runner.run(clip)
        except COMMAND_ERRORS as error:
            return error


class RayWorkers:
    """Actors that segment clips.

    If a worker dies, Ray starts it again, on another machine if necessary, and the clip continues from what its
    folder holds.

    Args:
        job: the settings; its output folder must be reachable under the same path from every machine.
        later: also follow objects that appear after the first annotated frame.
        address: ``auto`` for the cluster that this machine belongs to, or a new local one without such a cluster;
            ``local`` for a new local one; else the address of a cluster.
        count: actors; None = one per GPU, or without GPUs one per machine.

    Raises:
        ConfigError: no cluster answers at the address.
    """

    def __init__(self, job: SegmentJob, *, later: bool, address: str, count: int | None) -> None:
        _connect(address)
        resources = ray.cluster_resources()
        gpus = 0 if job.network.device == "cpu" else int(resources.get("GPU", 0))
        nodes = [node for node in ray.nodes() if node["Alive"]]
        count = count or gpus or len(nodes)
        threads = None if gpus else max(1, int(resources.get("CPU", 1)) // count)
        # The actors have another working directory: relative paths would lead nowhere.
        job = replace(
            job,
            output=job.output.resolve(),
            network=job.network.with_absolute_weights(),
            results=replace(job.results, quiet=True),
        )
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
        """Return the record of a run's start, from the first worker that is ready.

        Raises:
            ConfigError, WeightsError, MissingExtraError: the command is wrong.
        """
        asked = [actor.run_record.remote() for actor in self._actors]
        (first, *_), _ = ray.wait(asked)
        return {**_record(ray.get(first)), "workers": len(self._actors)}

    def execute(self, clips: Sequence[Clip]) -> Generator[tuple[Clip, Record], None, None]:
        """Run clips and yield each with its record as it ends; a worker gets its first clip once it is ready.

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
                    f"All workers of the cluster have died with {counted(left, 'sequence')} left. "
                    "Finished sequences stay.",
                    "Look at the cluster's logs, then run the same command again.",
                )
            (answer,), _ = ray.wait(list(pending))
            actor, clip = pending.pop(answer)
            try:
                record, alive = _record(ray.get(answer)), True
            except RayError as error:
                logger.warning("a worker of the cluster failed: %s", first_line(error))
                record, alive = {}, False
                if clip is not None:
                    record = failed_record(clip, f"its worker died: {first_line(error)}")
                    pending[actor.run_record.remote()] = (actor, None)  # answers once Ray has restarted it
            if alive and waiting:
                following = waiting.popleft()
                pending[actor.run.remote(following)] = (actor, following)
            if clip is not None:
                left -= 1
                yield clip, record


def _connect(address: str) -> None:
    """Join a cluster, or start one here.

    Whether anything listens at an address is checked first: Ray itself would wait for minutes.
    """
    try:
        if address not in ("auto", "local"):
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT).close()
        if address == "auto" and not _joined("auto"):
            logger.info("no Ray cluster runs here: starting one on this machine")
            address = "local"
        if address == "local":
            ray.init(address="local", include_dashboard=False, **_QUIET)
        elif address != "auto":
            ray.init(address=address, **_QUIET)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"--cluster {address}: no Ray cluster answers there ({first_line(error)}). Expected auto, local, "
            "HOST:PORT or ray://HOST:PORT.",
            "Run `ray status` on that machine to see whether a cluster is running.",
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
