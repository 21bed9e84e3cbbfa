"""What the app refuses, each error with its HTTP status, and how errors are sent to a page."""

from __future__ import annotations

from cyclevos import __version__
from cyclevos.errors import ConfigError, CycleVOSError, MaskError, MissingExtraError, OutputError
from cyclevos.naming import size_text


class AppError(CycleVOSError):
    """A request that cannot be served."""

    exit_code = 12
    status = 400


class NotFoundError(AppError):
    """The project, frame, object, job or file does not exist."""

    status = 404


class ForbiddenError(AppError):
    """The request comes from another site, lacks the token, or reaches outside the folders given at start."""

    status = 403


class UnreadableError(AppError):
    """The picture of a frame is needed, but cannot be read."""

    status = 422


class ConflictError(AppError):
    """Somebody else changed it first, or a job is working on it."""

    status = 409


class TooLargeError(AppError):
    """The body is larger than allowed."""

    status = 413


class UnsavedError(AppError):
    """The project cannot be written to; a page keeps what it could not save, and tries again."""

    status = 507


class GoneError(UnsavedError):
    """The project's folder was moved or removed while it was open."""

    status = 410


class NewerProjectError(ConfigError):
    """A newer version of the program wrote the project.

    Args:
        name: of the project's folder.
        version: of the program that wrote it; None if its file does not tell.
    """

    def __init__(self, name: str, version: str | None) -> None:
        maker = "a newer version of cyclevos" if version is None else f"cyclevos {version} or newer"
        super().__init__(
            f"The project {name} was made by {maker}; this is {__version__}, which cannot open it.",
            "Update cyclevos. Nothing in the project was changed.",
        )


class OutOfMemoryError(AppError):
    """The device has not enough memory for the work."""

    status = 507


class MaskSizeError(MaskError):
    """An imported mask is of another size than the video; the page offers to resize it.

    Args:
        mask: (height, width) of the mask.
        video: the same of the video.
    """

    def __init__(self, mask: tuple[int, int], video: tuple[int, int]) -> None:
        super().__init__(
            f"The mask is {size_text(mask)} but the video is {size_text(video)} (width x height).",
            "Export the mask in the video's size, or have it resized.",
        )


def explain(error: Exception) -> CycleVOSError:
    """Turn any error that stopped background work into one with a problem and a remedy."""
    if isinstance(error, CycleVOSError):
        return error
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OutOfMemoryError(
            "There is not enough memory for this.",
            "Choose a smaller size or fewer frames in memory in the settings, then try again. Finished frames are "
            "kept.",
        )
    return AppError(
        f"Something went wrong inside the app ({type(error).__name__}).",
        "Finished work is kept. Try again. If it happens again, start the app with -v and report what it prints.",
    )


def status_of(error: CycleVOSError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, AppError):
        return error.status
    return 507 if isinstance(error, OutputError) else 501 if isinstance(error, MissingExtraError) else 422


def describe(error: CycleVOSError) -> dict[str, str]:
    """Return what a page is told of an error: its problem, its remedy, and the name of its kind."""
    return {"problem": error.problem, "remedy": error.remedy, "kind": type(error).__name__}
