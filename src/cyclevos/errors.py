"""Every error that a user can cause, as one tree with its exit codes.

Each message says three things: what came, what is allowed, and what to do about it.
"""

from __future__ import annotations


class CycleVOSError(Exception):
    """Base of every error cyclevos raises on purpose.

    Attributes:
        exit_code: what the command line returns for this kind of error.
    """

    exit_code = 1


class VideoError(CycleVOSError, ValueError):
    """The source video, folder of frames or one of its frames cannot be used."""

    exit_code = 3


class MaskError(CycleVOSError, ValueError):
    """A mask cannot be used: its format, size, ids or the frame it is meant for."""

    exit_code = 4


class WeightsError(CycleVOSError, ValueError):
    """A weights file is missing, is not one, or does not match its network."""

    exit_code = 5


class ConfigError(CycleVOSError, ValueError):
    """A configuration file or setting is misspelt, mistyped or contradictory."""

    exit_code = 6


class OutputError(CycleVOSError, OSError):
    """Results cannot be written: the folder holds others, or the disk refuses."""

    exit_code = 7


class DatasetError(CycleVOSError, ValueError):
    """A data set's folder, split, sequence or frame is missing or malformed."""

    exit_code = 8


class TrainingError(CycleVOSError, RuntimeError):
    """Training cannot go on, for example because a loss is no longer finite."""

    exit_code = 9


class MissingExtraError(CycleVOSError, ImportError):
    """An optional dependency is not installed; the message holds the pip line."""

    exit_code = 10


class FailedClipsError(CycleVOSError, RuntimeError):
    """Some of many clips could not be segmented; the others are finished."""

    exit_code = 11
