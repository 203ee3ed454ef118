"""Where public addresses are, by files in MaxMind's format that the user brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import maxminddb
import polars as pl

from analysis.context.addresses import is_inside, normal
from analysis.context.problem import ContextError

if TYPE_CHECKING:
    from pathlib import Path

_REMEMBERED: Final = 200_000  # addresses kept between batches: about 100 MB
_MARK: Final = b"\xab\xcd\xefMaxMind.com"  # begins the metadata, in the last 128 KiB (MaxMind DB format 2.0)
_MARK_WITHIN: Final = 128 << 10
_CITY_KINDS: Final = ("City", "Country", "Enterprise", "Insights")
_ASN_KINDS: Final = ("ASN", "ISP")
_PROBES: Final = tuple(f"{first}.{first}.{first}.1" for first in range(1, 224))

FIELDS: Final[dict[str, pl.DataType]] = {
    "source.geo.country_iso_code": pl.String(),
    "source.geo.country_name": pl.String(),
    "source.geo.region_name": pl.String(),
    "source.geo.region_iso_code": pl.String(),
    "source.geo.city_name": pl.String(),
    "source.geo.location.lat": pl.Float64(),
    "source.geo.location.lon": pl.Float64(),
    "source.geo.accuracy": pl.Float64(),
    "source.geo.timezone": pl.String(),
    "source.as.number": pl.Int64(),
    "source.as.organization.name": pl.String(),
}
_PLACE: Final = tuple(name for name in FIELDS if name.startswith("source.geo."))
_POINT: Final = (
    "source.geo.location.lat",
    "source.geo.location.lon",
    "source.geo.accuracy",
    "source.geo.timezone",
)
_Row = tuple[object, ...]


def kind_of(path: Path) -> str | None:
    """`geo_city` or `geo_asn` by the metadata of a MaxMind file; None if it is none or cannot be opened."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _MARK_WITHIN))
            if _MARK not in file.read():
                return None
        with maxminddb.open_database(path) as reader:
            kind = reader.metadata().database_type
    except (OSError, maxminddb.InvalidDatabaseError, ValueError):
        return None
    if any(word in kind for word in _CITY_KINDS):
        return "geo_city"
    return "geo_asn" if any(word in kind for word in _ASN_KINDS) else None


