"""What the tests of the sensors of audit trails share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from sensors import schema
from sensors.sensor import claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensors.sensor import Sensor, Source

BROKEN = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def claimed(path: Path) -> list[str]:
    """The names of all sensors that take the file for their own."""
    return [sensor.name for sensor in claims(path.read_bytes()[:65_536], path.name)]


def accounted(sensor: Sensor, source: Source) -> bool:
    """Whether reading gives events or names what it could not read, all in types of the schema.

    What is nothing but the brackets of an empty list has neither.
    """
    with source.open() as stream:
        if not stream.read().strip(b"[], \t\r\n"):
            return True
    height = sum(schema.conform(frame).height for frame in sensor.read(source))
    return height + sum(unread.count for unread in source.unread) >= 1


def shown(row: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """Of an event, the fields that are asked for."""
    return {name: row.get(name) for name in wanted}
