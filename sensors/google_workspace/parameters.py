"""An activity's events, one a row, and their parameters as columns.

The Reports API has `events: [{type, name, parameters: [{name, value | boolValue | multiValue …}]}]`
(https://developers.google.com/workspace/admin/reports/reference/rest/v1/activities/list); shippers split it
into one record an event, and some collectors put `type`, `name` and `parameters: {name: value}` at the top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading.json_table import objects, text

if TYPE_CHECKING:
    from sensors.sensor import Source

PREFIX: Final = "google_workspace."
_VALUES: Final = (
    "value", "intValue", "boolValue", "multiValue", "multiIntValue", "multiBoolValue", "messageValue",
    "multiMessageValue",
)  # fmt: skip
_COLUMNS: Final = 600
_NAME: Final = r"^[A-Za-z0-9_.\- ]{1,80}$"


def per_event(table: pl.DataFrame) -> pl.DataFrame:
    """The table with a row for each event of an activity: `~type`, `~name` and `~parameters` (JSON text)."""
    listed = objects(table, "events", "type", "name", "parameters")
    rows = table.with_columns(listed.alias("~events")).with_row_index("~record")
    rows = rows.explode("~events", empty_as_null=True)
    event = pl.col("~events").struct
    return rows.with_columns(
        pl.coalesce(event.field("type"), text(table, "events.type", "type")).alias("~type"),
        pl.coalesce(event.field("name"), text(table, "events.name", "name")).alias("~name"),
        pl.coalesce(event.field("parameters"), text(table, "events.parameters", "parameters")).alias(
            "~parameters"
        ),
    ).drop("~events")


def with_parameters(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Adds a column `google_workspace.<application>.<parameter>` for each parameter that an event has."""
    rows = rows.drop("~row", strict=False).with_row_index("~row")
    application = rows.select("~row", text(rows, "id.applicationName").alias("~application"))
    long = (
        pl.concat([_listed(rows), _top(rows)])
        .filter(pl.col("value").is_not_null() & pl.col("name").str.contains(_NAME))
        .join(application, on="~row", how="left", maintain_order="left")
        .select(
            "~row",
            pl.concat_str(
                pl.lit(PREFIX),
                pl.col("~application").fill_null("event").str.to_lowercase(),
                pl.lit("."),
                pl.col("name").str.to_lowercase().str.replace_all(r"[ \-]", "_"),
            ).alias("name"),
            # A list of one is that one.
            pl.coalesce(pl.col("value").str.extract(r'^\["?([^",\[\]{}]*)"?\]$', 1), "value"),
        )
    )
    counts = long["name"].value_counts(sort=True)
    if counts.height > _COLUMNS:
        source.lost(
            "more different parameters than are told apart at once; the rarest were left out",
            count=int(counts["count"][_COLUMNS:].sum()),
        )
        long = long.filter(pl.col("name").is_in(counts["name"][:_COLUMNS].implode()))
    if not long.height:
        return rows.drop("~row")
    wide = long.pivot(on="name", index="~row", values="value", aggregate_function="first")
    return rows.join(wide, on="~row", how="left", maintain_order="left").drop("~row")


def given(rows: pl.DataFrame, *names: str) -> pl.Expr:
    """The first value among parameters of these names, of whichever application."""
    found = [
        pl.col(column)
        for name in names
        for column in rows.columns
        if column.startswith(PREFIX) and column.split(".", 2)[2] == name
    ]
    return pl.coalesce(found) if found else pl.lit(None, pl.String)


def _listed(rows: pl.DataFrame) -> pl.DataFrame:
    """Parameters of the API's own form: row, name, value."""
    each = rows.select("~row", objects(rows, "~parameters", "name", *_VALUES).alias("~p")).explode(
        "~p", empty_as_null=True
    )
    part = pl.col("~p").struct
    return each.select(
        "~row", part.field("name").alias("name"), pl.coalesce(part.field(v) for v in _VALUES).alias("value")
    )


def _top(rows: pl.DataFrame) -> pl.DataFrame:
    """Parameters that are an object's members: row, name, value."""
    empty = pl.DataFrame(schema={"~row": pl.get_index_type(), "name": pl.String, "value": pl.String})
    names = {
        column: column.split("parameters.", 1)[1]
        for column in rows.columns
        if column.startswith(("parameters.", "events.parameters."))
    }
    if not names:
        return empty
    taken = rows.select("~row", *names)
    long = taken.unpivot(on=list(names), index="~row", variable_name="name", value_name="value")
    return long.filter(pl.col("value").is_not_null()).with_columns(pl.col("name").replace(names))


def whole(rows: pl.DataFrame) -> pl.Expr:
    """The parameters as JSON text, however they are written."""
    written = pl.col("~parameters")
    inside = [pl.col(name).is_not_null() for name in rows.columns if name.startswith("parameters.")]
    if not inside:
        return written
    # Only records whose parameters are an object are looked through once more.
    mask = pl.any_horizontal(inside) & written.is_null()
    return pl.coalesce(written, pl.when(mask).then("text").str.json_path_match("$.parameters"))
