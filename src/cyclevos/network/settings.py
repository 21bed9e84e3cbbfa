"""Which network runs, on which device and in which dtype: the settings that commands, app and cluster share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclevos.network.stm import SpaceTimeMemoryNetwork


@dataclass(frozen=True)
class NetworkSettings:
    """Which network runs, and how. Creating these settings loads nothing.

    Attributes:
        weights: ``default``, a weights file, ``hf://owner/repository/file``, or ``NAME=FILE``.
        device: ``auto``, or a torch device by name.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        objects_at_once: objects that the network processes at a time; None = the network decides.
    """

    weights: str = "default"
    device: str = "auto"
    dtype: str = "auto"
    objects_at_once: int | None = None

    def load(self) -> SpaceTimeMemoryNetwork:
        """Load the network.

        Raises:
            WeightsError: the weights cannot be found or do not match.
            ConfigError: the device or the dtype cannot be used.
        """
        from cyclevos.network.weights import load_network

        network = load_network(self.weights, device=self.device, dtype=self.dtype)
        if self.objects_at_once is not None:
            network.chunks.at_once = self.objects_at_once
        return network

    def resolved(self) -> NetworkSettings:
        """Return these settings with ``auto`` replaced by this machine's device and dtype.

        Raises:
            ConfigError: the device or the dtype cannot be used.
        """
        from cyclevos.network.weights import resolve_device, resolve_dtype

        device = resolve_device(self.device)
        return replace(self, device=str(device), dtype=str(resolve_dtype(self.dtype, device)).removeprefix("torch."))

    @property
    def weights_file(self) -> Path | None:
        """The file that holds the weights; None if they are not on this machine's disk."""
        from cyclevos.network.weights import PACKAGED

        file = PACKAGED.get(self.weights) or Path(self.weights.rpartition("=")[2]).expanduser()
        return file if file.is_file() else None

    def with_absolute_weights(self) -> NetworkSettings:
        """Return these settings with the path of a weights file made absolute, for processes that run elsewhere."""
        from cyclevos.network.weights import PACKAGED

        file = self.weights_file
        if file is None or self.weights in PACKAGED:
            return self
        name, equals, _ = self.weights.rpartition("=")
        if Path(self.weights).is_file():  # the file's own name holds an equals sign
            name = equals = ""
        return replace(self, weights=f"{name}{equals}{file.resolve()}")

    @property
    def weights_identity(self) -> str:
        """The weights by name, and by content if they are a file, because retrained weights give other results."""
        from cyclevos.network.checkpoints import checksum

        file = self.weights_file
        return self.weights if file is None else f"{self.weights} (SHA-256 {checksum(file)})"

    def best_size(self) -> int | None:
        """Return the shorter side in pixels at which the weights work best, the meaning of ``size="auto"``.

        Raises:
            WeightsError: the weights cannot be found or do not match.
        """
        from cyclevos.network.checkpoints import read_spec

        file = self.weights_file
        spec = read_spec(file) if file is not None and file.suffix == ".safetensors" else None
        return self.load().spec.size if spec is None else spec.size
