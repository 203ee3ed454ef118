"""What the tests of sensors with a table of datasets share: a sample must have every dataset of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensors.shapes.dataset_tables import DatasetTables


def unsampled(sensor: DatasetTables, rows: Iterable[Mapping[str, object]]) -> set[str]:
    """Names of datasets in the sensor's table that no event has."""
    return {dataset.name for dataset in sensor.datasets} - {str(row["event.dataset"]) for row in rows}
