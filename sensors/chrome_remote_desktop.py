"""Chrome Remote Desktop's host in syslog, as `remote_control/chrome_remote_desktop.toml` describes them."""

from __future__ import annotations

from typing import Final

from sensors.remote_control import ToolLog

SENSOR: Final = ToolLog("chrome_remote_desktop")
