"""Weights from the Hugging Face hub, through its library: its cache, its checks, and its errors in our words."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyclevos.errors import OutputError, WeightsError
from cyclevos.network.download_bar import megabytes
from cyclevos.network.named_weights import Hub
from cyclevos.words import first_line

logger = logging.getLogger(__name__)

CONFIGURATION, TENSORS = "config.json", "model.safetensors"
_INDEX = f"{TENSORS}.index.json"
_PATTERNS = [CONFIGURATION, "*.safetensors", _INDEX]  # of a whole repository; pickles are never among them


def cached(source: Hub) -> Path | None:
    """Return the file or the complete folder in the hub's cache on this machine; None if it is not there."""
    if source.file is not None:
        return _in_cache(source, source.file)
    configuration, index = _in_cache(source, CONFIGURATION), _in_cache(source, _INDEX)
    if configuration is None:
        return None
    parts = {TENSORS}
    if index is not None:
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    complete = all((configuration.parent / part).is_file() for part in parts)
    return configuration.parent if complete else None


def fetch(source: Hub, label: str, about: int | None = None) -> Path:
    """Download a file or a repository's configuration and safetensors into the hub's cache and return the path.

    Args:
        source: what to fetch.
        label: what the user calls it, for messages.
        about: its approximate size in bytes, for messages.

    Raises:
        WeightsError: the hub cannot be reached or refuses, or there is nothing of the kind.
        OutputError: the file cannot be written.
    """
    import huggingface_hub

    logger.warning("Downloading %s%s from %s", label, f" ({megabytes(about)})" if about else "", page(source))
    with _in_words(source, label, about):
        if source.file is not None:
            return Path(huggingface_hub.hf_hub_download(source.repository, source.file, revision=source.revision))
        found = huggingface_hub.snapshot_download(source.repository, revision=source.revision, allow_patterns=_PATTERNS)
    folder = Path(found)
    if not (folder / CONFIGURATION).is_file() or not any(folder.glob("*.safetensors")):
        raise WeightsError(
            f"The repository {source.repository} holds no {CONFIGURATION} with {TENSORS}.",
            f"Name one file of it: hf://{source.repository}/FILE, or another repository.",
        )
    return folder


def fetch_configuration(source: Hub) -> Path:
    """Download a repository's configuration, a few kilobytes, and return its folder.

    Raises:
        WeightsError: see :func:`fetch`.
    """
    import huggingface_hub

    with _in_words(source, str(source), None):
        file = huggingface_hub.hf_hub_download(source.repository, CONFIGURATION, revision=source.revision)
    return Path(file).parent


def page(source: Hub) -> str:
    """Return the address of a repository's page, where its licence is."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{source.repository}"


def _in_cache(source: Hub, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(source.repository, file, revision=source.revision)
    except _errors().HFValidationError as error:
        raise _malformed(source, error) from error
    return Path(found) if isinstance(found, str) else None


@contextmanager
def _in_words(source: Hub, label: str, about: int | None) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except _errors().HFValidationError as error:
        raise _malformed(source, error) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
            raise OutputError(
                f"The system cannot write {label} into the hub's cache: {error.strerror}.",
                "Free some space, or name another folder in the environment variable HF_HOME.",
            ) from error
        raise _translated(source, label, about, error) from error
    except Exception as error:  # what the library's HTTP client raises differs between its versions
        raise _translated(source, label, about, error) from error


def _errors() -> Any:
    """Return the module with the library's exceptions; newer versions define them elsewhere, all offer them here."""
    from huggingface_hub import utils

    return utils


def _translated(source: Hub, label: str, about: int | None, error: Exception) -> WeightsError:
    utils = _errors()
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    files = f"{label.partition('=')[0]}={'FILE' if source.file else 'FOLDER'}"
    by_hand = f"Or download them elsewhere and give {files} instead." if not label.startswith("hf://") else ""
    if isinstance(error, utils.GatedRepoError):
        return WeightsError(
            f"The weights {label!r} are for those who have accepted their licence on the hub.",
            f"Accept it at {page(source)}, log in with: hf auth login, and try again.",
        )
    if isinstance(error, utils.RepositoryNotFoundError) or status in {401, 403}:
        return WeightsError(
            f"The hub has no repository {source.repository} that you may read.",
            f"Check the spelling. If it is a private one, log in with: hf auth login. Its page is {page(source)}.",
        )
    if isinstance(error, utils.RevisionNotFoundError):
        return WeightsError(
            f"The repository {source.repository} has no revision {source.revision!r}.", "Name a branch, tag or commit."
        )
    missing = isinstance(error, utils.EntryNotFoundError)
    if missing and not isinstance(error, utils.LocalEntryNotFoundError):
        return WeightsError(
            f"The repository {source.repository} has no file {source.file or CONFIGURATION}.",
            f"See what it has at {page(source)}.",
        )
    if isinstance(error, utils.HfHubHTTPError) and status is not None:
        return WeightsError(
            f"The weights {label!r} are not on this machine, and {page(source)} answers {status}.",
            f"Try again later. {by_hand}".strip(),
        )
    return WeightsError(
        f"The weights {label!r}{f' ({megabytes(about)})' if about else ''} are not on this machine, and {page(source)} "
        f"cannot be reached ({first_line(error)}).",
        f"Connect to the internet and try again. {by_hand}".strip(),
    )


def _malformed(source: Hub, error: Exception) -> WeightsError:
    return WeightsError(
        f"{source.repository!r} is not the name of a repository ({error}).", "Expected hf://owner/repository."
    )
