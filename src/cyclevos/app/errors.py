"""What the app refuses, each with its HTTP status, as a sentence and a remedy."""

from __future__ import annotations

from cyclevos.errors import ConfigError, CycleVOSError, MissingExtraError, OutputError


class AppError(CycleVOSError):
    """A request that cannot be served.

    Args:
        sentence: what is wrong.
        remedy: what to do about it.
    """

    exit_code = 12
    status = 400

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.sentence, self.remedy = sentence, remedy


class NotFoundError(AppError):
    """There is no such project, frame, object, job or file."""

    status = 404


class ForbiddenError(AppError):
    """The request comes from elsewhere, lacks the token, or reaches outside the folders given at start."""

    status = 403


class ConflictError(AppError):
    """Somebody else changed it first, or a job is at work on it."""

    status = 409


class TooLargeError(AppError):
    """The body is larger than allowed."""

    status = 413


class OutOfMemoryError(AppError):
    """The device has no room for the work."""

    status = 507


def explain(error: Exception) -> CycleVOSError:
    """Turn whatever work in the background was stopped by into something that a page can be told."""
    if isinstance(error, CycleVOSError):
        return error
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OutOfMemoryError(
            "There is not enough memory for this.",
            "Choose a smaller size or fewer frames in memory in the settings, then try again: what was done is kept.",
        )
    return AppError(
        f"Something went wrong inside ({type(error).__name__}).",
        "What was done before is kept. Try again; if it happens again, start the app with -v and report what it says.",
    )


def describe(error: CycleVOSError) -> tuple[int, dict[str, str]]:
    """Return the HTTP status of an error and what the page is told: the sentence and the remedy."""
    if isinstance(error, AppError):
        return error.status, {"error": error.sentence, "remedy": error.remedy}
    status = 507 if isinstance(error, OutputError) else 501 if isinstance(error, MissingExtraError) else 422
    # Messages say what came first and what to do after it.
    sentence, _, rest = str(error).partition(". ")
    if isinstance(error, ConfigError) and not rest:
        rest = "Choose another value."
    return status, {"error": sentence.rstrip(".") + ".", "remedy": rest}
