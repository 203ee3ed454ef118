"""FTP's control connection: each command with its reply (RFC 959, 2228, 2428, 4217).

Names as those of Zeek's ftp.log. Of PASS and ACCT only that they were said is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from sensors.capture.conversations import CLIENT, SERVER, OverTcp
from sensors.capture.protocols import lines

if TYPE_CHECKING:
    from sensors.capture.conversations import Array, Streams

_FIRST: Final = (
    b"USER AUTH FEAT SYST OPTS HOST CLNT PASV EPSV PORT EPRT TYPE RETR STOR LIST NLST MLSD MLST CWD "
    b"PWD XPWD SIZE MDTM STOU APPE ADAT PBSZ PROT CDUP DELE MKD RMD RNFR REST SITE ABOR STAT MODE"
).split()
_SECRETS: Final = ("PASS", "ACCT", "ADAT")
_MOVES: Final = {"RETR": "download", "STOR": "upload", "STOU": "upload", "APPE": "upload", "DELE": "deletion"}
_FILES: Final = (*_MOVES, "SIZE", "MDTM", "MLST", "RNFR", "RNTO", "MFMT")
_SIX: Final = r"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})"  # h1,h2,h3,h4,p1,p2
_NONE: Final = 200  # below, a reply only says that another will come
_REFUSED_FROM: Final = 400
_READY: Final = 220
_MOST_PORT: Final = 65535
_DIGITS: Final = 3


def _fits(streams: Streams) -> Array:
    """A client that begins with a command of FTP, to a server of codes; a server that says it is FTP."""
    code = lines.first_words(streams, SERVER)
    coded = np.char.isdigit(code) & (np.char.str_len(code) == _DIGITS)
    silent = streams.starts[:, CLIENT] == streams.ends[:, CLIENT]
    spoken: Array = coded & np.isin(lines.first_words(streams, CLIENT), _FIRST)
    for row in np.flatnonzero(silent & (code == b"220")).tolist():  # few: no client said anything
        start, end = streams.starts[row, SERVER], streams.ends[row, SERVER]
        spoken[row] = (
            b"FTP" in streams.data[start : min(end, start + 512)].tobytes().partition(b"\n")[0].upper()
        )
    return spoken


def _events(streams: Streams) -> pl.DataFrame:
    spoken = lines.lines(streams)
    answers = lines.replies(spoken)
    greetings = answers.group_by("row", maintain_order=True).agg(
        (pl.col("code").first() == _READY).alias("~greeted"), pl.col("said").first().alias("~banner")
    )
    asked = _commands(spoken, answers, greetings)
    silent = greetings.filter("~greeted").filter(~pl.col("row").is_in(asked["row"].implode()))
    every = pl.concat([asked, silent.select("row", pl.lit(0, pl.Int64).alias("at"))], how="diagonal")
    every = every.join(greetings, on="row", how="left", maintain_order="left")
    return _described(_endpoints(every))


def _commands(spoken: pl.DataFrame, answers: pl.DataFrame, greetings: pl.DataFrame) -> pl.DataFrame:
    """Commands with the last reply to each, and what the first one said if there were two."""
    last = pl.col("code") >= _NONE
    numbered = answers.join(greetings, on="row", how="left", maintain_order="left").with_columns(
        (last.cast(pl.Int64).cum_sum() - last.cast(pl.Int64)).over("row").alias("~number"),
        last.alias("~last"),
    )
    numbered = numbered.with_columns(pl.col("~number") - pl.col("~greeted").cast(pl.Int64))
    both = numbered.group_by("row", "~number", maintain_order=True).agg(
        pl.col("code").last(),
        pl.col("~final").last().alias("said"),
        pl.col("said").filter(~pl.col("~last")).first().alias("~begun"),
    )
    text = pl.col("text")
    word = text.str.extract(r"^([A-Za-z]{3,8})(?: |$)", 1).str.to_uppercase()
    asked = spoken.filter((pl.col("side") == CLIENT) & (text != "")).with_columns(
        word.alias("~word"),
        pl.int_range(pl.len()).over("row").alias("~number"),
        text.str.extract(r"^\S+ +(.*?)\s*$", 1).alias("~given"),
    )
    asked = asked.join(both, on=["row", "~number"], how="left", maintain_order="left")
    user = pl.when(pl.col("~word") == "USER").then("~given")
    return asked.filter(pl.col("~word").is_not_null()).with_columns(
        user.forward_fill().over("row").alias("user.name")
    )


def _endpoints(every: pl.DataFrame) -> pl.DataFrame:
    """Where data connections go to: what PORT and EPRT give, and the replies to PASV and EPSV."""
    word, given, said, code = (pl.col(name) for name in ("~word", "~given", "said", "code"))
    passive = (word.is_in(["PASV", "EPSV"]) & code.is_in([227, 229])).fill_null(value=False)
    active = word.is_in(["PORT", "EPRT"]).fill_null(value=False)
    source = pl.when(active).then(given).when(passive).then(said)
    six = source.str.extract_groups(_SIX).struct
    parts = [six[str(k)].cast(pl.Int64, strict=False) for k in range(1, 7)]
    whole = pl.all_horizontal(part <= 255 for part in parts)  # noqa: PLR2004 - bytes
    host = pl.concat_str([part.cast(pl.String) for part in parts[:4]], separator=".")
    three = source.str.extract(r"\|[12]\|([0-9A-Fa-f:.]+)\|\d{1,5}\|", 1)
    port = source.str.extract(r"\|(\d{1,5})\|[^|]*$", 1).cast(pl.Int64, strict=False)
    found = pl.coalesce(pl.when(whole).then(parts[4] * 256 + parts[5]), port)
    return every.with_columns(
        pl.when(passive | active).then(passive).alias("capture.ftp.data_channel.passive"),
        pl.when(whole).then(host).otherwise(three).alias("capture.ftp.data_channel.response_host"),
        pl.when(found.is_between(1, _MOST_PORT)).then(found).alias("capture.ftp.data_channel.response_port"),
    )


def _described(every: pl.DataFrame) -> pl.DataFrame:
    word, given, code = pl.col("~word"), pl.col("~given"), pl.col("code")
    secret = word.is_in(_SECRETS)
    file = pl.when(word.is_in(_FILES) & (given != "")).then(given)
    moves = word.replace_strict(_MOVES, default=None, return_dtype=pl.String)
    size = pl.coalesce(
        pl.col("~begun").str.extract(r"\((\d{1,18}) [Bb]ytes", 1),
        pl.when((word == "SIZE") & (code == 213)).then(pl.col("said").str.extract(r"^\s*(\d{1,18})", 1)),  # noqa: PLR2004
    )
    return every.with_columns(
        pl.lit(CLIENT, pl.Int64).alias("side"),
        pl.lit("capture.ftp").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.when(moves.is_not_null()).then(pl.lit(["network", "file"])).when(word.is_in(["USER", "PASS"]))
        .then(pl.lit(["network", "authentication"])).otherwise(pl.lit(["network"])).alias("event.category"),
        pl.lit(["connection", "protocol", "info"]).alias("event.type"),
        word.fill_null("banner").alias("event.action"),
        (code >= _REFUSED_FROM).replace_strict({True: "failure", False: "success"}, return_dtype=pl.String)
        .alias("event.outcome"),
        pl.lit("ftp").alias("network.protocol"),
        word.alias("capture.ftp.command"),
        pl.when(word == "SITE").then(given.str.extract(r"^(\S+)", 1)).when(~secret).then(given)
        .alias("capture.ftp.argument"),
        moves.alias("capture.ftp.transfer"),
        code.alias("capture.ftp.reply.code"),
        pl.col("said").alias("capture.ftp.reply.msg"),
        pl.col("~banner").alias("capture.ftp.banner"),
        pl.col("user.name").alias("source.user.name"),
        file.alias("file.path"),
        file.str.extract(r"([^/\\]+)$", 1).alias("file.name"),
        size.cast(pl.Int64, strict=False).alias("file.size"),
        ((word == "AUTH") & (code == 234)).alias("tls.established"),  # noqa: PLR2004 - RFC 4217, 4
    ).drop("kind", "text", "code", "said").select(pl.exclude(r"^~.*$"))  # fmt: skip


PROTOCOL: Final = OverTcp("ftp", _fits, _events)
