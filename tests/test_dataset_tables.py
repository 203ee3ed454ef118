"""Every field that a table of datasets names is one that an event can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensors import cloudflare, forcepoint_web, menlo, netskope, panther_audit, schema, snyk

if TYPE_CHECKING:
    from sensors.shapes.dataset_tables import DatasetTables

SENSORS = [one.SENSOR for one in (cloudflare, forcepoint_web, menlo, netskope, panther_audit, snyk)]


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda sensor: sensor.name)
def test_every_field_is_of_the_schema(sensor: DatasetTables) -> None:
    named = {field.name for dataset in sensor.datasets for field in dataset.fields}
    for name in sorted(one for one in named if not one.startswith("~")):
        schema.dtype(name)
