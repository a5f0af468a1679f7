"""What a trial uses of its machine and device, epoch by epoch.

Measured by the trial's own process and told with the epoch's numbers: MLflow's own monitor would be a thread in every
trial that waits for the server. A GPU's utilisation is that of the whole device, the rest is the trial's own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil
import torch

_MEGABYTE = 10**6


class Usage:
    """Measures from one call of `measure` to the next."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._process = psutil.Process()
        self._tells_utilisation = device.type == "cuda"
        self._begin()

    def measure(self) -> dict[str, float]:
        """Return the processor's percentage (100 is one core), the memory at its peak, and the same of the device.

        The peak is that of the device; of main memory it is what the process holds now.
        """
        wall, spent = time.perf_counter() - self._wall, time.process_time() - self._spent
        found: dict[str, float] = {
            "cpu_utilization_percentage": 100 * spent / wall if wall else 0.0,
            "process_memory_megabytes": self._process.memory_info().rss / _MEGABYTE,
            **self._of_device(),
        }
        self._begin()
        return found

    def _begin(self) -> None:
        self._wall, self._spent = time.perf_counter(), time.process_time()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def _of_device(self) -> Mapping[str, float]:
        if self._device.type != "cuda":
            return {}
        found = {"gpu_memory_reserved_megabytes": torch.cuda.max_memory_reserved(self._device) / _MEGABYTE}
        if self._tells_utilisation:
            import pynvml

            try:
                found["gpu_utilization_percentage"] = float(torch.cuda.utilization(self._device))
            except (pynvml.NVMLError, RuntimeError):  # a slice of a GPU has none, and some drivers do not tell
                self._tells_utilisation = False
        return found
