"""Tables of what SMB said to events."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.capture import little
from sensors.capture.protocols.smb import codes, framing
from sensors.capture.protocols.smb.sessions import place

_ROOT: Final = "<share_root>"  # as Zeek calls the folder that a share is
_PIPE: Final = 2
_CREATED: Final = 2  # what an open did (MS-SMB2, 2.2.14)
_DELETE_ON_CLOSE: Final = 0x1000  # an option of it (2.2.13)
_DIRECTORY: Final = 0x10  # an attribute (MS-FSCC, 2.6)
_ACTIONS: Final = {
    "open": ("SMB::FILE_OPEN", "info"),
    "create": ("SMB::FILE_OPEN", "creation"),
    "pipe": ("SMB::PIPE_OPEN", "info"),
    "read": ("SMB::FILE_READ", "access"),
    "write": ("SMB::FILE_WRITE", "change"),
    "rename": ("SMB::FILE_RENAME", "change"),
    "delete": ("SMB::FILE_DELETE", "deletion"),
    "tree": ("tree_connect", "info"),
    "login": ("session_setup", "start"),
    "negotiate": ("negotiate", "info"),
    "encrypted": ("encrypted", "info"),
}
_OF_FILES: Final = ("open", "create", "read", "write", "rename", "delete")
_TIMES: Final = {
    "created": "file.created",
    "accessed": "file.accessed",
    "mtime": "file.mtime",
    "ctime": "file.ctime",
}


def connected(trees: pl.DataFrame) -> pl.DataFrame:
    """Shares."""
    return trees.with_columns(pl.lit("tree").alias("kind"), pl.col("share").replace(-1, None))


def _shares(trees: pl.DataFrame) -> pl.DataFrame:
    """Path and kind of each connected share."""
    given = trees.filter(pl.col("tree").is_not_null(), pl.col("status") == 0)
    return given.unique(["row", "session", "tree"], keep="last", maintain_order=True).select(
        "row", "session", "tree", "path", pl.col("share").replace(-1, None)
    )


def opened(opens: pl.DataFrame, trees: pl.DataFrame) -> pl.DataFrame:
    """Files and pipes that were opened, and what was opened to be deleted."""
    whole = opens.join(_shares(trees), on=["row", "session", "tree"], how="left", maintain_order="left")
    kind = (
        pl.when(pl.col("share") == _PIPE)
        .then(pl.lit("pipe"))
        .when(pl.col("done") == _CREATED)
        .then(pl.lit("create"))
        .otherwise(pl.lit("open"))
    )
    whole = whole.with_columns(kind.alias("kind"), pl.col("name").fill_null(_ROOT))
    removed = whole.filter(
        (pl.col("options") > 0) & (pl.col("options") & _DELETE_ON_CLOSE > 0),
        pl.col("status") == 0,
        pl.col("kind") != "pipe",
    )
    return pl.concat([whole, removed.with_columns(pl.lit("delete").alias("kind"))])


def used(uses: pl.DataFrame, opens: pl.DataFrame, trees: pl.DataFrame) -> pl.DataFrame:
    """What was done with open files; reads and writes of one are one event each, with their sum."""
    handles = opens.filter(pl.col("handle").fill_null(-1) >= 0, pl.col("status") == 0)
    named = _resolved(uses, handles).join(
        _shares(trees), on=["row", "session", "tree"], how="left", maintain_order="left"
    )
    files = named.filter(pl.col("old").is_not_null(), pl.col("share").fill_null(0) != _PIPE)
    moves = pl.col("kind").is_in(["read", "write"])
    succeeded = pl.col("status").fill_null(0).is_in([0, codes.PARTLY])
    summed = (
        files.filter(moves, succeeded)
        .group_by("row", "kind", "opening", maintain_order=True)
        .agg(
            pl.exclude("bytes").first(),
            pl.col("bytes").clip(0).sum(),
            pl.len().cast(pl.Int64).alias("messages"),
        )
    )
    renamed = files.filter(~moves).with_columns(
        pl.when(pl.col("kind") == "rename").then("name").alias("name")
    )
    moved = pl.concat([summed.drop("name"), renamed], how="diagonal_relaxed")
    return moved.with_columns(
        pl.when(pl.col("kind") == "rename").then("old").alias("previous"),
        pl.when(pl.col("kind") == "rename").then("name").otherwise("old").alias("name"),
    ).drop("old", "opening", "handle", "handle.more", strict=False)


def _resolved(uses: pl.DataFrame, handles: pl.DataFrame) -> pl.DataFrame:
    """Uses with the name of what was opened as `old`, and which opening it was."""
    uses = uses if "old" in uses.columns else uses.with_columns(old=pl.lit(None, pl.String))
    opening = place().alias("opening")
    # One command may mean the file that the one before it in the frame opens: its handle is all ones.
    chained = handles.select(
        "row", "frame", pl.col("handle").alias("before"), pl.col("handle.more").alias("more")
    )
    uses = uses.join(chained.unique(["row", "frame"]), on=["row", "frame"], how="left", maintain_order="left")
    related = (pl.col("handle") == -1) & pl.col("before").is_not_null()
    uses = uses.with_columns(
        pl.when(related).then("before").otherwise("handle").alias("handle"),
        pl.when(related).then("more").otherwise("handle.more").alias("handle.more"),
        place().alias("place"),
    ).sort("place")
    known = handles.select(
        "row", "handle", "handle.more", pl.col("name").fill_null(_ROOT).alias("opened"), opening
    ).with_columns(pl.col("opening").alias("place"))
    by = ["row", "handle", "handle.more"]
    joined = uses.join_asof(known.sort("place"), on="place", by=by, check_sortedness=False)
    return joined.with_columns(pl.coalesce("old", "opened").alias("old")).drop(
        "opened", "before", "more", "place"
    )


def logged_in(logins: pl.DataFrame) -> pl.DataFrame:
    """Logins by name, and what else a session setup tells of the client's system."""
    return logins.select(
        "row",
        "side",
        "at",
        pl.coalesce("given", "session").alias("session"),
        "status",
        "system",
        pl.col("user").alias("asked.user"),
        pl.col("domain").alias("asked.domain"),
        pl.lit("login").alias("kind"),
    ).filter(pl.col("asked.user").is_not_null() | (pl.col("status") != codes.GOES_ON).fill_null(value=True))


