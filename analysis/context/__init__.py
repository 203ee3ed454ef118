"""What is known besides the logs: who works here, what the place looks like, where addresses are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from analysis.context.addresses import normal, within
from analysis.context.geo import Geo, kind_of
from analysis.context.problem import ContextError
from analysis.context.roster import load_roster, looks_like_roster
from analysis.context.site import LogHint, Site, load_site, looks_like_site

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Context", "ContextError", "Geo", "LogHint", "Site", "load_context", "recognise"]

Kind = Literal["roster", "site", "geo_city", "geo_asn"]
_HEAD: Final = 64 << 10
_SITE_BYTES: Final = 1 << 20  # a larger file is no site file
_ON_EVENTS: Final = (
    "name", "department", "title", "team", "manager", "location_country", "location_city", "location_region",
    "timezone", "work_mode", "status", "employment_type", "shipping_address_city", "shipping_address_region",
    "phone_line_type", "device_hostname", "household",
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """What is known besides the logs; every part may be missing.

    Attributes:
        roster: one row a person (columns of `analysis.context.roster.SCHEMA`), or None.
        site: the site file; empty where there is none.
        geo: places and networks of addresses, or None.
        notes: sentences on what is missing and what that switches off, and on what was odd in the files.
    """

    roster: pl.DataFrame | None = None
    site: Site = field(default_factory=Site)
    geo: Geo | None = None
    notes: list[str] = field(default_factory=list)

    def enrich(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events with where their public addresses are, and who their accounts are by the roster.

        Adds `source.geo.*` and `source.as.*` (the vendor's own values stay), `molehunt.source.network` (the
        site's network that `source.ip` lies in: "egress NYC"), and by `account` `roster.*`;
        `roster.days_since_start` and `roster.days_since_end` count whole days from the roster's date to the
        event's (UTC), negative before it. `roster.bank_changes` counts changes of the bank details, and
        `roster.bank_change_days` says how many days after the start the first of them was.
        """
        if self.geo is not None:
            frame = self.geo.attach(frame)
        frame = self._networks(frame)
        if self.roster is None or "account" not in frame.columns:
            return frame
        return (
            frame.lazy()
            .join(self._people().lazy(), on="account", how="left", maintain_order="left")
            .with_columns(_days("start"), _days("end"))
            .drop("roster.start_date", "roster.end_date")
            .collect()
        )

    def _networks(self, frame: pl.DataFrame) -> pl.DataFrame:
        networks = self.site.networks()
        if not networks or "source.ip" not in frame.columns:
            return frame
        addresses = normal(frame["source.ip"])
        names = within(addresses.drop_nulls().unique(), networks)
        return frame.with_columns(
            addresses.replace_strict(names, default=None, return_dtype=pl.String).alias(
                "molehunt.source.network"
            )
        )

    def _people(self) -> pl.DataFrame:
        roster = self.roster if self.roster is not None else pl.DataFrame()
        people = roster.select(
            "account",
            *(pl.col(name).alias(f"roster.{name}") for name in (*_ON_EVENTS, *_DATES)),
            pl.col("bank_change_dates").list.len().cast(pl.Int64).alias("roster.bank_changes"),
        ).join(_first_bank_change(roster), on="account", how="left", maintain_order="left")
        if not self.site.households:
            return people
        homes = {
            name: f"household {number}"
            for number, home in enumerate(self.site.households, 1)
            for name in home
        }
        named = (
            pl.col(name).str.to_lowercase().replace_strict(homes, default=None, return_dtype=pl.String)
            for name in ("account", "email", "username", "employee_id")
        )
        said = roster.select(pl.coalesce(*named))["account"]
        return people.with_columns(pl.coalesce(said, pl.col("roster.household")).alias("roster.household"))


_DATES: Final = ("start_date", "end_date")


def _first_bank_change(roster: pl.DataFrame) -> pl.DataFrame:
    after = (pl.col("bank_change_dates") - pl.col("start_date")).dt.total_days()
    return (
        roster.select("account", "start_date", "bank_change_dates")
        .explode("bank_change_dates")
        .filter(after >= 0)
        .group_by("account")
        .agg(after.min().alias("roster.bank_change_days"))
    )


def _days(which: str) -> pl.Expr:
    elapsed = pl.col("@timestamp").dt.date() - pl.col(f"roster.{which}_date")
    return elapsed.dt.total_days().alias(f"roster.days_since_{which}")


def load_context(
    roster: Path | None = None,
    geo_city: Path | None = None,
    geo_asn: Path | None = None,
    site: Path | None = None,
) -> Context:
    """Read the context files that there are.

    Raises:
        ContextError: a file that was given cannot be used; the message says what to do.
    """
    notes: list[str] = []
    known, odd = load_site(site) if site else (Site(), [])
    people, odd_people = load_roster(roster) if roster else (None, [])
    geo = Geo(geo_city, geo_asn) if geo_city or geo_asn else None
    if roster is None:
        notes.append(
            "No roster (--roster): names are tied together by the logs alone, and what compares people with "
            "their claimed location, working hours, department, hiring date or bank changes does not run."
        )
    if geo_city is None:
        notes.append(
            "No city file (--geo-city): impossible travel and claimed against seen location run only on "
            "places that the logs themselves give."
        )
    if geo_asn is None:
        notes.append("No network file (--geo-asn): what asks for hosting or VPN networks does not run.")
    if site is None:
        notes.append(
            "No site file (--site): the company's domain is inferred, and its own egress, address pools, "
            "sanctioned tools and service accounts are not known, so more of what is allowed may be reported."
        )
    return Context(people, known, geo, [*notes, *odd, *odd_people])


def recognise(path: Path) -> Kind | None:
    """Which context file a file in a hunted folder is; None for a log or anything else.

    A MaxMind file is known by its metadata, a roster by its header, a site file by being one TOML or JSON
    object with at least two keys of a site file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        size = path.stat().st_size
    except OSError:
        return None
    kind = kind_of(path)
    if kind is not None:
        return "geo_city" if kind == "geo_city" else "geo_asn"
    if size <= _SITE_BYTES and looks_like_site(head if size <= _HEAD else path.read_bytes()):
        return "site"
    return "roster" if looks_like_roster(head) else None
