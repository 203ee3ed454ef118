"""Cities, networks and who runs them: the geography that the two MaxMind files describe.

Addresses come from the ranges set aside for documentation and benchmarks (RFC 5737, RFC 2544, RFC 3849); the
names and numbers of the networks are real, what they hold here is not.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class City:
    name: str
    region: str
    region_name: str
    country: str
    country_name: str
    zone: str
    latitude: float
    longitude: float


@dataclass(frozen=True)
class Network:
    cidr: str
    city: str
    radius: int
    asn: int
    organization: str


_US = ("US", "United States")
CITIES = {
    "brooklyn": City("Brooklyn", "NY", "New York", *_US, "America/New_York", 40.6501, -73.9496),
    "newyork": City("New York", "NY", "New York", *_US, "America/New_York", 40.7128, -74.0060),
    "jersey": City("Jersey City", "NJ", "New Jersey", *_US, "America/New_York", 40.7178, -74.0431),
    "boston": City("Boston", "MA", "Massachusetts", *_US, "America/New_York", 42.3601, -71.0589),
    "atlanta": City("Atlanta", "GA", "Georgia", *_US, "America/New_York", 33.7490, -84.3880),
    "raleigh": City("Raleigh", "NC", "North Carolina", *_US, "America/New_York", 35.7796, -78.6382),
    "columbus": City("Columbus", "OH", "Ohio", *_US, "America/New_York", 39.9612, -82.9988),
    "chicago": City("Chicago", "IL", "Illinois", *_US, "America/Chicago", 41.8781, -87.6298),
    "minneapolis": City("Minneapolis", "MN", "Minnesota", *_US, "America/Chicago", 44.9778, -93.2650),
    "austin": City("Austin", "TX", "Texas", *_US, "America/Chicago", 30.2672, -97.7431),
    "dallas": City("Dallas", "TX", "Texas", *_US, "America/Chicago", 32.7767, -96.7970),
    "nashville": City("Nashville", "TN", "Tennessee", *_US, "America/Chicago", 36.1627, -86.7816),
    "denver": City("Denver", "CO", "Colorado", *_US, "America/Denver", 39.7392, -104.9903),
    "bozeman": City("Bozeman", "MT", "Montana", *_US, "America/Denver", 45.6770, -111.0429),
    "phoenix": City("Phoenix", "AZ", "Arizona", *_US, "America/Phoenix", 33.4484, -112.0740),
    "seattle": City("Seattle", "WA", "Washington", *_US, "America/Los_Angeles", 47.6062, -122.3321),
    "portland": City("Portland", "OR", "Oregon", *_US, "America/Los_Angeles", 45.5152, -122.6784),
    "losangeles": City("Los Angeles", "CA", "California", *_US, "America/Los_Angeles", 34.0522, -118.2437),
    "ashburn": City("Ashburn", "VA", "Virginia", *_US, "America/New_York", 39.0438, -77.4874),
    "toronto": City("Toronto", "ON", "Ontario", "CA", "Canada", "America/Toronto", 43.6532, -79.3832),
    "london": City("London", "ENG", "England", "GB", "United Kingdom", "Europe/London", 51.5074, -0.1278),
    "berlin": City("Berlin", "BE", "State of Berlin", "DE", "Germany", "Europe/Berlin", 52.5200, 13.4050),
    "munich": City("Munich", "BY", "Bavaria", "DE", "Germany", "Europe/Berlin", 48.1351, 11.5820),
    "lisbon": City("Lisbon", "11", "Lisbon", "PT", "Portugal", "Europe/Lisbon", 38.7223, -9.1393),
    "seoul": City("Seoul", "11", "Seoul", "KR", "South Korea", "Asia/Seoul", 37.5665, 126.9780),
    "shenyang": City("Shenyang", "LN", "Liaoning", "CN", "China", "Asia/Shanghai", 41.8057, 123.4315),
}

# Who sells access to a home, by city.
ISPS = {
    "brooklyn": (701, "Verizon Business"),
    "newyork": (12271, "Charter Communications Inc"),
    "jersey": (701, "Verizon Business"),
    "boston": (7922, "Comcast Cable Communications, LLC"),
    "atlanta": (7018, "AT&T Enterprises, LLC"),
    "raleigh": (11426, "Charter Communications Inc"),
    "columbus": (10796, "Charter Communications Inc"),
    "chicago": (7922, "Comcast Cable Communications, LLC"),
    "minneapolis": (7922, "Comcast Cable Communications, LLC"),
    "austin": (11427, "Charter Communications Inc"),
    "dallas": (7018, "AT&T Enterprises, LLC"),
    "nashville": (7922, "Comcast Cable Communications, LLC"),
    "denver": (7922, "Comcast Cable Communications, LLC"),
    "phoenix": (22773, "Cox Communications Inc."),
    "seattle": (7922, "Comcast Cable Communications, LLC"),
    "portland": (7922, "Comcast Cable Communications, LLC"),
    "toronto": (577, "Bell Canada"),
    "london": (2856, "British Telecommunications PLC"),
    "berlin": (3320, "Deutsche Telekom AG"),
    "munich": (3320, "Deutsche Telekom AG"),
    "seoul": (4766, "Korea Telecom"),
}

EGRESS = {"NYC": "192.0.2.16/28", "CHI": "192.0.2.32/28", "BER": "192.0.2.48/28"}
EGRESS_ADDRESS = {"NYC": "192.0.2.20", "CHI": "192.0.2.36", "BER": "192.0.2.52"}
CGNAT = ("198.19.60.9", "198.19.60.10", "198.19.60.11", "198.19.60.12")
# A US carrier's gateways: there the telephones of New York come out, wherever they are.
CARRIER = tuple(f"198.19.40.{number}" for number in (18, 52, 77, 91, 130, 166, 201, 233))
LISBON_HOTEL = "198.19.50.14"
LISBON_VENUE = "198.19.50.130"
FARM = "203.0.113.77"
ASTRILL_EXITS = ("198.19.10.23", "198.19.10.41", "198.19.10.77")
RENTED_SERVER = "198.18.23.45"
RENTED_EXIT = "198.18.23.61"
NORD_EXITS = ("198.19.12.8", "198.19.12.33", "198.19.12.90")
SHENYANG = "198.19.90.200"

FIXED = (
    Network("192.0.2.0/28", "newyork", 5, 64496, "Corp Example Inc."),
    Network(EGRESS["NYC"], "newyork", 5, 64496, "Corp Example Inc."),
    Network(EGRESS["CHI"], "chicago", 5, 64496, "Corp Example Inc."),
    Network(EGRESS["BER"], "berlin", 5, 64496, "Corp Example Inc."),
    Network("198.18.1.0/24", "ashburn", 100, 14618, "Amazon.com, Inc."),
    Network("198.18.2.0/24", "ashburn", 100, 8075, "Microsoft Corporation"),
    Network("198.18.3.0/24", "ashburn", 100, 15169, "Google LLC"),
    Network("198.18.4.0/24", "ashburn", 100, 36459, "GitHub, Inc."),
    Network("198.18.5.0/24", "ashburn", 100, 16509, "Amazon.com, Inc."),
    Network("198.18.6.0/24", "losangeles", 100, 30103, "Zoom Communications, Inc."),
    Network("198.18.7.0/24", "portland", 100, 16509, "Amazon.com, Inc."),
    Network("198.18.8.0/24", "losangeles", 1000, 13335, "Cloudflare, Inc."),
    Network("198.18.9.0/24", "newyork", 1000, 20940, "Akamai International B.V."),
    Network("198.18.20.0/24", "losangeles", 200, 205809, "Mega Limited"),
    Network("198.18.21.0/24", "dallas", 200, 9009, "M247 Europe SRL"),
    Network("198.18.22.0/24", "ashburn", 100, 16509, "Amazon.com, Inc."),
    Network("198.18.23.0/24", "atlanta", 50, 20473, "The Constant Company, LLC"),
    Network("198.18.24.0/24", "losangeles", 200, 19679, "Dropbox, Inc."),
    Network("198.19.10.0/24", "losangeles", 50, 9009, "M247 Europe SRL"),
    Network("198.19.12.0/24", "seattle", 50, 60068, "Datacamp Limited"),
    Network("198.19.40.0/24", "newyork", 200, 21928, "T-Mobile USA, Inc."),
    Network("198.19.50.0/24", "lisbon", 20, 3243, "MEO - SERVICOS DE COMUNICACOES E MULTIMEDIA S.A."),
    Network("198.19.60.0/24", "bozeman", 20, 64511, "Gallatin Valley Wireless LLC"),
    Network("198.19.90.0/24", "shenyang", 50, 4837, "CHINA UNICOM China169 Backbone"),
)


class Homes:
    """Hands out residential addresses, a /29 of one provider after another."""

    def __init__(self) -> None:
        self._free = [
            block
            for cidr in ("198.51.100.0/24", "203.0.113.0/24")
            for block in ipaddress.ip_network(cidr).subnets(new_prefix=29)
        ]
        farm_block = next(block for block in self._free if ipaddress.ip_address(FARM) in block)
        self._free.remove(farm_block)
        self._left: dict[str, list[str]] = {}
        self.networks = [Network(str(farm_block), "nashville", 10, *ISPS["nashville"])]

    def take(self, city: str) -> str:
        if not self._left.get(city):
            block = self._free.pop(0)
            self.networks.append(Network(str(block), city, 10, *ISPS[city]))
            self._left[city] = [str(address) for address in block.hosts()]
        return self._left[city].pop(0)

    def network6(self, city: str) -> str:
        """The provider's IPv6 block in a city."""
        return f"2001:db8:{sorted(ISPS).index(city) + 1:x}::/48"

    def all_networks(self) -> list[Network]:
        v6 = [Network(self.network6(city), city, 20, *ISPS[city]) for city in sorted(ISPS)]
        return sorted([*FIXED, *self.networks, *v6], key=lambda network: network.cidr)
