"""IPMI over UDP (IPMI 2.0, chapters 13 and 22; ASF 2.0): who logs in to the controllers of servers.

Those controllers show a server's screen and type on its keyboard as an IP-KVM does. What proves the password
is never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import Datagrams, OverUdp
from sensors.capture.protocols import fields, texts

if TYPE_CHECKING:
    from sensors.capture.conversations import Array

_RMCP_IPMI: Final = b"\x06\x00\xff\x07"
_PING: Final = b"\x06\x00"
_ASF: Final = b"\x06\x00\x00\x11\xbe"  # class, and ASF's number
_PLUS: Final = 6  # kind of authentication that stands for version 2.0
_KINDS: Final = (0, 1, 2, 4, 5, _PLUS)
_RAKP1, _RAKP2, _RAKP3, _RAKP4 = 0x12, 0x13, 0x14, 0x15
_ASKS, _ANSWERS = 0x18, 0x1C  # of the application's functions
_CHALLENGE, _ACTIVATE = 0x39, 0x3A  # commands of version 1.5
_LONGEST: Final = 16  # bytes of a name
_PRIVILEGES: Final = {1: "callback", 2: "user", 3: "operator", 4: "administrator", 5: "oem"}
_STATUS: Final = {  # 13.24
    1: "insufficient resources", 2: "invalid session id", 9: "invalid role", 10: "unauthorized role",
    12: "invalid name length", 13: "unauthorized name", 14: "unauthorized GUID",
    15: "invalid integrity check value", 18: "illegal parameter",
}  # fmt: skip
_CODES: Final = {0x81: "unauthorized name", 0x82: "null user not enabled", 0x86: "privilege not available"}


def _fits(datagrams: Datagrams) -> Array:
    ipmi = datagrams.begins(_RMCP_IPMI) & np.isin(datagrams.byte(4), _KINDS) & (datagrams.size() > 14)  # noqa: PLR2004
    return ipmi | (datagrams.begins(_PING) & datagrams.begins(_ASF, 3))


def _events(datagrams: Datagrams) -> pl.DataFrame:
    """An event for each time a client says who it is; what comes of it the datagrams after it say."""
    data, start, end = datagrams.data, datagrams.starts, datagrams.ends
    plus = (datagrams.byte(4) == _PLUS) & datagrams.begins(_RMCP_IPMI)
    kind = np.where(plus, datagrams.byte(5) & 0x3F, -1)
    # Version 1.5 has a proof of 16 bytes before the message, unless it asks for none.
    message = start + np.where(datagrams.byte(4) == 0, 14, 30)
    older = ~plus & datagrams.begins(_RMCP_IPMI)
    function = np.where(older, fields.number(data, message + 1, end, 1), -1)
    command = fields.number(data, message + 5, end, 1)
    asks = older & (function == _ASKS) & (command == _CHALLENGE)
    names = (kind == _RAKP1) | asks
    # Status of what a controller (or, of its proof, the client) answers: 0 is good.
    status = np.where(np.isin(kind, (_RAKP2, _RAKP3, _RAKP4)), fields.number(data, start + 17, end, 1), -1)
    answers = older & (function == _ANSWERS) & np.isin(command, (_CHALLENGE, _ACTIVATE))
    status = np.where(answers, fields.number(data, message + 6, end, 1), status)
    done = (kind == _RAKP4) | (answers & (command == _ACTIVATE))
    length = np.where(asks, _LONGEST, np.clip(fields.number(data, start + 43, end, 1), 0, _LONGEST))
    place = np.where(asks, message + 7, start + 44)
    there = names & (place + length <= end) & (length > 0)
    user = texts.columns(data, {"": (np.where(there, place, -1), place + length)}).to_series()
    said = pl.DataFrame(
        {
            "row": np.arange(len(datagrams)),
            "flow": datagrams.flow,
            "names": names,
            "older": older,
            "status": status,
            "done": done,
            "privilege": np.where(kind == _RAKP1, fields.number(data, start + 40, end, 1) & 0x0F, -1),
            "user": user.str.strip_chars_end("\0"),
        }
    )
    return _worded(said.with_columns(pl.col("names").cum_sum().over("flow").alias("login")))


def _worded(said: pl.DataFrame) -> pl.DataFrame:
    failed = pl.col("status") > 0
    ends = said.group_by("flow", "login").agg(
        failed.any().alias("failed"),
        (pl.col("done") & (pl.col("status") == 0)).any().alias("good"),
        pl.col("status").filter(failed).first().alias("code"),
    )
    whole = said.filter("names").join(ends, on=["flow", "login"], how="left", maintain_order="left")
    reason = (
        pl.when("older")
        .then(pl.col("code").replace_strict(_CODES, default=None, return_dtype=pl.String))
        .otherwise(pl.col("code").replace_strict(_STATUS, default=None, return_dtype=pl.String))
    )
    user = pl.when(pl.col("user") != "").then("user")
    return whole.select(
        "row",
        pl.lit("capture.ipmi").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "authentication"]).alias("event.category"),
        pl.lit(["connection", "start"]).alias("event.type"),
        pl.lit("login").alias("event.action"),
        pl.when("good").then(pl.lit("success")).when("failed").then(pl.lit("failure"))
        .otherwise(pl.lit("unknown")).alias("event.outcome"),
        pl.coalesce(reason, pl.col("code").cast(pl.String)).alias("event.reason"),
        pl.lit("ipmi").alias("network.protocol"),
        *(user.alias(f"{root}user.name") for root in ("", "source.")),
        pl.when("older").then(pl.lit("1.5")).otherwise(pl.lit("2.0")).alias("capture.ipmi.version"),
        pl.col("privilege").replace_strict(_PRIVILEGES, default=None, return_dtype=pl.String)
        .alias("capture.ipmi.privilege"),
    )  # fmt: skip


PROTOCOL: Final = OverUdp("ipmi", _fits, _events, frozenset({623}))
