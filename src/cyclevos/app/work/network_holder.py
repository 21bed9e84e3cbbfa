"""The one network of a server, loaded when there is work for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cyclevos.network.settings import NetworkSettings

if TYPE_CHECKING:
    from cyclevos.network.protocol import MemoryNetwork


class NetworkHolder:
    """The one network, loaded when it is first needed.

    Args:
        settings: which network, and how it runs.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._network: MemoryNetwork | None = None
        self._adapted: tuple[str, MemoryNetwork] | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What results depend on: the weights by their content, and the dtype that ``auto`` selects here.

        Raises:
            ConfigError: the device or the dtype cannot be used.
        """
        return self.settings.weights_identity, self.settings.resolved().dtype

    @property
    def sha256(self) -> str:
        """SHA-256 of the weights in hexadecimal; they are fetched if they are not on this machine.

        Raises:
            WeightsError: they cannot be found or fetched.
        """
        self.fetch()
        return self.settings.weights_sha256 or ""

    def adapted(self, digest: str) -> MemoryNetwork | None:
        """Return the network with the adapted weights of this digest, if it is the one used last."""
        kept = self._adapted
        return kept[1] if kept is not None and kept[0] == digest else None

    def keep_adapted(self, digest: str, network: MemoryNetwork) -> MemoryNetwork:
        """Keep a network with adapted weights in place of another one such, and return it."""
        self._adapted = digest, network
        return network

    def fetch(self) -> None:
        """Bring the weights to this machine, so that nobody who works on a page waits for a download.

        Raises:
            WeightsError: the weights cannot be found or fetched.
            MissingExtraError: what the network needs is not installed.
            OutputError: what was fetched cannot be written.
        """
        self.settings.fetch()

    def get(self) -> MemoryNetwork:
        """Return the network.

        Raises:
            WeightsError: it cannot be loaded.
            ConfigError: the device or the dtype cannot be used.
        """
        with self._lock:
            if self._network is None:
                self._network = self.settings.load()
            return self._network
