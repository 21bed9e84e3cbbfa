"""Files of tensors, whatever network they are for: safetensors written whole, pickles read without running code."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cyclevos.errors import OutputError, WeightsError
from cyclevos.files.atomic import replacing, temporary_path
from cyclevos.words import first_line

_TAR_MAGIC = (257, b"ustar")  # where the oldest files of torch, which are tar archives, say so


def write_safetensors(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors: a kill or a power cut leaves the old file or the whole new one.

    The file's mode follows the umask, like that of any other file that we write.

    Args:
        tensors: by name, contiguous.
        path: the file.
        metadata: texts by name, for the header.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path, flush=True) as temporary:
        # The library writes to a file of its own in the same folder, with a random name and mode 0600. In a folder
        # with a fixed name, the next write finds and removes what a kill has left of it. Its `save`, which returns
        # bytes, needs no file, but three times the memory of the tensors.
        staging = temporary_path(path.with_name(f"{path.name}.staging"))
        shutil.rmtree(staging, ignore_errors=True)
        try:
            staging.mkdir()
            temporary.touch()
            save_file(tensors, staging / path.name, metadata=metadata)
            shutil.copymode(temporary, staging / path.name)
            (staging / path.name).replace(temporary)
        except SafetensorError as error:  # the library's form of a failed write
            raise OutputError(
                f"The system cannot write {path} ({error}).", "Free some space or choose a folder on another disk."
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def stored_tensors(network: nn.Module, *, half: bool = False) -> dict[str, Tensor]:
    """Return what is stored of a network: its state on the CPU, without the counters of normalisation layers.

    Args:
        network: the network.
        half: floating-point tensors become float16.
    """
    state = {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    tensors = {name: t.detach().cpu().contiguous() for name, t in state.items()}
    return {name: t.half() if half and t.is_floating_point() else t for name, t in tensors.items()}


def tensors_digest(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the SHA-256 of tensors: their names, dtypes, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        data: NDArray[np.uint8] = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        digest.update(data.data)
    return digest.digest()


def is_stored(network: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Return whether tensors are exactly what is stored of a network."""
    stored = stored_tensors(network)
    return tensors.keys() == stored.keys() and all(torch.equal(tensors[name], each) for name, each in stored.items())


def mean_state(networks: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return the mean state of networks of one kind; integer counters are those of the first one."""
    states = [network.state_dict() for network in networks]
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if first.is_floating_point() else first
        for name, first in states[0].items()
    }


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """Open a safetensors file, from which metadata and tensors are read one by one.

    Raises:
        WeightsError: the file is not safetensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a safetensors file ({error}).", "Download it again or name another file."
        ) from error


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors of a safetensors file, and the texts of its header.

    Raises:
        WeightsError: the file is not safetensors.
    """
    with open_safetensors(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        return tensors, dict(file.metadata() or {})


def fill(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], mismatch: str) -> None:
    """Copy tensors into a network's state; each must be used and fit.

    Args:
        state: of the network, from its ``state_dict``.
        tensors: by the same names; BatchNorm counters may be absent.
        mismatch: what does not match what, the beginning of the error.

    Raises:
        WeightsError: tensors are missing, left over or misshapen; all are listed by name.
    """
    missing = [name for name in state if name not in tensors and not name.endswith("num_batches_tracked")]
    extra = [name for name in tensors if name not in state]
    misshapen = [
        f"{name}: {tuple(tensor.shape)} where {tuple(state[name].shape)} is needed"
        for name, tensor in tensors.items()
        if name in state and tensor.shape != state[name].shape
    ]
    problems = [
        f"{label} ({len(names)}): {', '.join(names)}"
        for label, names in (("missing", missing), ("not used", extra), ("misshapen", misshapen))
        if names
    ]
    if problems:
        raise WeightsError(f"{mismatch}: {'; '.join(problems)}.", "Name the network that the weights were made for.")
    with torch.no_grad():
        for name, value in tensors.items():
            state[name].copy_(value)


def read_pickle(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Read a ``.pth`` or ``.pth.tar`` file without running code from it.

    The weights may be bare or under ``state_dict``; a ``module.`` prefix is removed.

    Args:
        path: the file.
        device: where the tensors go; ``meta`` reads names and shapes only.

    Raises:
        WeightsError: the file is not a checkpoint, or it holds code.
    """
    _refuse_other_files(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickle formats; it is enough that the file loads
            content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch's restricted unpickler raises almost any exception on broken files
        raise WeightsError(
            f"{path} is not a weights file, or it holds objects other than tensors, which are never loaded "
            f"because they could run code ({first_line(error)}).",
            "Give a file of tensors: safetensors, or a plain state dict.",
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(
            f"{path} holds no state dict of tensors; expected one, bare or under 'state_dict'.",
            "Save the network's state_dict() and give that file.",
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _refuse_other_files(path: Path) -> None:
    """Refuse a picture, a video or a text by its first bytes; torch has no words for those.

    Raises:
        WeightsError: it begins neither as a zip archive nor as a pickle nor as a tar archive.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_MAGIC[0] + len(_TAR_MAGIC[1]))
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({first_line(error)}).", "Check the file.") from error
    if not head.startswith((b"PK", b"\x80")) and head[_TAR_MAGIC[0] :] != _TAR_MAGIC[1]:
        raise WeightsError(
            f"{path} is not a weights file: it is neither safetensors nor a checkpoint of torch.",
            "Give a file of weights, or a name that cyclevos weights lists.",
        )


def read_headers(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a weights file on the device ``meta``, by name.

    Raises:
        WeightsError: the file is neither safetensors nor a checkpoint of tensors.
    """
    state = path.stat()
    return _headers_at(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)
def _headers_at(path: Path, size: int, changed: int) -> Mapping[str, Tensor]:
    """Read the headers of a file; its size and time are part of the key, so a changed file is read again."""
    with torch.inference_mode(False):  # what is remembered must be usable everywhere
        return _safetensors_headers(path) if path.suffix == ".safetensors" else read_pickle(path, device="meta")


def _safetensors_headers(path: Path) -> dict[str, Tensor]:
    with open_safetensors(path) as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (no mapping)
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
