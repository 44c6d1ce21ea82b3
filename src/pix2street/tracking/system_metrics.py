"""Samples of processor, memory, disk, network and GPUs, taken by MLflow's monitors during a training."""

import contextlib
import threading

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from pix2street.tracking.description import now_ms
from pix2street.tracking.records import Point

END_S = 30
"""The longest time that a monitor which hangs in a driver delays the end of a training."""


class SystemMetrics(SystemMetricsMonitor):
    """MLflow's samples of processor, memory, disk, network and GPUs, kept until somebody takes them.

    MLflow's own loop asks the store after each sample and stops at the first error; this thread knows no store.
    """

    def __init__(self):
        # MLflow's monitor opens the store that it would record in, for minutes if it is away, but asks no server.
        super().__init__(run_id=None, tracking_uri="http://nobody.invalid")
        self._samples: list[Point] = []
        self._samples_lock = threading.Lock()

    def monitor(self) -> None:
        """Sample until `finish`, and once more then, so that a short training has at least one sample."""
        # psutil reads /proc and drivers, whose errors are no reason to end a training.
        with contextlib.suppress(Exception):
            step, stopped = 0, False
            while not stopped:
                for _ in range(self.samples_before_logging):
                    stopped = self._shutdown_event.wait(self.sampling_interval)
                    self.collect_metrics()
                    if stopped:
                        break
                step += 1
                ms = now_ms()
                points = [Point(f"system/{name}", value, ms, step) for name, value in self.aggregate_metrics().items()]
                for monitor in self.monitors:
                    monitor.clear_metrics()
                with self._samples_lock:
                    self._samples += points

    def taken(self) -> list[Point]:
        """Return every sample since the last call."""
        with self._samples_lock:
            samples, self._samples = self._samples, []
        return samples

    def finish(self) -> list[Point]:
        """End the thread and return the remaining samples."""
        self._shutdown_event.set()
        if self._process is not None:
            self._process.join(timeout=END_S)
        return self.taken()
