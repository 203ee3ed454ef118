"""Netskope: alerts and events, as its API and Log Streaming write them, and as Cloud Exchange ships them.

Source of the fields: https://docs.netskope.com/en/get-alerts-data/ and
https://docs.netskope.com/en/get-events-data/ (flat records, version 2 of the API), and the plug-in of Cloud
Exchange for Elastic, whose records have ECS names at their root and the rest under `netskope`.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("netskope", "netskope.toml")
