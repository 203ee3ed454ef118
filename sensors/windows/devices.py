r"""Devices: maker, model and serial number from the instance ids that Windows gives them.

`USBSTOR\Disk&Ven_JetFlash&Prod_Transcend_64GB&Rev_1100\1234567890ABCDEF&0`,
`USB\VID_0BDA&PID_8153\001000001`: the last part is the serial number, unless its second letter is `&` (then
Windows made it up). learn.microsoft.com/windows-hardware/drivers/install/standard-usb-identifiers
"""

from __future__ import annotations

import polars as pl

from sensors.windows import values


def detailed(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `device.manufacturer`, `device.model.identifier` and `device.serial_number` from `device.id`."""
    if "device.id" not in frame.columns:
        return frame
    device = pl.col("device.id").str.replace_all("&amp;", "&", literal=True)
    found = {
        "device.manufacturer": device.str.extract(r"(?i)&VEN_([^&\\]*[^&\\_])"),
        "device.model.identifier": device.str.extract(
            r"(?i)((?:VID_[0-9A-F]{4}&PID_[0-9A-F]{4})|(?:VEN_[^&\\]+&(?:PROD|DEV)_[^&\\]+))"
        ),
        "device.serial_number": device.str.extract(r"(?i)^(?:USB|USBSTOR)\\[^\\]+\\([^&\\][^&\\][^&\\]*)"),
    }
    return values.added(frame, found)
