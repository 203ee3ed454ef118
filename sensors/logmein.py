"""LogMeIn: its host's own log, as `remote_control/logmein.toml` describes it."""

from __future__ import annotations

from typing import Final

from sensors.remote_control import ToolLog

SENSOR: Final = ToolLog("logmein")
