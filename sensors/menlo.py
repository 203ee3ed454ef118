"""Menlo Security: the web and DLP logs of its API.

Source of the fields: "Menlo Log API", https://docs.menlosecurity.com, by way of Elastic's integration.
An isolated page was not delivered as it is: its outcome is `failure`, as Elastic has it.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("menlo", "menlo.toml")
