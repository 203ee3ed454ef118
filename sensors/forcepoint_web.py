"""Forcepoint Web Security Cloud's export, as agents ship it: an object `forcepoint_web` of its columns.

Source of the fields: https://help.forcepoint.com/websec/en-us/cloud/ and Elastic's integration of that name.
Times are local to the account's site.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("forcepoint_web", "forcepoint_web.toml")
