"""Every error that a user can cause, as one tree with its exit codes.

Each error says what was found and what was expected (the problem), and how to fix it (the remedy).
"""

from __future__ import annotations


class CycleVOSError(Exception):
    """Base of every error that cyclevos raises on purpose; its text is the problem and the remedy.

    Args:
        problem: what was found and what was expected, in full sentences.
        remedy: how to fix it, in full sentences.

    Attributes:
        problem: see above.
        remedy: see above.
        exit_code: what the command line returns for this kind of error.

    Example:
        >>> error = MaskError("clip.png is 640x480, the frames are 854x480.", "Export it in the frames' size.")
        >>> str(error)
        "clip.png is 640x480, the frames are 854x480. Export it in the frames' size."
        >>> error.remedy
        "Export it in the frames' size."
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem, self.remedy = problem, remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class VideoError(CycleVOSError, ValueError):
    """The source video, folder of frames or one of its frames cannot be used."""

    exit_code = 3


class MaskError(CycleVOSError, ValueError):
    """A mask cannot be used: its format, size, ids or the frame it is meant for."""

    exit_code = 4


class WeightsError(CycleVOSError, ValueError):
    """A weights file is missing, is not a weights file, or does not match its network."""

    exit_code = 5


class ConfigError(CycleVOSError, ValueError):
    """A configuration file or setting is misspelt, mistyped or contradictory."""

    exit_code = 6


class OutputError(CycleVOSError, OSError):
    """Results cannot be written: the folder holds other results, or writing to the disk fails."""

    exit_code = 7


class DatasetError(CycleVOSError, ValueError):
    """A data set's folder, split, sequence or frame is missing or malformed."""

    exit_code = 8


class TrainingError(CycleVOSError, RuntimeError):
    """Training cannot continue, for example because a loss is no longer finite."""

    exit_code = 9


class MissingExtraError(CycleVOSError, ImportError):
    """An optional dependency is not installed; the message holds the pip line."""

    exit_code = 10

    @classmethod
    def of(cls, user: str, library: str | None, requirement: str) -> MissingExtraError:
        """Return the error for a library that is not installed.

        Args:
            user: what needs it, as the subject of a sentence in the singular.
            library: its name; None = unknown.
            requirement: what to install, as pip takes it.

        Example:
            >>> str(MissingExtraError.of("Training", "accelerate", "cyclevos[train]"))
            "Training needs accelerate, which is not installed. Install it: pip install 'cyclevos[train]'"
        """
        quoted = f"'{requirement}'" if "[" in requirement else requirement  # shells read brackets as patterns
        problem = f"{user} needs {library or 'a library'}, which is not installed."
        return cls(problem, f"Install it: pip install {quoted}")


class PromptError(CycleVOSError, ValueError):
    """A point or a box cannot be used: its form, or where it lies."""

    exit_code = 13


class FailedClipsError(CycleVOSError, RuntimeError):
    """Some of many clips could not be segmented; the others are finished."""

    exit_code = 11
