"""Which task a configuration describes."""

from __future__ import annotations

from cyclevos.training.prompt_schema import PromptTrainingConfig
from cyclevos.training.prompt_task import PromptTask
from cyclevos.training.schema import RunConfig, TrainingConfig
from cyclevos.training.task import Task
from cyclevos.training.video_task import VideoTask


def task_of(config: RunConfig) -> Task:
    """Return the task of a configuration.

    Raises:
        TypeError: no task belongs to it.
    """
    if isinstance(config, TrainingConfig):
        return VideoTask(config)
    if isinstance(config, PromptTrainingConfig):
        return PromptTask(config)
    raise TypeError(f"expected the configuration of a training run, got {type(config).__name__}")
