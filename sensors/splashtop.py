"""Splashtop Streamer: its own logs, as `remote_control/splashtop.toml` describes them."""

from __future__ import annotations

from typing import Final

from sensors.remote_control import ToolLog

SENSOR: Final = ToolLog("splashtop")
