"""Cloudflare: every dataset of Logpush (Access, Gateway, Spectrum, ...), and the audit logs of its API.

Source of the fields: https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/ and
https://developers.cloudflare.com/api/resources/audit_logs/. The table beside this module has them all.
"""

from __future__ import annotations

from typing import Final

from sensors.shapes.dataset_tables import DatasetTables

SENSOR: Final = DatasetTables("cloudflare", "cloudflare.toml")
