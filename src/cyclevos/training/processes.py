"""Several training processes: work that one does while the others wait, and failures that stop all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cyclevos.errors import TrainingError

# How long processes wait for each other. The libraries' default is 10 minutes on GPUs, and the main process validates
# and saves while the others wait.
PATIENCE = timedelta(hours=12)


def together(accelerator: Any, work: Callable[[], None], *, main_only: bool = True) -> None:
    """Do work, wait until every process has done its part, and stop all processes if one of them failed.

    Args:
        accelerator: the run's ``Accelerator``.
        work: called without arguments; its exceptions are passed on.
        main_only: only the main process does the work, and the others wait.

    Raises:
        Exception: what `work` raised in this process.
        TrainingError: it failed in another process.
    """
    failure: Exception | None = None
    if accelerator.is_main_process or not main_only:
        try:
            work()
        except Exception as error:
            failure = error
    failures = [None if failure is None else f"process {accelerator.process_index}: {failure}"]
    if accelerator.num_processes > 1:
        from accelerate.utils import gather_object

        failures = gather_object(failures)
    if failure is not None:
        raise failure
    failed = [each for each in failures if each is not None]
    if failed:
        raise TrainingError(
            f"Another training process failed ({'; '.join(failed)}).",
            "Correct what its message names, then repeat the command: it continues from the last checkpoint.",
        )
