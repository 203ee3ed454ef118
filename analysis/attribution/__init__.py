"""Whose events are that name nobody: by who held the address, or sat at the computer, at that time.

Evidence, strongest first: a VPN session (address assigned to a user), a firewall's IP-user mapping, a DHCP
lease (address to computer) with an interactive logon there (computer to user), and that logon alone for what
happens on the computer itself. Where nobody is known to be logged on, the roster's owner of the computer is
taken, and said so.

A public address attributes nothing: many people share one. What cannot be attributed stays so, and is
    counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.attribution import holders
from analysis.attribution.evidence import SAYS_HOLDERS, SCHEMA, leases
from analysis.context.addresses import is_inside, normal, within
from analysis.identity import columns
from analysis.identity.domains import device_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analysis.context import Context
    from analysis.identity import Identity

__all__ = ["SAYS_HOLDERS", "Attribution", "Caps", "leases"]

_UNATTRIBUTED: Final = "unattributed"
_USER: Final = "user"
_OWNER: Final = "device of the roster"
_PERSONAL: Final = 2  # a computer at whose keyboard no more people sit: its owner and who set it up
# What happens on the computer that reports it, whatever addresses the event has besides.
_ON_THE_HOST: Final = ("process", "file", "registry", "driver", "library", "configuration", "host", "package")
_ENDPOINT: Final = (
    r"^(?:windows\.(?:sysmon|powershell)|endpoint\.|sysmon_linux|crowdstrike|sentinel_one|m365_defender)"
)


@dataclass(frozen=True, slots=True)
class Caps:
    """How long a sign counts if no end and no other holder is logged.

    Attributes:
        vpn: gateways show signs of a session at least daily (reconnects, posture checks), or log its end.
        logon: a working day; machines that crash or sleep log no end.
        lease: of a DHCP lease that does not say its time.
    """

    vpn: timedelta = timedelta(hours=24)
    logon: timedelta = timedelta(hours=16)
    lease: timedelta = timedelta(hours=24)


@dataclass
class Attribution:
    """Who held what when, and how many events it explained.

    Attributes:
        identity: who is who.
        counts: events by how their account was known (`account.basis`), and "unattributed"; grows with
            `attach`.
    """

    identity: Identity
    _addresses: pl.DataFrame  # held by accounts
    _leases: pl.DataFrame  # held by computers
    _logons: pl.DataFrame  # computers, held by accounts
    _owners: pl.DataFrame  # host, owner
    _personal: pl.Series  # computers of one person or two
    _held: pl.Series = field(init=False)  # every address that somebody held
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._held = pl.concat([self._addresses["key"], self._leases["key"]]).unique()

    @classmethod
    def build(
        cls, partials: Iterable[pl.DataFrame], identity: Identity, context: Context, caps: Caps | None = None
    ) -> Attribution:
        """Turn the evidence of all batches into intervals (the end step).

        Memory grows with sessions, leases and logons, not with events.

        Args:
            partials: what `leases` said of each batch.
            identity: who is who.
            context: its site's address pools and its roster's devices.
            caps: how long signs count.
        """
        caps = caps or Caps()
        found = identity.assign(pl.concat([pl.DataFrame(schema=SCHEMA), *partials]))
        found = found.rename({"account": "holder"}).drop(columns.READ)
        addresses = _sessions(found.filter(pl.col("kind").is_in(["vpn", "mapping"])), context, caps)
        logons = found.filter((pl.col("kind") == "logon") & (pl.col("account.kind") != "machine"))
        owners = _owners(context)
        few = logons.filter(~pl.col("ends")).group_by("key").agg(pl.col("holder").n_unique())
        personal = {*few.filter(pl.col("holder") <= _PERSONAL)["key"], *owners["host"]}
        return cls(
            identity,
            addresses,
            _computers(found.filter(pl.col("kind") == "dhcp"), caps),
            _logons(logons, caps),
            owners,
            pl.Series(sorted(personal), dtype=pl.String),
        )

    def attach(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events with `account` (and `account.kind`) where they name nobody, and `account.basis`.

        `account.basis` says how the account is known: "user" (the event names it), "vpn lease", "ip-user
        mapping", "dhcp and logon", "dhcp and device of the roster", "logon on the host", "device of the
        roster"; with ", destination" where the account is at the receiving end of what came from outside;
        with ", system process" where the event names the computer's own account. It is null where nobody is
        known.
        """
        if "account" not in frame.columns:
            frame = self.identity.assign(frame)
        found = self._known(frame)
        old, new = pl.col("account"), pl.col("#account")
        kinds = {name: self.identity.kind(name) for name in found[0].drop_nulls().unique()}
        kind = new.replace_strict(kinds, default="person", return_dtype=pl.String)
        done = frame.with_columns(found).with_columns(
            pl.coalesce(new, old).alias("account"),
            pl.when(new.is_not_null()).then(kind).otherwise("account.kind").alias("account.kind"),
            pl.when(new.is_not_null())
            .then("#basis")
            .otherwise(pl.when(old.is_not_null()).then(pl.lit(_USER)))
            .alias("account.basis"),
        )
        for basis, count in done["account.basis"].value_counts().iter_rows():
            self.counts[basis or _UNATTRIBUTED] += count
        return done.drop("#account", "#basis")

    def _known(self, frame: pl.DataFrame) -> list[pl.Series]:
        """The account and the basis for each event that wants one; null for all others."""
        asked = self._asked(frame)
        answers = pl.concat(
            [asked.select("row"), self._by_address(asked), self._by_host(asked)], how="horizontal"
        )
        system = pl.when(asked["system"]).then(pl.lit(", system process")).otherwise(pl.lit(""))
        ways = [
            ("vpn", ""),
            # What a computer says of itself outweighs an address: homes and offices number alike.
            ("host", ""),
            ("dhcp", ""),
            ("to_vpn", ", destination"),
            ("to_dhcp", ", destination"),
        ]
        account = pl.coalesce(way for way, _ in ways)
        basis = pl.coalesce(pl.col(f"{way}_basis") + pl.lit(end) for way, end in ways) + system
        whole = frame.select(pl.int_range(pl.len()).alias("row")).join(
            answers.select("row", account.alias("#account"), basis.alias("#basis")),
            on="row",
            how="left",
            maintain_order="left",
        )
        return [whole["#account"], whole["#basis"]]

    def _asked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events that may be attributed, sorted by time, with the addresses and the computer to go by."""
        source = _address(frame, "source.ip")
        target = _address(frame, "destination.ip")
        rows = frame.select(
            pl.int_range(pl.len()).alias("row"),
            pl.col("@timestamp").alias("at"),
            columns.host(frame).alias("host"),
            nobody=pl.col("account").is_null(),
            system=pl.col("account.kind") == "machine",
            here=_on_the_host(frame),
        ).with_columns(
            source.alias("source"), target.alias("target"), system=pl.col("system").fill_null(value=False)
        )
        outside = (~is_inside(pl.col("source"))).fill_null(value=False) & ~self._is_held("source")
        personal = pl.col("host").is_in(self._personal.implode())
        rows = rows.with_columns(
            source=pl.when("nobody", self._is_held("source")).then("source"),
            target=pl.when("nobody", outside, self._is_held("target")).then("target"),
            host=pl.when(pl.col("here") & (pl.col("nobody") | (pl.col("system") & personal))).then("host"),
        )
        return rows.filter(pl.any_horizontal(pl.col("source", "target", "host").is_not_null())).sort("at")

    def _is_held(self, name: str) -> pl.Expr:
        return pl.col(name).is_in(self._held.implode()).fill_null(value=False)

    def _by_address(self, asked: pl.DataFrame) -> pl.DataFrame:
        parts = []
        for side, prefix in (("source", ""), ("target", "to_")):
            at = asked.select(key=side, at="at")
            vpn = holders.at(self._addresses, at)
            host = holders.at(self._leases, at)["holder"]
            person = self._at_computer(
                asked.select(key=host, at="at"), "dhcp and logon", f"dhcp and {_OWNER}"
            )
            parts += [
                vpn.rename({"holder": f"{prefix}vpn", "basis": f"{prefix}vpn_basis"}),
                person.rename({"holder": f"{prefix}dhcp", "basis": f"{prefix}dhcp_basis"}),
            ]
        return pl.concat(parts, how="horizontal")

    def _by_host(self, asked: pl.DataFrame) -> pl.DataFrame:
        person = self._at_computer(asked.select(key="host", at="at"), "logon on the host", _OWNER)
        return person.rename({"holder": "host", "basis": "host_basis"})

    def _at_computer(self, asked: pl.DataFrame, logged_on: str, owned: str) -> pl.DataFrame:
        """Who sits at a computer: who is logged on, else whose the roster says it is."""
        logon = holders.at(self._logons, asked)["holder"]
        owner = asked.join(self._owners, left_on="key", right_on="host", how="left", maintain_order="left")[
            "owner"
        ]
        return pl.DataFrame({"logon": logon, "owner": owner}).select(
            holder=pl.coalesce("logon", "owner"),
            basis=pl.when(pl.col("logon").is_not_null())
            .then(pl.lit(logged_on))
            .when(pl.col("owner").is_not_null())
            .then(pl.lit(owned)),
        )


def _address(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None], pl.String).new_from_index(0, frame.height)
    return normal(frame[name])


def _on_the_host(frame: pl.DataFrame) -> pl.Expr:
    """Whether an event is about the computer that reports it, and not about somebody who reaches it."""
    here = pl.col("source.ip").is_null() if "source.ip" in frame.columns else pl.lit(value=True)
    if "event.category" in frame.columns:
        here |= pl.any_horizontal(
            pl.col("event.category").list.contains(word) for word in _ON_THE_HOST
        ).fill_null(value=False)
    if "event.dataset" in frame.columns:
        here |= pl.col("event.dataset").str.contains(_ENDPOINT).fill_null(value=False)
    return here


def _sessions(found: pl.DataFrame, context: Context, caps: Caps) -> pl.DataFrame:
    """Addresses held by accounts: VPN sessions and mappings."""
    # Some products write the assigned address where others write the public one (Elastic's PAN-OS mapping).
    swapped = ~is_inside(pl.col("key")) & is_inside(pl.col("public"))
    found = found.with_columns(
        key=pl.when(swapped).then("public").otherwise("key"),
        public=pl.when(swapped).then("key").otherwise("public"),
    )
    pools = within(found["key"].drop_nulls().unique(), context.site.vpn_pools)
    assigned = is_inside(pl.col("key")) | pl.col("key").is_in(list(pools))
    found = found.filter(pl.col("key").is_null() | (assigned & pl.col("key").ne_missing(pl.col("public"))))
    signs = found.filter(~pl.col("ends") & pl.col("holder").is_not_null() & pl.col("key").is_not_null())
    ends = found.filter(pl.col("ends") & pl.col("key").is_not_null())
    keyless = found.filter(pl.col("ends") & pl.col("key").is_null() & pl.col("holder").is_not_null())
    every = pl.concat([signs, _begun_before(ends, signs), ends, holders.find_addresses(keyless, signs)])
    basis = pl.when(pl.col("kind") == "vpn").then(pl.lit("vpn lease")).otherwise(pl.lit("ip-user mapping"))
    return holders.changes(_signs(every, basis, pl.lit(caps.vpn)))


def _begun_before(ends: pl.DataFrame, signs: pl.DataFrame) -> pl.DataFrame:
    """Signs for sessions whose end says their length, but whose begin no log has."""
    timed = ends.drop_nulls(["holder", "length"]).sort("at")
    given = timed.select("holder", "key", "at").join_asof(
        signs.select("holder", "key", given="at").sort("given"),
        left_on="at",
        right_on="given",
        by=["holder", "key"],
        strategy="backward",
        check_sortedness=False,
    )["given"]
    began = pl.col("at") - pl.col("length")
    unseen = given.is_null() | (given < timed.select(began - timedelta(minutes=5)).to_series())
    return timed.filter(unseen).with_columns(
        at=began, ends=pl.lit(value=False), length=pl.lit(None, pl.Duration("us"))
    )


def _computers(found: pl.DataFrame, caps: Caps) -> pl.DataFrame:
    """Addresses held by computers: DHCP leases. A computer without a name is known by its card."""
    named = (
        found.drop_nulls(["mac", "host"])
        .group_by("mac")
        .agg(pl.col("host").n_unique().alias("n"), known=pl.col("host").first())
    )
    known = found.join(named.filter(n=1).drop("n"), on="mac", how="left", maintain_order="left")
    holder = pl.coalesce("host", "known", pl.lit("mac:") + pl.col("mac"))
    # A client renews after half its lease, by unicast (RFC 2131, 4.4.5), which a sensor need not see: one
    # renewal is granted.
    length = pl.coalesce(pl.col("length") * 1.5, pl.lit(caps.lease, pl.Duration("us")))
    leased = known.with_columns(holder=pl.when("ends").then(None).otherwise(holder))
    leased = leased.filter(pl.col("ends") | pl.col("holder").is_not_null()).select(found.columns)
    return holders.changes(_signs(leased, pl.lit("dhcp"), length))


def _logons(found: pl.DataFrame, caps: Caps) -> pl.DataFrame:
    """Computers held by accounts. An end counts if it is of the last session that began at the keyboard."""
    began = pl.when(~pl.col("ends") & ~pl.col("again").fill_null(value=False)).then("session")
    ordered = found.sort("key", "holder", "at", "file", "order").with_columns(
        last=began.forward_fill().over("key", "holder")
    )
    other = pl.col("ends") & (pl.col("session") != pl.col("last")).fill_null(value=False)
    return holders.changes(
        _signs(ordered.filter(~other).select(found.columns), pl.lit("logon"), pl.lit(caps.logon))
    )


def _signs(found: pl.DataFrame, basis: pl.Expr, lasts: pl.Expr) -> pl.DataFrame:
    return found.select(
        "key", "at", "file", "order", "ends", "holder", basis.alias("basis"), until=pl.col("at") + lasts
    )


def _owners(context: Context) -> pl.DataFrame:
    """Computers of the roster with their one owner."""
    rows = (
        context.roster.select("account", "device_hostname").drop_nulls().iter_rows()
        if context.roster is not None
        else ()
    )
    pairs = [(host, account) for account, text in rows for host in device_names(text)]
    table = pl.DataFrame(pairs, schema={"host": pl.String, "owner": pl.String}, orient="row").unique()
    return table.filter(pl.col("owner").n_unique().over("host") == 1)