def negotiated(found: pl.DataFrame, one: pl.DataFrame, two: pl.DataFrame) -> pl.DataFrame:
    """One event for each conversation: what was agreed on, and whether it is encrypted."""
    sealed = (
        found.filter(pl.col("version") == framing.ENCRYPTED)
        .group_by("row", maintain_order=True)
        .agg(pl.col("side").first(), pl.col("at").first())
        .with_columns(encrypted=pl.lit(value=True))
    )
    second = two.with_columns(codes.named(pl.col("dialect"), "dialects").alias("dialect"))
    first = one.filter(pl.col("dialect").is_not_null()).join(
        second, on="row", how="anti", maintain_order="left"
    )
    chosen = pl.concat([second, first], how="diagonal").with_columns(pl.lit("negotiate").alias("kind"))
    both = chosen.join(sealed.select("row", "encrypted"), on="row", how="left", maintain_order="left")
    alone = sealed.join(chosen, on="row", how="anti", maintain_order="left")
    whole = pl.concat([both, alone.with_columns(pl.lit("encrypted").alias("kind"))], how="diagonal")
    return whole.with_columns(pl.col("encrypted").fill_null(value=False))


def _words() -> tuple[dict[str, str], dict[str, str]]:
    return {kind: one for kind, (one, _) in _ACTIONS.items()}, {
        kind: two for kind, (_, two) in _ACTIONS.items()
    }


def worded(events: pl.DataFrame) -> pl.DataFrame:
    """The columns of the schema."""
    kind, status = pl.col("kind"), pl.col("status")
    of_files, pipe = kind.is_in(_OF_FILES), kind == "pipe"
    name = pl.col("name").str.strip_chars_start("\\")
    share = pl.col("path").str.strip_chars_end("\\")
    path = pl.when(name == _ROOT).then(share).otherwise(pl.concat_str(share, name, separator="\\"))
    offered = pl.coalesce("asked.user", "user"), pl.coalesce("asked.domain", "domain")
    action, change = (kind.replace_strict(one, return_dtype=pl.String) for one in _words())
    return events.select(
        "row",
        "side",
        "at",
        pl.lit("capture.smb").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(of_files).then(pl.lit(["network", "file"]))
        .when(kind == "login").then(pl.lit(["network", "authentication"]))
        .otherwise(pl.lit(["network"])).alias("event.category"),
        pl.concat_list(pl.lit("connection"), pl.lit("protocol"), change).alias("event.type"),
        action.alias("event.action"),
        pl.lit("smb").alias("network.protocol"),
        pl.when(~kind.is_in(["negotiate", "encrypted"])).then(codes.outcome(status)).alias("event.outcome"),
        pl.when(status > 0).then(codes.named(status, "status")).alias("event.reason"),
        codes.named(status, "status").alias("capture.smb.status"),
        *(offered[0].alias(f"{root}user.name") for root in ("", "source.")),
        *(offered[1].alias(f"{root}user.domain") for root in ("", "source.")),
        pl.col("workstation").alias("source.domain"),
        pl.when(of_files | pipe).then(pl.coalesce(path, name)).alias("file.path"),
        pl.when(of_files | pipe).then(name.str.extract(r"([^\\]+)$")).alias("file.name"),
        pl.when(of_files & (pl.col("size") >= 0)).then("size").alias("file.size"),
        *(pl.when(of_files).then(little.moment(one)).alias(column) for one, column in _TIMES.items()),
        pl.when(of_files & (pl.col("attributes") >= 0)).then(
            pl.when(pl.col("attributes") & _DIRECTORY > 0).then(pl.lit("dir")).otherwise(pl.lit("file"))
        ).alias("file.type"),
        pl.col("path").alias("capture.smb.path"),
        codes.named(pl.col("share"), "shares").alias("capture.smb.share_type"),
        pl.when(pipe).then(name).alias("capture.smb.named_pipe"),
        pl.when(of_files).then("name").alias("capture.smb.name"),
        pl.col("previous").alias("capture.smb.previous_name"),
        pl.when(pl.col("disposition") >= 0).then(codes.named(pl.col("disposition"), "dispositions"))
        .alias("capture.smb.disposition"),
        pl.col("bytes").alias("capture.smb.bytes"),
        pl.col("messages").alias("capture.smb.messages"),
        pl.col("dialect").alias("capture.smb.dialect"),
        pl.col("encrypted").alias("capture.smb.encrypted"),
        pl.col("system").alias("capture.smb.client.system"),
        little.moment("time").alias("capture.smb.server.time"),
        little.moment("started").alias("capture.smb.server.started"),
    )  # fmt: skip
