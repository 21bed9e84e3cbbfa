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

    @property
    def identity(self) -> tuple[str, str]:
        """What results depend on: the weights by their content, and the dtype that ``auto`` selects here.

        Raises:
            ConfigError: the device or the dtype cannot be used.
        """
        return self.settings.weights_identity, self.settings.resolved().dtype

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
