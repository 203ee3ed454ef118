"""Trellix: trace events of EDR and threat events of ePolicy Orchestrator, as their clouds hand them out.

Fields after https://developer.manage.trellix.com (EDR data export, ePO `/epo/v2/events`), mapping after
Elastic's integrations `trellix_edr_cloud` and `trellix_epo_cloud`.
"""

from __future__ import annotations

from typing import Final

from sensors.endpoint_records import EndpointRecords

SENSOR: Final = EndpointRecords("trellix", "trellix.toml", "trellix_edr_cloud trellix_epo_cloud")
