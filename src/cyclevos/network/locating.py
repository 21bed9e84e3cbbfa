"""Where weights are: what ``--weights`` and ``--prompter`` accept, in one rule to load, fetch, record and list them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from cyclevos.errors import WeightsError
from cyclevos.network import downloads, hub
from cyclevos.network.calibration import SUFFIX, calibration_beside
from cyclevos.network.named_weights import Download, Hub, NamedWeights, OnRequest, Packaged
from cyclevos.network.registry import (
    NETWORK,
    PROMPTER,
    Family,
    Use,
    WeightsFamily,
    families,
    find,
    names,
    require_extra,
)

ADDRESSES = "a name, a file or folder, NAME=FILE, hf://OWNER/REPOSITORY or hf://OWNER/REPOSITORY/FILE"
"""What weights are given by."""

_SCHEME = "hf://"


@dataclass(frozen=True)
class Local:
    """A file or folder that the user has given."""


@dataclass(frozen=True)
class Located:
    """Weights whose place is known.

    Attributes:
        address: as the user gave it.
        name: the named weights; None for a file, folder or hub address without a name.
        known_family: the family of the name.
        where: the place they come from.
        path: their file or folder on this machine; None = not there yet.
        use: what they are to be loaded as.
    """

    address: str
    name: str | None
    known_family: WeightsFamily | None
    where: Packaged | Download | Hub | OnRequest | Local
    path: Path | None
    use: Use = NETWORK

    def family(self) -> WeightsFamily:
        """Return the family: that of the name, or the one that recognises the file or folder.

        Raises:
            WeightsError: no family recognises it, or it is not on this machine yet.
        """
        if self.known_family is not None:
            return self.known_family
        return recognise(self.on_disk(), self.use)

    def network_family(self) -> Family:
        """Return the family of weights that are to be loaded as a network.

        Raises:
            WeightsError: see :meth:`family`.
        """
        return cast(Family, self.family())

    def on_disk(self) -> Path:
        """Return the file or folder.

        Raises:
            WeightsError: it is not on this machine yet.
        """
        if self.path is None:
            raise _not_here(self)
        return self.path


def locate(address: str | Path, use: Use = NETWORK) -> Located:
    """Find weights by what the user gave, without downloading anything.

    A name wins over a file or folder of the same name, and an existing file over ``NAME=FILE``.

    Args:
        address: see :data:`ADDRESSES`; ``@REVISION`` may follow a repository.
        use: what they are to be loaded as; a name may stand for other weights in each use.

    Raises:
        WeightsError: it is neither a known name nor an existing file or folder nor a complete hub address.
    """
    text = str(address)
    known = find(text, use)
    if known is not None:
        family, weights = known
        return Located(text, weights.name, family, weights.where, _here(weights), use)
    if text.startswith(_SCHEME):
        return _at_hub(text, text, use)
    path = Path(text).expanduser()
    if path.exists():
        return Located(text, None, None, Local(), path, use)
    name, equals, place = text.partition("=")
    known = find(name, use) if equals and place else None
    if known is None:
        raise _unknown(text, use)
    family, _ = known
    if place.startswith(_SCHEME):
        return replace(_at_hub(text, place, use), name=name, known_family=family)
    path = Path(place).expanduser()
    if not path.exists():
        raise WeightsError(f"There is no file or folder {place!r}, as given for {name!r}.", "Check the path.")
    return Located(text, name, family, Local(), path, use)


def fetch(located: Located, *, extra: bool = True) -> Located:
    """Bring weights to this machine, if they are not there, and return them with their path.

    Args:
        located: the weights.
        extra: check first that the family's extra is installed, because the weights are to be loaded.

    Raises:
        MissingExtraError: it is not.
        WeightsError: the weights cannot be fetched, or are not handed out by a server.
        OutputError: they cannot be written.
    """
    if extra and located.known_family is not None:
        require_extra(located.known_family)
    where = located.where
    if located.path is None and isinstance(where, OnRequest):
        raise _not_here(located)
    if located.path is None and isinstance(where, Download):
        located = replace(located, path=downloads.download(where, located.address, _size(located)))
    if located.path is None and isinstance(where, Hub):
        if extra and where.file is None and located.known_family is None:
            # The configuration tells the family: a missing extra should not be found after a long download.
            require_extra(recognise(hub.fetch_configuration(where), located.use))
        located = replace(located, path=hub.fetch(where, located.address, _size(located)))
    if extra:
        require_extra(located.family())
    return located


def recognise(path: Path, use: Use = NETWORK) -> WeightsFamily:
    """Return the family of a file or folder.

    Raises:
        WeightsError: the file cannot be read as weights, no family recognises it, or it has another use.
    """
    seen, unreadable = [], None
    for family in families():
        try:
            if family.recognises(path):
                return _of_use(family, use, str(path))
        except WeightsError as error:  # what one family cannot read may be another's format
            unreadable = unreadable or error
        if use in family.uses:
            seen.append(f"{family.name} ({family.formats})")
    if unreadable is not None:
        raise unreadable
    raise WeightsError(
        f"{path} holds weights of no known family; expected one of {', '.join(seen)}.",
        f"If you know what it is, name it: {use.option} NAME={path}, with a NAME listed by: cyclevos weights",
    )


def calibration_file(located: Located) -> Path:
    """Return where the reliability predictor of weights is, or would be once it is fitted.

    It lies beside a file, inside a folder, and in the cache folder for weights that were fetched.
    """
    where = located.where
    if isinstance(where, Packaged) and where.calibration is not None:
        return where.calibration
    if isinstance(where, Local) and located.path is not None:
        return calibration_beside(located.path.resolve())
    name = located.name if not isinstance(where, Hub) or located.address == located.name else None
    plain = name or re.sub(r"[^A-Za-z0-9._-]+", "--", str(where))
    return downloads.cache_folder() / f"{plain}{SUFFIX}"


def _here(weights: NamedWeights) -> Path | None:
    """Return the path of named weights on this machine; None if they are not there."""
    where = weights.where
    if isinstance(where, Packaged):
        return where.file if where.file.is_file() else None
    if isinstance(where, Download):
        return downloads.cached(where)
    return hub.cached(where) if isinstance(where, Hub) else None


def _of_use(family: WeightsFamily, use: Use, found: str) -> WeightsFamily:
    """Return a family whose weights can be loaded so.

    Args:
        family: the family.
        use: what they are to be loaded as.
        found: the name or the path of the weights.

    Raises:
        WeightsError: they cannot.
    """
    if use in family.uses:
        return family
    nouns = " or ".join(other.noun for other in family.uses)
    options = " or ".join(other.option for other in family.uses)
    raise WeightsError(
        f"{found} holds weights of a {nouns} (family {family.name}); expected those of a {use.noun}.",
        f"Give it with {options}. With {use.option}, the names are {', '.join(names(use))}.",
    )


def _at_hub(address: str, place: str, use: Use) -> Located:
    """Read ``hf://owner/repository[@revision][/file]``."""
    match = re.fullmatch(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?", place.rstrip("/"))
    if match is None:
        raise WeightsError(
            f"The address {place!r} is incomplete; expected hf://owner/repository or hf://owner/repository/path/to/file.",
            "Name the owner, the repository and, unless it is a whole repository, the file.",
        )
    where = Hub(match[1], match[3], match[2])
    return Located(address, None, None, where, hub.cached(where), use)


def _size(located: Located) -> int | None:
    """Return about how many bytes named weights have."""
    known = find(located.address, located.use)
    return None if known is None else known[1].size


def _not_here(located: Located) -> WeightsError:
    where, name = located.where, located.address
    if isinstance(where, OnRequest):
        return WeightsError(
            f"The weights of {name!r} do not come with the package and are not downloaded. {where.text}",
            f"Get the authors' file and give it: {located.use.option} {name}=FILE",
        )
    if isinstance(where, Packaged):
        return WeightsError(f"{where.file}, which belongs to the package, is missing.", "Install cyclevos again.")
    return WeightsError(f"The weights {name!r} are not on this machine.", f"Fetch them: cyclevos weights fetch {name}")


def _unknown(text: str, use: Use) -> WeightsError:
    name = text.partition("=")[0]
    for other in (NETWORK, PROMPTER):
        if find(name, other) is not None and find(name, use) is None:
            return WeightsError(
                f"{name!r} is the name of a {other.noun}; expected that of a {use.noun}: {', '.join(names(use))}.",
                f"Give it with {other.option}, or one of those with {use.option}.",
            )
    return WeightsError(
        f"No weights {text!r}: neither a named {use.noun} ({', '.join(names(use))}) nor a file or folder nor "
        "hf://owner/repository nor hf://owner/repository/file.",
        "Check the spelling of the name or path.",
    )
