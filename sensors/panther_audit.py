"""Panther: the audit log of what its own users and tokens do.

Source of the fields: https://docs.panther.com/system-configuration/panther-audit-logs.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("panther_audit", "panther_audit.toml")
