"""What people write for countries, states and time zones, as ISO codes, names and IANA zones."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import available_timezones

_UNITED_STATES: Final = "US"
_OFFSET: Final = re.compile(
    r"(?:utc|gmt)?\s*\(?(?:utc|gmt)?\s*([+\-\N{MINUS SIGN}])\s*(\d{1,2})(?::?([0-5]\d))?\)?"
)
_FURTHEST_WEST, _FURTHEST_EAST = -12, 14
_FILLER: Final = re.compile(r"\b(?:standard|daylight|summer|time|zone|local)\b")
_REMOTE: Final = re.compile(r"(?i)\b(?:remote|home ?office|work from home|wfh|virtual|anywhere)\b")


def plain(text: str) -> str:
    """Letters and digits alone, lower case, without accents: what counts when names are compared."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Place:
    """A location as far as a text tells it; the country by ISO code, the region by name."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    remote: bool = False


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("analysis.context") / "places.toml").read_text("utf-8"))


@cache
def _tzdata(name: str) -> list[list[str]]:
    text = (files("tzdata") / "zoneinfo" / name).read_text("utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _countries() -> dict[str, str]:
    rows = _tzdata("iso3166.tab")
    names = {plain(name): code for code, name in rows} | {code.lower(): code for code, _ in rows}
    for code, others in _data()["countries"].items():
        names |= {plain(other): code for other in others}
    return names


@cache
def _regions(country: str) -> dict[str, tuple[str, str]]:
    found = {}
    for code, (name, zone) in _data()["regions"].get(country, {}).items():
        found[code.lower()] = found[plain(name)] = (name, zone)
    return found


@cache
def _zones() -> dict[str, str]:
    names = {plain(name): name for name in available_timezones() if "/" in name}
    for target, link in (line.split(" ")[1:] for line in _links()):
        if link.split("/")[0] in {"US", "Canada", "Mexico", "Brazil", "Chile"} or "/" not in link:
            names[plain(link)] = target  # US/Eastern and Japan are old names of zones
    for name, aliases in _data()["zones"].items():
        names |= {plain(alias): name for alias in aliases}
    return names


def _links() -> list[str]:
    text = (files("tzdata") / "zoneinfo" / "tzdata.zi").read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("L ")]


@cache
def _zones_of_countries() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in _tzdata("zone.tab"):
        found.setdefault(row[0], []).append(row[2])
    return found


def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 code of a country by code (two or three letters) or name; None if it is none."""
    return _countries().get(plain(text))


def region_name(text: str, country: str | None) -> str | None:
    """Full name of a state or province of `country` (the United States if None); None if it has none such."""
    found = _regions(country or _UNITED_STATES).get(plain(text))
    return found[0] if found else None


def zone_name(text: str, country: str | None = None) -> str | None:
    """IANA zone for "US/Eastern", "EST", "Pacific Time (US & Canada)", "UTC-5" and alike; None if it is none.

    A bare abbreviation names the zone that people keep there, summer time included: "EST" is New York's.

    Args:
        text: what the time zone column says.
        country: ISO code, which decides between the zones that share an abbreviation (CST, IST).
    """
    folded = text.strip().casefold()
    words = re.sub(r"\((?:utc|gmt)[^)]*\)|[.]", "", _FILLER.sub(" ", folded)).replace("&", " ")
    abroad = _data()["zones_abroad"].get(plain(words), {}).get(country)
    if abroad is not None:
        return str(abroad)
    named = _zones().get(plain(words)) or _zones().get(plain(re.sub(r"\(.*?\)", "", words)))
    offset = _OFFSET.match(folded) if named is None else None
    return named if offset is None else _zone_of_offset(offset)


def _zone_of_offset(offset: re.Match[str]) -> str | None:
    sign, hours, minutes = "+" if offset[1] == "+" else "-", int(offset[2]), offset[3] or "00"
    east = hours if sign == "+" else -hours
    if not _FURTHEST_WEST <= east <= _FURTHEST_EAST:
        return None
    if minutes != "00":
        odd: dict[str, str] = _data()["zones_by_offset"]
        return odd.get(f"{sign}{hours:02}:{minutes}")
    return "UTC" if east == 0 else f"Etc/GMT{-east:+}"  # POSIX counts westward


def zone_of_place(country: str | None, region: str | None) -> str | None:
    """The zone of a place where there is but one to speak of: by state or province, or by country."""
    if country is None:
        return None
    found = _regions(country).get(plain(region or ""))
    if found:
        return found[1]
    zones = _zones_of_countries().get(country, [])
    return zones[0] if len(zones) == 1 else None


def place(text: str, zone: str | None = None) -> Place:
    """City, region and country out of one text: "Austin, TX", "Bengaluru, KA, India", "Remote - US (Texas)".

    Args:
        text: the location.
        zone: IANA zone claimed, which decides between a state and a country of one code (IN, DE, CA).
    """
    parts = [part.strip() for part in re.split(r"\s+[-\N{EN DASH}]\s+|[,;/()]", _REMOTE.sub(",", text))]
    parts = [part.strip(" -") for part in parts if part.strip(" -")]
    country = region = None
    if parts and (len(parts) > 2 or _is_country(parts, zone)):  # noqa: PLR2004 - "city, region, country"
        country = country_code(parts[-1])
        parts = parts[:-1] if country else parts
    where = country or _UNITED_STATES
    for index in range(len(parts) - 1, -1, -1):
        region = region_name(parts[index], where)
        if region is not None and (index > 0 or len(parts) == 1):
            country = where
            del parts[index]
            break
        region = None
    if region is None and len(parts) > 1:
        region = parts.pop()
    cities = [part for part in parts if country_code(part) is None or len(part) > 3]  # noqa: PLR2004 - "US" is no city
    return Place(cities[0] if cities else None, region, country, bool(_REMOTE.search(text)))


def _is_country(parts: list[str], zone: str | None) -> bool:
    """Whether the last of one or two parts is a country and not a state of the United States."""
    code = country_code(parts[-1])
    if code is None:
        return False
    if region_name(parts[-1], _UNITED_STATES) is None:
        return True
    zones = _zones_of_countries().get(code, [])
    city = plain(parts[0])  # Europe/Berlin says that "Berlin, DE" is not in Delaware
    return zone in zones or any(city == plain(name.rsplit("/", 1)[-1]) for name in zones)
