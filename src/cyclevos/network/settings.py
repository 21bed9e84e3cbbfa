"""Which network runs, on which device and in which dtype: the settings that commands, app and cluster share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.errors import ConfigError, WeightsError

if TYPE_CHECKING:
    from cyclevos.network.locating import Located
    from cyclevos.network.protocol import MemoryNetwork
    from cyclevos.network.traits import NetworkTraits


@dataclass(frozen=True)
class NetworkSettings:
    """Which network runs, and how. Creating these settings loads nothing.

    Attributes:
        weights: a name that ``cyclevos weights`` lists, a file or folder, ``NAME=FILE``, ``hf://owner/repository/file``
            or ``hf://owner/repository``.
        device: ``auto``, or a torch device by name.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        objects_at_once: objects that the network processes at a time; None = the network decides.
    """

    weights: str = "default"
    device: str = "auto"
    dtype: str = "auto"
    objects_at_once: int | None = None

    def load(self) -> MemoryNetwork:
        """Load the network; its weights are fetched first if they are not on this machine.

        Raises:
            WeightsError: the weights cannot be found or fetched, or do not match.
            MissingExtraError: what the network needs is not installed.
            OutputError: what was fetched cannot be written.
            ConfigError: the device or the dtype cannot be used, or the network cannot limit its objects.
        """
        from cyclevos.network.weights import load_network

        network = load_network(self.weights, device=self.device, dtype=self.dtype)
        if self.objects_at_once is not None:
            chunks = getattr(network, "chunks", None)
            if chunks is None:
                raise ConfigError(
                    f"The network {self.weights!r} processes all objects together.", "Leave --objects-at-once out."
                )
            chunks.at_once = self.objects_at_once
        return network

    def resolved(self) -> NetworkSettings:
        """Return these settings with ``auto`` replaced by this machine's device and dtype.

        Raises:
            ConfigError: the device or the dtype cannot be used.
        """
        from cyclevos.network.weights import resolve_device, resolve_dtype

        device = resolve_device(self.device)
        return replace(self, device=str(device), dtype=str(resolve_dtype(self.dtype, device)).removeprefix("torch."))

    def fetch(self) -> Located:
        """Bring the weights to this machine, if they are not there, and return where they are.

        Raises:
            WeightsError: the weights cannot be found or fetched.
            MissingExtraError: what the network needs is not installed.
            OutputError: what was fetched cannot be written.
        """
        from cyclevos.network.locating import fetch, locate

        return fetch(locate(self.weights))

    @property
    def weights_file(self) -> Path | None:
        """The file or folder that holds the weights; None if they are not on this machine."""
        located = self._located()
        return None if located is None else located.path

    def with_absolute_weights(self) -> NetworkSettings:
        """Return these settings with the path of a file or folder made absolute, for processes that run elsewhere.

        Names and hub addresses stay: every process finds or fetches them in a cache of its own.
        """
        from cyclevos.network.locating import Local

        located = self._located()
        if located is None or located.path is None or not isinstance(located.where, Local):
            return self
        path = str(located.path.resolve())
        return replace(self, weights=path if located.name is None else f"{located.name}={path}")

    @property
    def weights_sha256(self) -> str | None:
        """SHA-256 of the weights in hexadecimal; None if they are not on this machine."""
        from cyclevos.network.fingerprint import fingerprint

        path = self.weights_file
        return None if path is None else fingerprint(path)

    @property
    def weights_identity(self) -> str:
        """The weights as they were given, and their content, because other weights give other results.

        Weights that are not on this machine are fetched, so that a run is the same before and after.

        Raises:
            WeightsError: the weights cannot be found or fetched.
            MissingExtraError: what the network needs is not installed.
            OutputError: what was fetched cannot be written.
        """
        self.fetch()
        return f"{self.weights} (SHA-256 {self.weights_sha256})"

    def traits(self) -> NetworkTraits:
        """Return the network's size and memory policy, the meaning of ``auto``, without loading its tensors.

        Weights without a name that are not on this machine are fetched.

        Raises:
            WeightsError: the weights cannot be found or fetched, or are of no known family.
            MissingExtraError: what the network needs is not installed.
            OutputError: what was fetched cannot be written.
        """
        from cyclevos.network.locating import locate

        located = locate(self.weights)
        if located.known_family is None:
            located = self.fetch()
        return located.network_family().traits(located.path, located.name)

    def _located(self) -> Located | None:
        """Return where the weights are; None if there are none such, which loading them will say."""
        from cyclevos.network.locating import locate

        try:
            return locate(self.weights)
        except WeightsError:
            return None
