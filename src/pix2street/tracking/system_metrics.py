"""Samples of processor, memory, disk, network and GPUs, taken by MLflow's monitors beside a training."""

import contextlib
import threading
import time

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

END_S = 30
"""A monitor that hangs in a driver holds up the end of a training no longer."""


class SystemMetrics(SystemMetricsMonitor):
    """MLflow's samples of processor, memory, disk, network and GPUs, kept until somebody takes them.

    MLflow's own loop asks the store after each sample and stops at the first trouble; this one's thread knows no store.
    """

    def __init__(self):
        # MLflow's monitor opens the store that it would record in, for minutes if that is away, but asks no server.
        super().__init__(run_id=None, tracking_uri="http://nobody.invalid")
        self._samples: list[tuple[str, float, int, int]] = []
        self._samples_lock = threading.Lock()

    def monitor(self) -> None:
        """Sample until `finish`, and once more then: a short training has one sample at least."""
        # psutil reads /proc and drivers: what goes wrong there is no reason to end a training.
        with contextlib.suppress(Exception):
            step, stopped = 0, False
            while not stopped:
                for _ in range(self.samples_before_logging):
                    stopped = self._shutdown_event.wait(self.sampling_interval)
                    self.collect_metrics()
                    if stopped:
                        break
                step += 1
                now_ms = time.time_ns() // 1_000_000
                sample = [(f"system/{name}", value, now_ms, step) for name, value in self.aggregate_metrics().items()]
                for monitor in self.monitors:
                    monitor.clear_metrics()
                with self._samples_lock:
                    self._samples += sample

    def taken(self) -> list[tuple[str, float, int, int]]:
        """Name, value, time and number of every sample since the last call."""
        with self._samples_lock:
            samples, self._samples = self._samples, []
        return samples

    def finish(self) -> list[tuple[str, float, int, int]]:
        """End the thread; what is left to take."""
        self._shutdown_event.set()
        if self._process is not None:
            self._process.join(timeout=END_S)
        return self.taken()
