"""What logins to databases have in common: the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.capture.conversations import CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensors.capture.conversations import Array

UNSEEN, SUCCESS, FAILURE = 0, 1, 2  # what became of a login
_OUTCOMES: Final = pl.Series(["unknown", "success", "failure"])


def events(
    name: str, rows: Array, at: Array, outcome: Array, columns: Mapping[str, pl.Series]
) -> pl.DataFrame:
    """Events of logins.

    Args:
        name: of the protocol.
        rows: of the streams, one for each login.
        at: place of the login in what the client said.
        outcome: one of the three numbers above.
        columns: by name; `user`, `domain` and `computer` are put where ECS has them, what else there is below
            `capture.<name>`.
    """
    said = pl.DataFrame({"row": rows, "at": at, "outcome": _OUTCOMES.gather(pl.Series(outcome)), **columns})
    missing = [one for one in ("user", "domain", "computer", "reason") if one not in columns]
    said = said.with_columns(pl.lit(None, pl.String).alias(one) for one in missing)
    own = [one for one in columns if one not in ("user", "domain", "computer", "reason")]
    told = pl.any_horizontal(pl.col("user", "computer").is_not_null())
    return said.filter(told).select(
        "row",
        pl.lit(CLIENT, pl.Int64).alias("side"),
        "at",
        pl.lit(f"capture.{name}").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        pl.lit(["network", "database", "authentication"]).alias("event.category"),
        pl.lit(["connection", "start"]).alias("event.type"),
        pl.lit("login").alias("event.action"),
        pl.col("outcome").alias("event.outcome"),
        pl.col("reason").alias("event.reason"),
        pl.lit(name).alias("network.protocol"),
        *(pl.col("user").alias(f"{root}user.name") for root in ("", "source.")),
        *(pl.col("domain").alias(f"{root}user.domain") for root in ("", "source.")),
        *(pl.col("computer").alias(column) for column in ("host.name", "source.domain")),
        *(pl.col(one).alias(f"capture.{name}.{one}") for one in own),
    )
