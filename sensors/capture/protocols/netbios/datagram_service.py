"""NetBIOS' datagrams (RFC 1002, 4.4) and what computers announce in them of themselves ([MS-BRWS] 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.protocols.dhcp.places import numbers
from sensors.capture.protocols.dns.printable import IPV4, shown
from sensors.capture.protocols.netbios import spelling

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Datagrams

PORT: Final = 138
_TYPES: Final = (0x10, 0x11, 0x12)  # to one, to a group, to all
_HEADER, _NAME = 14, 34  # bytes; a name has its length before it and a zero behind, if it has no scope
_SMB_AT: Final = _HEADER + 2 * _NAME
_TRANSACTION: Final = b"\xffSMB\x25"
_DATA_OFFSET, _SLOT = 57, 69  # from the SMB header on
_MAILSLOT: Final = b"\\MAILSLOT\\BROWSE\0"
_COMMANDS: Final = {
    1: "host_announcement", 2: "announcement_request", 8: "election", 9: "backup_list_request",
    10: "backup_list", 11: "become_backup", 12: "domain_announcement", 13: "master_announcement",
    14: "reset_state", 15: "local_master_announcement",
}  # fmt: skip
_OF_HOSTS, _OF_DOMAIN = (1, 15), 12
_NAME_AT, _NAME_SIZE, _VERSION_AT, _COMMENT_AT = 6, 16, 22, 32


def fits(datagrams: Datagrams) -> Array:
    """By the port, the kind, and two names of 32 letters."""
    kind = np.isin(datagrams.byte(0), _TYPES) & (datagrams.ports == PORT).any(axis=1)
    letters = [datagrams.byte(_HEADER + part * _NAME) == spelling.LETTERS for part in range(2)]
    ends = [datagrams.byte(_HEADER + part * _NAME + _NAME - 1) == 0 for part in range(2)]
    fits: Array = kind & letters[0] & letters[1] & ends[0] & ends[1]
    return fits


def events(datagrams: Datagrams) -> pl.DataFrame:
    """An event a datagram."""
    data, starts = datagrams.data, datagrams.starts
    source, target = (
        shown(data, starts + at + 1, starts + at + 1 + spelling.LETTERS) for at in (_HEADER, _HEADER + _NAME)
    )
    names = spelling.decoded(source, "name", "suffix").hstack(
        spelling.decoded(target, "to", "to_suffix").get_columns()
    )
    told = _announced(datagrams)
    computer = pl.when(pl.col("suffix").is_in(spelling.COMPUTERS)).then("name")
    host = pl.coalesce(pl.when(pl.col("command").is_in(_OF_HOSTS)).then("announced"), computer)
    action = pl.col("command").replace_strict(_COMMANDS, default="datagram", return_dtype=pl.String)
    return names.hstack(told.get_columns()).select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("row"),
        pl.lit("capture.netbios").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network"]).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        (pl.lit("netbios_") + action).alias("event.action"),
        pl.lit("netbios-dgm").alias("network.protocol"),
        host.alias("host.name"),
        host.alias("source.domain"),
        pl.when(pl.col("command").is_in(_OF_HOSTS)).then("version").alias("host.os.version"),
        pl.when(pl.col("command") == _OF_DOMAIN).then("announced").alias("capture.netbios.domain"),
        pl.when(pl.col("command").is_in(_OF_HOSTS)).then("comment").alias("capture.netbios.comment"),
        pl.col("name").alias("capture.netbios.source"),
        pl.col("suffix").alias("capture.netbios.suffix"),
        pl.col("to").alias("capture.netbios.destination"),
        pl.col("to_suffix").alias("capture.netbios.destination_suffix"),
        shown(data, starts + 4, starts + 8, IPV4).alias("capture.netbios.address"),
    )


def _announced(datagrams: Datagrams) -> pl.DataFrame:
    """`command`, `announced`, `version` and `comment` of what is said to the browsers' mailslot."""
    data, ends = datagrams.data, datagrams.ends
    browse = datagrams.begins(_TRANSACTION, _SMB_AT) & datagrams.begins(_MAILSLOT, _SMB_AT + _SLOT)
    smb = datagrams.starts + _SMB_AT
    offset = numbers(data, np.where(browse, smb + _DATA_OFFSET + 1, -1), 1).fill_null(0).to_numpy() << 8
    offset |= numbers(data, np.where(browse, smb + _DATA_OFFSET, -1), 1).fill_null(0).to_numpy()
    at = smb + offset
    there = browse & (at < ends)
    command = numbers(data, np.where(there, at, -1), 1)
    whole = there & (at + _COMMENT_AT <= ends)
    name = np.where(whole, at + _NAME_AT, -1)
    major, minor = (numbers(data, np.where(whole, at + _VERSION_AT + part, -1), 1) for part in range(2))
    told = pl.DataFrame(
        {
            "command": command,
            "announced": shown(data, name, name + _NAME_SIZE),
            "version": major.cast(pl.String) + "." + minor.cast(pl.String),
            "comment": shown(data, np.where(whole, at + _COMMENT_AT, -1), ends),
        }
    )
    cut = (pl.col(name).str.replace(r"(?s)\\000.*$", "").alias(name) for name in ("announced", "comment"))
    return told.with_columns(cut).with_columns(
        pl.when(pl.col(name) != "").then(name).alias(name) for name in ("announced", "comment")
    )