class Geo:
    """Looks up public addresses; each distinct one once, and remembered over batches up to a bound.

    May be sent to another process, which opens the files anew.

    Raises:
        ContextError: a file cannot be opened, is damaged, or holds something else than its option says.
    """

    def __init__(self, city: Path | None = None, asn: Path | None = None) -> None:
        self._paths = (city, asn)
        self._city = _open(city, _CITY_KINDS, "--geo-city", "City") if city else None
        self._asn = _open(asn, _ASN_KINDS, "--geo-asn", "ASN") if asn else None
        self._seen: dict[str, _Row] = {}

    def __reduce__(self) -> tuple[type[Geo], tuple[Path | None, Path | None]]:
        return (Geo, self._paths)

    @property
    def has_city(self) -> bool:
        """Whether places are known."""
        return self._city is not None

    @property
    def has_asn(self) -> bool:
        """Whether networks are known."""
        return self._asn is not None

    def attach(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with `source.geo.*` and `source.as.*` for the public addresses in `source.ip`.

        What the vendor said stays. Gaps in it are filled only where the vendor's country is the file's, and
        the coordinates only where its city is the file's too, so that one row never mixes two places.
        """
        if "source.ip" not in frame.columns:
            return frame
        addresses = normal(frame["source.ip"].drop_nulls().unique())
        table = self.table(addresses)
        if table.is_empty():
            return frame
        key = normal(frame["source.ip"]).alias("source.ip#key")
        found = (
            frame.lazy()
            .with_columns(key)
            .join(
                table.lazy(),
                left_on="source.ip#key",
                right_on="ip",
                how="left",
                suffix="#",
                maintain_order="left",
            )
            .collect()
        )
        had = set(frame.columns)
        return found.with_columns(_merged(name, had) for name in FIELDS).drop(
            "source.ip#key", *(f"{name}#" for name in FIELDS if name in had)
        )

    def table(self, addresses: pl.Series) -> pl.DataFrame:
        """One row for each public address that the files know: `ip`, `source.geo.*`, `source.as.*`.

        Args:
            addresses: in the spelling of `normal`.
        """
        unique = addresses.drop_nulls().unique()
        public = unique.to_frame("ip").filter(~is_inside(pl.col("ip")))["ip"].to_list()
        found = ((ip, *self._look_up(ip)) for ip in public)
        rows = [row for row in found if any(value is not None for value in row[1:])]
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        return pl.DataFrame(rows, schema={"ip": pl.String(), **FIELDS}, orient="row")

    def _look_up(self, ip: str) -> _Row:
        row = self._seen.get(ip)
        if row is None:
            city = _record(self._city, ip, self._paths[0])
            asn = _record(self._asn, ip, self._paths[1])
            row = self._seen[ip] = (*_place(city), *_network(asn))
        return row


def _merged(name: str, had: set[str]) -> pl.Expr:
    """The vendor's value, and the file's where that does not put two places into one row."""
    fits = pl.lit(value=True)
    if name in _PLACE:
        for part in ("source.geo.country_iso_code", *(["source.geo.city_name"] if name in _POINT else [])):
            if part in had:
                fits &= pl.col(part).is_null() | (pl.col(part) == pl.col(f"{part}#")).fill_null(value=False)
    if name not in had:
        return pl.when(fits).then(pl.col(name)).alias(name)
    return pl.coalesce(pl.col(name), pl.when(fits).then(pl.col(f"{name}#"))).alias(name)


def _open(path: Path, kinds: tuple[str, ...], option: str, wanted: str) -> maxminddb.Reader:
    try:
        reader = maxminddb.open_database(path)
        kind = reader.metadata().database_type
        for probe in _PROBES:  # damage shows where the tree is walked, so walk a little of it now
            reader.get(probe)
    except OSError as error:
        raise ContextError(f"{path}: cannot open it for {option}: {error.strerror or error}") from error
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise _damaged(path, error) from error
    if not any(word in kind for word in kinds):
        raise ContextError(
            f"{path}: holds {kind!r}, but {option} wants a {wanted} file such as GeoLite2-{wanted}.mmdb"
        )
    return reader


def _record(reader: maxminddb.Reader | None, ip: str, path: Path | None) -> dict[str, Any]:
    if reader is None:
        return {}
    try:
        record = reader.get(ip)
    except ValueError as error:  # not an address, or an IPv6 one in a file that has only IPv4
        if isinstance(error, maxminddb.InvalidDatabaseError):
            raise _damaged(path, error) from error
        return {}
    except maxminddb.InvalidDatabaseError as error:
        raise _damaged(path, error) from error
    return record if isinstance(record, dict) else {}


def _damaged(path: Path | None, error: Exception) -> ContextError:
    return ContextError(f"{path}: is no readable MaxMind file ({error}); download it again")


def _place(record: dict[str, Any]) -> _Row:
    country = record.get("country") or record.get("registered_country") or {}
    regions = record.get("subdivisions") or [{}]
    point = record.get("location") or {}
    iso = country.get("iso_code")
    region = regions[0].get("iso_code")
    radius = point.get("accuracy_radius")
    return (
        iso,
        _name(country),
        _name(regions[0]),
        f"{iso}-{region}" if iso and region else None,
        _name(record.get("city") or {}),
        point.get("latitude"),
        point.get("longitude"),
        float(radius) if radius is not None else None,
        point.get("time_zone"),
    )


def _name(part: dict[str, Any]) -> str | None:
    names = part.get("names") or {}
    name = names.get("en")
    return str(name) if name is not None else None


def _network(record: dict[str, Any]) -> _Row:
    return (
        record.get("autonomous_system_number"),
        record.get("autonomous_system_organization") or record.get("organization") or record.get("isp"),
    )
