"""What a monitoring system reads: counts, times and sizes, in Prometheus' text form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0)


class Measured(Protocol):
    """What the running service tells of itself; each is name -> value."""

    def gauges(self) -> dict[str, float]:
        """Sizes as they are now."""
        ...

    def totals(self) -> dict[str, float]:
        """Counts since the start."""
        ...

    def actions(self) -> dict[tuple[str, str], int]:
        """Decisions since the start, by action and cause."""
        ...

    def seconds(self) -> dict[str, float]:
        """Processor seconds each step of a decision has taken since the start."""
        ...


class Metrics:
    """The counters the door keeps, and a view of what the service tells."""

    def __init__(self, measured: Measured) -> None:
        self._registry = CollectorRegistry()
        self.refused = Counter(
            "tocsin_refused", "Requests or lines refused, by status.", ["status"], registry=self._registry
        )
        self.late = Counter("tocsin_late_answers", "Payments answered at their deadline.", registry=self._registry)
        self.predictions = Counter(
            "tocsin_predictions", "Examples a model of classes has answered.", ["model"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "tocsin_request_seconds",
            "From the first byte of a request to its answer.",
            ["what"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.parse_seconds = Counter(
            "tocsin_door_seconds", "Processor seconds spent reading and checking bodies.", registry=self._registry
        )
        self._registry.register(_Told(measured))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)


class _Told(Collector):
    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        for name, value in self._measured.gauges().items():
            yield GaugeMetricFamily(f"tocsin_{name}", name.replace("_", " "), value=value)
        for name, value in self._measured.totals().items():
            yield CounterMetricFamily(f"tocsin_{name}", name.replace("_", " "), value=value)
        decided = CounterMetricFamily("tocsin_decisions", "Payments decided.", labels=["action", "cause"])
        for labels, count in self._measured.actions().items():
            decided.add_metric(list(labels), count)
        yield decided
        steps = CounterMetricFamily(
            "tocsin_step_seconds", "Processor seconds each step of deciding took.", labels=["step"]
        )
        for step, seconds in self._measured.seconds().items():
            steps.add_metric([step], seconds)
        yield steps
