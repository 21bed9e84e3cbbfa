"""The one network of a server, loaded with all that it needs when there is work for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclevos.network.stm import SpaceTimeMemoryNetwork


class NetworkHolder:
    """The one network, loaded when it is first needed.

    Args:
        weights: name, file or hub address.
        device: see :func:`cyclevos.load_network`.
        dtype: the same.
    """

    def __init__(self, weights: str = "default", device: str = "auto", dtype: str = "auto") -> None:
        self.weights, self._device, self._dtype = weights, device, dtype
        self._lock = threading.Lock()
        self._network: SpaceTimeMemoryNetwork | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """What results follow from: the weights by their content, and the arithmetic."""
        from cyclevos.jobs.segment_job import weights_identity

        return weights_identity(self.weights), self._dtype

    def get(self) -> SpaceTimeMemoryNetwork:
        """Return the network.

        Raises:
            WeightsError: it cannot be loaded.
        """
        from cyclevos.network.weights import load_network

        with self._lock:
            if self._network is None:
                self._network = load_network(self.weights, device=self._device, dtype=self._dtype)
            return self._network
