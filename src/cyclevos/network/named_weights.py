"""What is known of weights that have a name: what they are good for, where they are, licences, published scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
        calibration: the reliability predictor that was fitted to them; None = there is none.
    """

    file: Path
    calibration: Path | None = None


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
