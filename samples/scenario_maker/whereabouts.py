"""What the identity providers' own geography says of an address, and the browsers people use."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.places import CITIES, Network

if TYPE_CHECKING:
    from samples.scenario_maker.people import Person

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_EDGE = _WINDOWS + " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
_CHROME = _WINDOWS + " AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)


class Whereabouts:
    """Address to network, by the same tables that the two databases are written from."""

    def __init__(self, networks: list[Network]) -> None:
        blocks = [(ipaddress.ip_network(network.cidr), network) for network in networks]
        self._blocks = sorted(blocks, key=lambda block: -block[0].prefixlen)
        self._known: dict[str, Network] = {}

    def network(self, address: str) -> Network:
        if address not in self._known:
            number = ipaddress.ip_address(address)
            self._known[address] = next(
                network
                for block, network in self._blocks
                if number.version == block.version and number in block
            )
        return self._known[address]

    def okta_place(self, address: str) -> dict[str, Any]:
        city = CITIES[self.network(address).city]
        return {
            "city": city.name,
            "state": city.region_name,
            "country": city.country_name,
            "postalCode": None,
            "geolocation": {"lat": city.latitude, "lon": city.longitude},
        }

    def entra_place(self, address: str) -> dict[str, Any]:
        city = CITIES[self.network(address).city]
        return {
            "city": city.name,
            "state": city.region_name,
            "countryOrRegion": city.country,
            "geoCoordinates": {"altitude": None, "latitude": city.latitude, "longitude": city.longitude},
        }


def browser(owner: str, kind: str = "laptop") -> dict[str, str]:
    """The browser of a device: `owner` names whose it is, so that two accounts can share one."""
    digest = hashlib.sha256(f"device:{owner}:{kind}".encode()).hexdigest()
    if kind == "phone":
        agent, system, name, device = _PHONE, "iOS", "SAFARI", "Mobile"
    else:
        agent, name = (_EDGE, "EDGE") if digest[0] in "01234567" else (_CHROME, "CHROME")
        system, device = "Windows 10", "Computer"
    return {
        "agent": agent,
        "os": system,
        "name": name,
        "device": device,
        "fingerprint": digest[:32],
        "dthash": hashlib.sha256(f"dt:{owner}:{kind}".encode()).hexdigest(),
    }


def laptop_browser(person: Person) -> dict[str, str]:
    return browser(person.user)
