"""Apache Guacamole: its own logs, as `remote_control/guacamole.toml` describes them."""

from __future__ import annotations

from typing import Final

from sensors.remote_control import ToolLog

SENSOR: Final = ToolLog("guacamole")
