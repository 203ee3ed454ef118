"""Writes the scenario's two databases in MaxMind's format, with the layout of GeoLite2-City and -ASN."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from unittest import mock

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from samples.scenario_maker.places import CITIES, City, Network

if TYPE_CHECKING:
    from pathlib import Path

BUILT = 1793577600  # 2026-11-02; the writer would take the time of day, and no two runs would be alike
_CONTINENTS = {"US": "NA", "CA": "NA", "GB": "EU", "DE": "EU", "PT": "EU", "KR": "AS", "CN": "AS"}
_CONTINENT_NAMES = {"NA": "North America", "EU": "Europe", "AS": "Asia"}


def write(folder: Path, networks: list[Network]) -> None:
    city = _writer("GeoLite2-City", "Made-up cities for the sample scenario")
    asn = _writer("GeoLite2-ASN", "Made-up networks for the sample scenario")
    for network in networks:
        block = IPSet([network.cidr])
        city.insert_network(block, _place(CITIES[network.city], network.radius))
        asn.insert_network(
            block,
            {
                "autonomous_system_number": network.asn,
                "autonomous_system_organization": network.organization,
            },
        )
    with mock.patch.object(time, "time", return_value=BUILT):
        city.to_db_file(str(folder / "geo-city.mmdb"))
        asn.to_db_file(str(folder / "geo-asn.mmdb"))


def _writer(kind: str, description: str) -> MMDBWriter:
    return MMDBWriter(
        ip_version=6,
        ipv4_compatible=True,
        database_type=kind,
        languages=["en"],
        description=description,
    )


def _place(city: City, radius: int) -> dict[str, object]:
    continent = _CONTINENTS[city.country]
    country = {"iso_code": city.country, "names": {"en": city.country_name}}
    return {
        "city": {"names": {"en": city.name}},
        "continent": {"code": continent, "names": {"en": _CONTINENT_NAMES[continent]}},
        "country": country,
        "location": {
            "accuracy_radius": radius,
            "latitude": city.latitude,
            "longitude": city.longitude,
            "time_zone": city.zone,
        },
        "registered_country": country,
        "subdivisions": [{"iso_code": city.region, "names": {"en": city.region_name}}],
    }
