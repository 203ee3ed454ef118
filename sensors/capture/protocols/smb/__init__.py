"""SMB1 (MS-CIFS, MS-SMB), SMB2 and SMB3 (MS-SMB2): shares, files, pipes, and who uses them.

As far as the beginning of a conversation shows them; what is read and written is summed up for each open
file. Events are named as Zeek's smb_files.log and smb_mapping.log name them, and calls of DCE-RPC through
pipes as its dce_rpc.log does.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.capture.conversations import OverTcp, Streams
from sensors.capture.protocols.smb import files, first, framing, pipes, second, sessions


def _events(streams: Streams) -> pl.DataFrame:
    found = framing.messages(streams)
    asked = framing.exchanges(found)
    data = streams.data
    one, two = (asked.filter(pl.col("version") == version) for version in (framing.ONE, framing.TWO))
    trees = pl.concat([first.trees(data, one), second.trees(data, two)])
    opens = pl.concat([second.opens(data, two), first.opens(data, one)], how="diagonal")
    uses = pl.concat([second.uses(data, two), first.uses(data, one)], how="diagonal")
    logins = first.logins(data, one)
    users = _users(sessions.users(streams, found), logins)
    opened = files.opened(opens, trees)
    made = [
        files.connected(trees),
        opened,
        files.used(uses, opens, trees),
        files.logged_in(logins),
        files.negotiated(found, first.negotiations(data, one), second.negotiations(data, found)),
    ]
    events = pl.concat(made, how="diagonal").join(
        users, on=["row", "session"], how="left", maintain_order="left"
    )
    return pl.concat([files.worded(events), pipes.called(data, one, two, opened, users)], how="diagonal")


def _users(by_ntlm: pl.DataFrame, logins: pl.DataFrame) -> pl.DataFrame:
    """Who made each session."""
    named = logins.filter(pl.col("user").is_not_null(), pl.col("status").fill_null(0) == 0).select(
        "row", pl.col("given").alias("session"), "user", "domain"
    )
    both = pl.concat([by_ntlm, named], how="diagonal").drop_nulls("session")
    return both.unique(["row", "session"], keep="last", maintain_order=True)


PROTOCOL: Final = OverTcp("smb", framing.fits, _events)
