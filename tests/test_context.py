"""Site file, places of addresses, and what the two and the roster put on events."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from analysis.context import Context, ContextError, Geo, Site, load_context, recognise
from analysis.context.addresses import is_inside, normal, within
from analysis.context.geo import kind_of
from analysis.context.roster import SCHEMA
from analysis.context.site import load_site

if TYPE_CHECKING:
    from pathlib import Path

AUSTIN: dict[str, Any] = {
    "country": {"iso_code": "US", "names": {"en": "United States"}},
    "subdivisions": [{"iso_code": "TX", "names": {"en": "Texas"}}],
    "city": {"names": {"en": "Austin"}},
    "location": {
        "latitude": 30.27,
        "longitude": -97.74,
        "accuracy_radius": 20,
        "time_zone": "America/Chicago",
    },
}
BERLIN: dict[str, Any] = {
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "city": {"names": {"en": "Berlin"}},
    "location": {"latitude": 52.5, "longitude": 13.4, "accuracy_radius": 50, "time_zone": "Europe/Berlin"},
}
SITE = """{"domain": "Corp.Example", "netbios": "corp",
 "sources": {"vpn/asa.log": {"timezone": "UTC", "header_has_year": false},
             "*.csv": {"timezone": "America/Chicago"},
             "vpn/globalprotect.csv": {"timezone": "EST"}},
 "vpn_pools": {"asa": ["10.99.0.0/16"]}, "teleworker_lans": ["10.60.0.0/16"],
 "offices": {"NYC": "10.20.0.0/16"},
 "corporate_egress": {"NYC": "38.122.44.0/24"}, "github_org": "corp-example",
 "sanctioned_remote_support": ["ScreenConnect"], "service_accounts": ["svc-*"],
 "households": [["ann@corp.example", "bo@corp.example"]], "colour": "blue"}"""


def mmdb(folder: Path, kind: str, networks: dict[str, dict[str, Any]]) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    path = folder / f"{kind}.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return mmdb(
        tmp_path, "GeoLite2-City", {"203.0.113.0/24": AUSTIN, "2001:db8::/32": BERLIN, "10.0.0.0/8": BERLIN}
    )


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    record = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"}
    return mmdb(tmp_path, "GeoLite2-ASN", {"203.0.113.0/25": record})


def events(**columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def test_site_as_design_has_it(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(SITE)
    site, notes = load_site(path)
    assert (site.domain, site.netbios) == ("corp.example", "CORP")
    assert site.zone_for("/data/vpn/asa.log") == ZoneInfo("UTC")
    assert site.zone_for("/data/vpn/globalprotect.csv") == ZoneInfo(
        "EST"
    )  # the longest key that fits; IANA's name
    assert site.zone_for("/data/export.zip!vpn/other.csv") == ZoneInfo("America/Chicago")
    assert site.zone_for("/data/myvpn/asa.log") is None
    hint = site.hint_for("x/vpn/asa.log")
    assert hint is not None
    assert hint.header_has_year is False
    addresses = ["38.122.44.9", "10.99.3.1", "10.20.0.1", "10.60.1.1", "8.8.8.8", "nonsense"]
    assert within(addresses, site.networks()) == {
        "38.122.44.9": "egress NYC",
        "10.99.3.1": "vpn pool asa",
        "10.20.0.1": "office NYC",
        "10.60.1.1": "teleworker lan",
    }
    assert site.github_org == ("corp-example",)
    assert any("colour" in note for note in notes)


def test_the_same_site_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        'domain = "corp.example"\nservice_accounts = ["svc-*"]\n[sources."asa.log"]\ntimezone = "ET"\n'
    )
    site, notes = load_site(path)
    assert site.zone_for("asa.log") == ZoneInfo("America/New_York")
    assert notes == []
    assert recognise(path) == "site"


def test_placeholders_are_texts_or_lists_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('[placeholders]\nadmins = ["root", "ann"]\njump_host = "jump01"\n')
    site, notes = load_site(path)
    assert site.placeholders == {"admins": ("root", "ann"), "jump_host": ("jump01",)}
    assert notes == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"domain": 7}', "domain must be text"),
        ('{"placeholders": ["x"]}', "placeholders must be a table"),
        ('{"placeholders": {"admins": [7]}}', "placeholders.admins must be text"),
        ('{"vpn_pools": {"asa": ["10.99.0.0/64"]}}', "vpn_pools.asa"),
        ('{"sources": {"a.log": {"timezone": "Noon"}}}', "no time zone"),
        ('{"sources": []}', "sources must be a table"),
        ('{"service_accounts": {"a": 1}}', "service_accounts must be a list"),
        ('{"households": ["ann"]}', "list of texts"),
        ('{"domain": "x",', "neither TOML nor a JSON object: "),
        ("[1, 2]", "neither TOML nor a JSON object"),
    ],
)
def test_wrong_sites_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text.replace('["ann"]', "[5]"))
    with pytest.raises(ContextError, match=r"site\.json") as error:
        load_site(path)
    assert says in str(error.value)


def test_what_is_missing_is_said(tmp_path: Path, city: Path) -> None:
    nothing = load_context()
    assert len(nothing.notes) == 4
    assert nothing.enrich(events(a=[1])).equals(events(a=[1]))
    roster = tmp_path / "roster.csv"
    roster.write_text("Employee ID,Email,Department\n1,ann@corp.example,IT\n")
    some = load_context(roster=roster, geo_city=city)
    assert not any("--roster" in note or "--geo-city" in note for note in some.notes)
    with pytest.raises(ContextError, match="cannot read the site file"):
        load_context(site=tmp_path / "absent.toml")


def test_context_files_in_a_folder_are_recognised(tmp_path: Path, city: Path, asn: Path) -> None:
    assert (recognise(city), recognise(asn)) == ("geo_city", "geo_asn")
    log = tmp_path / "log.ndjson"
    log.write_text('{"domain": "a", "actor": "b"}\n{"domain": "c", "netbios": "d"}\n')
    assert recognise(log) is None
    site = tmp_path / "site.json"
    site.write_text(SITE)
    assert recognise(site) == "site"
    assert recognise(tmp_path / "absent") is None
    (tmp_path / "empty").touch()
    assert recognise(tmp_path / "empty") is None


def test_addresses_get_places_once_each(city: Path, asn: Path) -> None:
    geo = Geo(city, asn)
    frame = events(
        **{
            "source.ip": [
                "203.0.113.7",
                None,
                "10.1.1.1",
                "2001:DB8:0::1",
                "::ffff:203.0.113.7",
                "no",
                "198.51.100.1",
            ]
        }
    )
    got = geo.attach(frame)
    assert got["source.ip"].equals(frame["source.ip"])  # order, spelling and number of rows stay
    assert got["source.geo.city_name"].to_list() == ["Austin", None, None, "Berlin", "Austin", None, None]
    assert got["source.geo.region_iso_code"].to_list() == ["US-TX", None, None, None, "US-TX", None, None]
    assert got["source.as.number"].to_list() == [64500, None, None, None, 64500, None, None]
    assert got["source.geo.accuracy"].to_list()[0] == 20.0
    assert got["source.geo.timezone"].to_list()[3] == "Europe/Berlin"
    again = pickle.loads(pickle.dumps(geo))  # noqa: S301 - our own object, as a process pool sends it
    assert again.attach(frame).equals(got)


def test_the_vendors_place_stays_and_is_never_mixed(city: Path) -> None:
    frame = events(
        **{
            "source.ip": ["203.0.113.7"] * 4,
            "source.geo.country_iso_code": [None, "US", "US", "DE"],
            "source.geo.city_name": [None, "Austin", "Dallas", None],
        }
    )
    got = Geo(city).attach(frame)
    assert got["source.geo.country_iso_code"].to_list() == ["US", "US", "US", "DE"]
    assert got["source.geo.city_name"].to_list() == ["Austin", "Austin", "Dallas", None]
    assert got["source.geo.region_name"].to_list() == ["Texas", "Texas", "Texas", None]
    assert got["source.geo.location.lat"].to_list() == [30.27, 30.27, None, None]
    filled = Geo(city).attach(
        frame.with_columns(
            pl.lit(None, pl.Float64).alias("source.geo.location.lat"),
            pl.lit(None, pl.String).alias("source.geo.region_name"),
        )
    )
    assert filled["source.geo.location.lat"].to_list() == [30.27, 30.27, None, None]
    assert filled["source.geo.region_name"].to_list() == ["Texas", "Texas", "Texas", None]


def test_damaged_and_wrong_mmdb_files(tmp_path: Path, city: Path, asn: Path) -> None:
    data = city.read_bytes()
    for name, content in {
        "text.mmdb": b"not a database",
        "cut.mmdb": data[: len(data) // 3],
        "empty.mmdb": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ContextError, match="download it again"):
            Geo(tmp_path / name)
        assert kind_of(tmp_path / name) is None
    with pytest.raises(ContextError, match="wants a City file"):
        Geo(asn)
    with pytest.raises(ContextError, match="cannot open it"):
        Geo(None, tmp_path / "absent.mmdb")


def test_a_tree_that_points_outside_is_a_plain_error(tmp_path: Path, city: Path) -> None:
    data = bytearray(city.read_bytes())
    data[: len(data) // 2] = b"\xff" * (len(data) // 2)
    path = tmp_path / "broken.mmdb"
    path.write_bytes(bytes(data))
    with pytest.raises(ContextError, match="download it again"):
        Geo(path).table(pl.Series(["203.0.113.7"]))


def person(**values: object) -> dict[str, object]:
    return {**dict.fromkeys(SCHEMA), **values}


def test_roster_on_events() -> None:
    roster = pl.DataFrame(
        [
            person(
                account="ann@corp.example",
                department="IT",
                start_date=date(2024, 1, 10),
                end_date=date(2024, 3, 1),
            ),
            person(account="bo@corp.example", department="HR"),
        ],
        schema=SCHEMA,
        orient="row",
    )
    context = Context(roster, Site(households=(frozenset({"bo@corp.example", "ann@corp.example"}),)))
    when = datetime(2024, 1, 12, 23, 59, tzinfo=UTC)
    frame = events(account=["bo@corp.example", "ann@corp.example", None, "x"], **{"@timestamp": [when] * 4})
    got = context.enrich(frame)
    assert got["account"].equals(frame["account"])
    assert got["roster.department"].to_list() == ["HR", "IT", None, None]
    assert got["roster.days_since_start"].to_list() == [None, 2, None, None]
    assert got["roster.days_since_end"].to_list() == [None, -49, None, None]
    assert got["roster.household"].to_list() == ["household 1", "household 1", None, None]
    assert "roster.start_date" not in got.columns


def test_networks_of_the_site_on_events(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(
        json.dumps(
            {
                "corporate_egress": {"NYC": "38.122.44.0/24"},
                "offices": {"NYC": ["10.20.0.0/16", "10.0.0.0/8"]},
            }
        )
    )
    got = load_context(site=path).enrich(
        events(**{"source.ip": ["38.122.44.1", "10.20.3.4", "8.8.8.8", None]})
    )
    assert got["molehunt.source.network"].to_list() == ["egress NYC", "office NYC", None, None]


@given(st.ip_addresses())
def test_addresses_have_one_spelling(address: Any) -> None:  # noqa: ANN401 - either version
    spelled = normal(pl.Series([str(address), address.exploded.upper()]))
    assert spelled.n_unique() == 1
    inside = spelled.to_frame("ip").select(is_inside(pl.col("ip"))).to_series()[0]
    if address.version == 4 and not address.is_global and inside is False:
        assert not address.is_private or str(address).startswith(
            ("192.0.", "198.51.", "203.0.", "198.18.", "198.19.")
        )
    if address.is_loopback or address.is_link_local:
        assert inside
