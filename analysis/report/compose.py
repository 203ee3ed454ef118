"""Findings, profiles and context to the frozen report: what the page will tell of each account, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from analysis import profile, risk
from analysis.report.document import VERSION, Account, Outbound, Place, Report, SourceRead

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.attribution import Attribution
    from analysis.context import Context
    from analysis.finding import Finding, HeldBack, NotRun
    from analysis.identity import Identity
    from analysis.intake import Intake
    from analysis.lake import Lake

_PLACES: Final = 12
_NAMES: Final = ("country", "region", "city", "organization")
_HOSTS: Final = 20
_STORY: Final = 12
_DESTINATIONS: Final = 3
_STRAY: Final = 0.001  # the share of all events that may lie after the time of weighing
_FACTS: Final = (
    ("title", "Title"),
    ("department", "Department"),
    ("team", "Team"),
    ("manager", "Manager"),
    ("employment_type", "Employment"),
    ("work_mode", "Works"),
    ("start_date", "Started"),
    ("end_date", "Last day"),
    ("status", "Status"),
    ("timezone", "Time zone"),
    ("device_hostname", "Laptop"),
)


@dataclass(frozen=True, slots=True)
class Material:
    """All that a hunt found out, before it is put into words."""

    created: datetime
    inputs: tuple[str, ...]
    intake: Intake
    lake: Lake
    context: Context
    identity: Identity
    attribution: Attribution
    profiles: profile.Profile
    findings: tuple[Finding, ...]
    not_run: tuple[NotRun, ...]
    detections: int
    held_back: tuple[HeldBack, ...] = ()


def compose(material: Material) -> Report:
    """The report of a hunt; findings in the order of their time, accounts in the order of their score."""
    findings = tuple(
        sorted(material.findings, key=lambda each: (each.first_seen, each.detection, each.account))
    )
    manifests = material.lake.manifests
    first = min((each.first for each in manifests if each.first), default=None)
    last = max((each.last for each in manifests if each.last), default=None)
    now = min(_present(material.profiles) or last or material.created, material.created)
    rows = material.lake.rows()
    return Report(
        version=VERSION,
        molehunt=version("molehunt"),
        created=material.created,
        inputs=material.inputs,
        first=first,
        last=last,
        events=sum(rows.values()),
        datasets=tuple(rows.items()),
        accounts=_accounts(material, findings, now),
        findings=findings,
        sources=_sources(material.intake),
        unread=tuple(material.intake.unread),
        not_run=material.not_run,
        detections=material.detections,
        notes=tuple(material.context.notes),
        attribution=tuple(sorted(material.attribution.counts.items(), key=lambda each: (-each[1], each[0]))),
        held_back=material.held_back,
    )


def _present(profiles: profile.Profile) -> datetime | None:
    """When the evidence is weighed: the end of the last day that more than a few stray events are of.

    A clock that runs ahead in one log must not make all other evidence look old.
    """
    days = profiles["days"].group_by("day").agg(pl.col("events").sum()).sort("day", descending=True)
    enough = days.filter(pl.col("events").cum_sum() > pl.col("events").sum() * _STRAY)
    if enough.is_empty():
        return None
    day = enough["day"][0]
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)


def _sources(intake: Intake) -> tuple[SourceRead, ...]:
    read = [
        SourceRead(
            each.path,
            each.sha256,
            each.sensor,
            each.events,
            each.first,
            each.last,
            sum(one.count for one in each.unread),
            known,
        )
        for each, known in intake.manifests
    ]
    read += [SourceRead(each.path, each.sha256, "empty file", 0, None, None, 0) for each in intake.empty]
    return tuple(read)


def _accounts(material: Material, findings: tuple[Finding, ...], now: datetime) -> tuple[Account, ...]:
    known = risk.people(material.identity.accounts, material.context.roster, now)
    scored = risk.assess(findings, known, now)
    of: dict[str, list[int]] = {}
    for index, finding in enumerate(findings):
        of.setdefault(finding.account, []).append(index)
    named = material.identity.accounts.select("account", "label", "kind", "identifiers")
    ordered = scored.join(named, on="account", how="left").join(
        _seen(material.profiles), on="account", how="left"
    )
    # Whom the roster alone names was not seen.
    ordered = ordered.filter(pl.col("events").is_not_null() | pl.col("account").is_in(list(of))).sort(
        pl.col("score").round(6), pl.col("events").fill_null(0), "account", descending=[True, True, False]
    )
    people = _People(material)
    return tuple(
        _account(rank, row, [findings[index] for index in of.get(row["account"], [])], of, people)
        for rank, row in enumerate(ordered.iter_rows(named=True), 1)
    )


def _seen(profiles: profile.Profile) -> pl.DataFrame:
    return (
        profiles["datasets"]
        .group_by("account")
        .agg(pl.col("events").sum(), pl.col("first").min(), pl.col("last").max())
    )


def _account(
    rank: int, row: dict[str, Any], findings: list[Finding], of: dict[str, list[int]], people: _People
) -> Account:
    account = row["account"]
    known = Account(
        rank=rank,
        account=account,
        label=row["label"] or account,
        kind=row["kind"] or "person",
        score=round(row["score"], 1),
        band=row["band"],
        identifiers=tuple(row["identifiers"] or ()),
        categories=tuple(row["categories"] or ()),
        first_seen=row["first"],
        last_seen=row["last"],
        why=_why(findings),
        events=row["events"] or 0,
    )
    return people.told(known, findings, tuple(of.get(account, ()))) if findings else known


def _why(findings: Sequence[Finding]) -> str:
    """The gravest finding of each category, gravest first, in one line."""
    best: dict[str, Finding] = {}
    for each in findings:
        held = best.get(each.category)
        if held is None or _gravity(each) > _gravity(held):
            best[each.category] = each
    grave = sorted(best.values(), key=_gravity, reverse=True)
    return ". ".join(each.title for each in grave)


def _gravity(finding: Finding) -> float:
    return float(finding.level) * finding.confidence


class _People:
    """What the profiles and the roster say of an account, split by account once."""

    def __init__(self, material: Material) -> None:
        tables = {**material.profiles, "outbound": profile.outbound(material.profiles, _DESTINATIONS)}
        self._profiles = {
            name: {key[0]: part for key, part in frame.partition_by("account", as_dict=True).items()}
            for name, frame in tables.items()
            if frame.height
        }
        roster = material.context.roster
        self._roster = (
            {row["account"]: row for row in roster.iter_rows(named=True)} if roster is not None else {}
        )

    def told(self, account: Account, findings: list[Finding], indexes: tuple[int, ...]) -> Account:
        """The account with everything that its section of the page shows."""
        person = self._roster.get(account.account, {})
        zone = person.get("timezone") or ""
        hours, local = self._hours(account.account, zone)
        return Account(
            **{
                **{name: getattr(account, name) for name in Account.__slots__},
                "story": _story(findings, person),
                "facts": _facts(person),
                "timezone": zone,
                "hours": hours,
                "local_hours": local,
                "days": self._days(account.account),
                "places": self._places(account.account),
                "outbound": self._outbound(account.account),
                "hosts": self._hosts(account.account),
                "findings": indexes,
            }
        )

    def _of(self, name: str, account: str) -> pl.DataFrame | None:
        return self._profiles.get(name, {}).get(account)

    def _hours(self, account: str, zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        frame = self._of("hours", account)
        if frame is None:
            return (), ()
        moment = pl.col("day").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=pl.col("hour"))
        utc = _by_hour(frame, moment)
        return utc, _by_hour(frame, moment.dt.convert_time_zone(zone)) if zone and _known(zone) else ()

    def _days(self, account: str) -> tuple[tuple[Any, int], ...]:
        frame = self._of("days", account)
        return () if frame is None else tuple(frame.sort("day").select("day", "events").iter_rows())

    def _places(self, account: str) -> tuple[Place, ...]:
        frame = self._of("places", account)
        if frame is None:
            return ()
        # Vendors write one network's name in several ways; an address is one place, named as most events do.
        top = (
            frame.sort("events", *_NAMES, descending=[True, *(False for _ in _NAMES)])
            .group_by("source.ip", maintain_order=True)
            .agg(
                pl.col(_NAMES).drop_nulls().first(),
                pl.col("events").sum(),
                pl.col("first").min(),
                pl.col("last").max(),
            )
            .sort("events", "source.ip", descending=[True, False])
            .head(_PLACES)
        )
        return tuple(
            Place(
                row["source.ip"],
                row["country"] or "",
                row["region"] or "",
                row["city"] or "",
                row["organization"] or "",
                row["events"],
                row["first"],
                row["last"],
            )
            for row in top.iter_rows(named=True)
        )

    def _outbound(self, account: str) -> tuple[Outbound, ...]:
        frame = self._of("outbound", account)
        if frame is None:
            return ()
        return tuple(
            Outbound(row["day"], row["bytes"], tuple(row["destinations"]))
            for row in frame.sort("day").iter_rows(named=True)
        )

    def _hosts(self, account: str) -> tuple[str, ...]:
        frame = self._of("hosts", account)
        if frame is None:
            return ()
        return tuple(frame.sort("events", "host", descending=[True, False])["host"].head(_HOSTS))


def _by_hour(frame: pl.DataFrame, moment: pl.Expr) -> tuple[int, ...]:
    counts = dict(
        frame.group_by(moment.dt.hour().cast(pl.Int64).alias("at")).agg(pl.col("events").sum()).iter_rows()
    )
    return tuple(int(counts.get(hour, 0)) for hour in range(24))


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _facts(person: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    facts = [(label, str(person[name])) for name, label in _FACTS if person.get(name)]
    for label, parts in (
        ("Home", ("location_city", "location_region", "location_country")),
        ("Laptop sent to", ("shipping_address_city", "shipping_address_region", "shipping_address_country")),
    ):
        where = ", ".join(str(person[part]) for part in parts if person.get(part))
        if where:
            facts.append((label, where))
    return tuple(facts)


def _story(findings: Sequence[Finding], person: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences in the order of time, one a detection; of many the gravest, but every category is told of."""
    alike: dict[str, list[Finding]] = {}
    for each in sorted(findings, key=_gravity, reverse=True):
        alike.setdefault(each.detection, []).append(each)
    groups = list(alike.values())
    foremost = {group[0].category: group for group in reversed(groups)}.values()
    chosen = [*foremost, *(group for group in groups if group not in foremost)][:_STORY]
    told = sorted(chosen, key=lambda group: min(each.first_seen for each in group))
    return (*_opening(person), *(_sentence(each) for each in told))


def _opening(person: Mapping[str, Any]) -> tuple[str, ...]:
    start = person.get("start_date")
    if not start:
        return ()
    role = person.get("title") or "Employee"
    home = ", ".join(str(person[part]) for part in ("location_city", "location_region") if person.get(part))
    return (f"{role} since {start.day} {start:%b %Y}{f', at home in {home} by the roster' if home else ''}.",)


def _sentence(alike: Sequence[Finding]) -> str:
    """What one detection found, told by the gravest of its findings."""
    first = min(each.first_seen for each in alike).astimezone(UTC)
    last = max(each.last_seen for each in alike).astimezone(UTC)
    days = (last.date() - first.date()) // timedelta(days=1)
    when = f"{first.day} {first:%b}" if not days else f"{first.day} {first:%b} to {last.day} {last:%b}"
    count = sum(each.count for each in alike)
    times = "" if count == 1 else f" ({count:,} events)"
    if len({each.why for each in alike}) > 1:
        times = f" ({count:,} events in {len(alike)} findings like this)"
    return f"{when}: {alike[0].why.rstrip('.')}{times}."
