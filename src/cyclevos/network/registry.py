"""The one table of network families, and of the weights that have names. It needs neither torch nor any family's extra.

A package of its own adds a family through the entry point group ``cyclevos.families``; see docs/networks.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cyclevos.errors import MissingExtraError

if TYPE_CHECKING:
    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.traits import NetworkTraits

logger = logging.getLogger(__name__)

ENTRY_POINTS = "cyclevos.families"

_BUILT_IN = (
    "cyclevos.network.stm.family:FAMILY",
    "cyclevos.network.cutie.family:FAMILY",
    "cyclevos.network.sam2.family:FAMILY",
)


@dataclass(frozen=True)
class Figure:
    """A published score.

    Attributes:
        dataset: data set and split.
        measure: what was measured, J&F where nothing else is said.
        value: in percent.
        source: where it was published.
    """

    dataset: str
    measure: str
    value: float
    source: str


@dataclass(frozen=True)
class Packaged:
    """Weights within the package.

    Attributes:
        file: the weights.
        calibration: the reliability predictor that was fitted to them.
    """

    file: Path
    calibration: Path


@dataclass(frozen=True)
class Download:
    """One file at an address.

    Attributes:
        url: the address.
        filename: its name in the cache folder.
        md5: MD5 in hexadecimal, if the authors state it.
        sha256: SHA-256 in hexadecimal, if it is known.
        size: exact size in bytes, if it is known.
    """

    url: str
    filename: str
    md5: str | None = None
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Hub:
    """A repository of the Hugging Face hub, or one file of it.

    Attributes:
        repository: ``owner/name``.
        file: path within the repository; None = the configuration and all safetensors, for formats that are folders.
        revision: branch, tag or commit; None = the main branch.
    """

    repository: str
    file: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """Return the address.

        >>> str(Hub("owner/name", "w.pth", "v1"))
        'hf://owner/name@v1/w.pth'
        """
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"hf://{self.repository}{revision}" + ("" if self.file is None else f"/{self.file}")


@dataclass(frozen=True)
class OnRequest:
    """Weights that are not fetched: their authors hand them out in another way, and the user gives the file.

    Attributes:
        text: where the authors publish them, a full sentence.
    """

    text: str


@dataclass(frozen=True)
class NamedWeights:
    """Weights with a name.

    Attributes:
        name: what users type.
        purpose: what they are good for, in a few words.
        where: where they are.
        parameters: number of parameters; None = unknown.
        size: approximate size of the download in bytes; None = unknown.
        code_licence: of the code that runs them.
        weights_licence: of the weights.
        figures: published scores.
    """

    name: str
    purpose: str
    where: Packaged | Download | Hub | OnRequest
    parameters: int | None = None
    size: int | None = None
    code_licence: str | None = None
    weights_licence: str | None = None
    figures: tuple[Figure, ...] = ()

    @property
    def on_request(self) -> bool:
        """Whether the user has to get the file from its authors."""
        return isinstance(self.where, OnRequest)


class Family(Protocol):
    """Networks that share code and a file format. A class that inherits from this has the defaults.

    Importing the family must import neither torch nor its extra: lists of names have to be quick.

    Attributes:
        name: for records and tables.
        formats: what its weights look like on disk, for error messages.
        weights: those with names.
        extra: the extra of cyclevos that installs what the family needs; None = nothing is needed.
        requirements: the distributions in that extra, with their versions.
        channels_last: the network is faster with channels last.
    """

    name: str
    formats: str
    weights: Sequence[NamedWeights]
    extra: str | None = None
    requirements: tuple[str, ...] = ()
    channels_last: bool = False

    def recognises(self, path: Path) -> bool:
        """Return whether a file or folder holds weights of this family.

        Raises:
            WeightsError: the file cannot be read as weights of any kind.
        """
        ...

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        """Load a network on the CPU.

        Args:
            path: file or folder.
            name: the named weights that it is said to hold, if a name was given.

        Raises:
            WeightsError: it holds other weights, or its tensors do not match.
        """
        ...

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        """Return what is known before the weights are loaded, without reading their tensors.

        Args:
            path: file or folder; None = not on this machine yet, then there is a name.
            name: see :meth:`load`.

        Raises:
            WeightsError: the file or folder cannot be read.
        """
        ...


def families() -> Iterator[Family]:
    """Yield the built-in families, then those of installed packages; a package that fails is left out and logged."""
    for address in _BUILT_IN:
        yield _built_in(address)
    yield from _installed_families()


def find(name: str) -> tuple[Family, NamedWeights] | None:
    """Return the weights of a name with their family; None for an unknown name."""
    return next(((family, each) for family in families() for each in family.weights if each.name == name), None)


def names() -> list[str]:
    """Return all names, in the order of the table."""
    return [each.name for family in families() for each in family.weights]


def missing_extra(family: Family) -> MissingExtraError | None:
    """Return the error for a family whose extra is not installed; None if everything is there."""
    from packaging.requirements import Requirement

    for text in family.requirements:
        wanted = Requirement(text)
        found = installed_version(wanted.name)
        if found is not None and wanted.specifier.contains(found, prereleases=True):
            continue
        state = "which is not installed" if found is None else f"but {found} is installed"
        line = f"pip install 'cyclevos[{family.extra}]'" if family.extra else f"pip install '{text}'"
        return MissingExtraError(f"Networks of the family {family.name} need {text}, {state}.", f"Install it: {line}")
    return None


def require_extra(family: Family) -> None:
    """Check that a family's extra is installed.

    Raises:
        MissingExtraError: it is not; the message holds the pip line.
    """
    error = missing_extra(family)
    if error is not None:
        raise error


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def _built_in(address: str) -> Family:
    module, _, attribute = address.partition(":")
    family: Family = getattr(import_module(module), attribute)
    return family


@cache
def _installed_families() -> tuple[Family, ...]:
    found: list[Family] = []
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        try:
            family = entry.load()
            found.append(family() if isinstance(family, type) else family)
        except Exception as error:  # another package's code may fail in any way; ours has to go on
            logger.warning("The family %s (%s) cannot be used: %s", entry.name, entry.value, error)
    return tuple(found)
