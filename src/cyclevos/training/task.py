"""What the trainer needs to know about a kind of network: its data, its objective, its validation and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from cyclevos.datasets.sources import Mixture
from cyclevos.training.schema import RunConfig


class Validation(NamedTuple):
    """Mean J, and J of each sequence or kind of prompt."""

    mean: float
    sequences: dict[str, float]


class Samples(Protocol):
    """A data set whose sample n depends on the seed and n alone.

    Attributes:
        mixture: what is drawn from.
    """

    mixture: Mixture

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class Task(Protocol):
    """One kind of network in training.

    Attributes:
        cheaper: settings that lower the memory of a step, for error messages.
        workers: processes that prepare samples; 0 prepares them in the training process.
    """

    cheaper: str
    workers: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the losses."""
        ...

    def check(self) -> None:
        """Report what is wrong with the validation's data, before anything is loaded."""

    def without_validation(self) -> RunConfig:
        """Return the configuration without validation; what it holds back from training stays held back."""
        ...

    def dataset(self, processes: int) -> Samples:
        """Return the samples of a whole run."""
        ...

    def network(self) -> nn.Module:
        """Return the network that the run starts from."""
        ...

    def objective(self, network: nn.Module) -> nn.Module:
        """Return a module with the network as ``network``; called with a batch, it returns losses and outputs."""
        ...

    def collate(self, samples: Any) -> Any:
        """Join samples to a batch, a tuple of the objective's arguments."""
        ...

    def validate(self, network: nn.Module) -> Validation | None:
        """Measure the network; None if no validation is configured."""
        ...

    def picture(self, batch: Any, outputs: Tensor) -> Tensor:
        """Draw a batch's first sample, uint8 (3,H,W), for the log."""
        ...

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the network's weights."""

    def holds(self, path: Path, network: nn.Module) -> bool:
        """Return whether a file is what :meth:`save` writes for the network."""
        ...
