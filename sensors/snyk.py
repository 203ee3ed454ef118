"""Snyk: the audit log of an organisation or group, and issues, as the API writes them.

Source of the fields: https://docs.snyk.io/snyk-api/reference/audit-logs and .../reference/issues.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("snyk", "snyk.toml")
