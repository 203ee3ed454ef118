"""What the table of Zeek's logs cannot say: columns that come of several fields, or of a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors import schema
from sensors.values import ecs, url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensors.zeek.kinds import Kind

_LISTS: Final = pl.List(pl.String)
# Connection states as event.type
# (https://docs.zeek.org/en/current/scripts/base/protocols/conn/main.zeek.html, field conn_state).
_STATES: Final[Mapping[str, int]] = {"S0": 0, "S1": 0, "SF": 1, "REJ": 2}
_STATE_TYPES: Final = pl.Series(
    [
        ["connection", "start"],
        ["connection", "start", "end"],
        ["connection", "start", "denied"],
        ["connection", "info"],
    ],
    dtype=_LISTS,
)
_FILE_ACTIONS: Final[Mapping[str, str]] = {
    "SMB::FILE_READ": "access",
    "SMB::FILE_WRITE": "change",
    "SMB::FILE_RENAME": "change",
    "SMB::FILE_DELETE": "deletion",
    "SMB::FILE_SET_ATTRIBUTE": "change",
}
_FLAGS: Final = ("AA", "TC", "RD", "RA")
_FLAG_SETS: Final = pl.Series(  # the flags by the number that they make as bits, and null for none
    [[flag for at, flag in enumerate(_FLAGS) if bits >> at & 1] or None for bits in range(1 << len(_FLAGS))],
    dtype=_LISTS,
)
# Zeek's names of DNS classes (scripts/base/protocols/dns/consts.zeek) as RFC 1035 and 6895 write them.
_CLASSES: Final[Mapping[str, str]] = {
    "C_INTERNET": "IN",
    "C_CHAOS": "CH",
    "C_CSNET": "CS",
    "C_HESOD": "HS",
    "C_HESIOD": "HS",
    "C_NONE": "NONE",
    "C_ANY": "ANY",
}
_ERRORS: Final = 400  # status codes from here on are errors (RFC 9110, 15; RFC 3261, 21)
_PLACES: Final[Mapping[str, str]] = {
    "zeek.ssh.remote_location.country_code": "geo.country_iso_code",
    "zeek.ssh.remote_location.region": "geo.region_iso_code",
    "zeek.ssh.remote_location.city": "geo.city_name",
    "zeek.ssh.remote_location.latitude": "geo.location.lat",
    "zeek.ssh.remote_location.longitude": "geo.location.lon",
}
_COOKIE_CUT: Final = 9
_URL_PARTS: Final = ("url.scheme", "url.domain", "url.port", "url.path", "url.query", "url.extension")
_INDICATORS: Final[Mapping[str, str]] = {  # Intel::Type in ECS' (STIX') words
    "Intel::ADDR": "ipv4-addr",
    "Intel::SUBNET": "ipv4-addr",
    "Intel::URL": "url",
    "Intel::DOMAIN": "domain-name",
    "Intel::EMAIL": "email-addr",
    "Intel::USER_NAME": "user-account",
    "Intel::FILE_HASH": "file",
    "Intel::FILE_NAME": "file",
    "Intel::CERT_HASH": "x509-certificate",
    "Intel::PUBKEY_HASH": "x509-certificate",
    "Intel::SOFTWARE": "software",
}


def of(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    """The events with what is peculiar to their log."""
    # RFC 7042, as ECS wants it: 00-0C-29-03-DF-AD.
    macs = [name for name in ("source.mac", "destination.mac") if name in frame.columns]
    if macs:
        frame = frame.with_columns(pl.col(macs).str.to_uppercase().str.replace_all(":", "-", literal=True))
    special = _SPECIAL.get(kind.base)
    return frame if special is None else special(frame)


def _column(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in frame.columns else pl.lit(None, schema.dtype(name)).alias(name)


def _series(frame: pl.DataFrame, expression: pl.Expr) -> pl.Series:
    """The expression's value for every row, even if none of its columns is there."""
    return frame.with_columns(expression.alias("zeek.series")).get_column("zeek.series")


def _connection(frame: pl.DataFrame) -> pl.DataFrame:
    """Kinds of event by state, direction by locality, sums; ICMP's type and code, which Zeek has as ports."""
    state = _series(
        frame,
        _column(frame, "zeek.connection.state").replace_strict(_STATES, default=3, return_dtype=pl.UInt32),
    )
    here, there = _column(frame, "zeek.connection.local_orig"), _column(frame, "zeek.connection.local_resp")
    direction = (
        pl.when(here & there)
        .then(pl.lit("internal"))
        .when(here & ~there)
        .then(pl.lit("outbound"))
        .when(~here & there)
        .then(pl.lit("inbound"))
        .when(~here & ~there)
        .then(pl.lit("external"))
    )
    frame = frame.with_columns(
        _STATE_TYPES.gather(state.fill_null(3)).alias("event.type"),
        direction.alias("network.direction"),
        # Before Zeek 2.0 and with policies that switch them off there are no counts of IP bytes.
        _column(frame, "source.bytes").fill_null(_column(frame, "zeek.connection.orig_bytes")),
        _column(frame, "destination.bytes").fill_null(_column(frame, "zeek.connection.resp_bytes")),
        _sum(frame, "source.packets", "destination.packets").alias("network.packets"),
    )
    frame = frame.with_columns(_sum(frame, "source.bytes", "destination.bytes").alias("network.bytes"))
    icmp = _column(frame, "network.transport").str.contains("icmp", literal=True)
    if not frame.select(icmp.any()).item():
        return frame
    return frame.with_columns(
        pl.when(icmp).then(_column(frame, "source.port")).cast(pl.String).alias("zeek.connection.icmp.type"),
        pl.when(icmp)
        .then(_column(frame, "destination.port"))
        .cast(pl.String)
        .alias("zeek.connection.icmp.code"),
        pl.when(~icmp).then(_column(frame, "source.port")).alias("source.port"),
        pl.when(~icmp).then(_column(frame, "destination.port")).alias("destination.port"),
    )


def _sum(frame: pl.DataFrame, one: str, other: str) -> pl.Expr:
    return _column(frame, one) + _column(frame, other)


def _dns(frame: pl.DataFrame) -> pl.DataFrame:
    answers = _column(frame, "dns.answers.data")
    bits = [
        _column(frame, f"zeek.dns.{flag}").fill_null(value=False).cast(pl.UInt32) * (1 << at)
        for at, flag in enumerate(_FLAGS)
    ]
    flags = _series(frame, pl.sum_horizontal(bits))
    addresses = answers.list.eval(pl.element().filter(ecs.is_ip(pl.element())))
    answered = _column(frame, "dns.response_code").is_not_null() | answers.is_not_null()
    seconds = pl.element().cast(pl.Float64, strict=False).cast(pl.Int64, strict=False).cast(pl.String)
    return frame.with_columns(
        pl.when(answered).then(pl.lit("answer")).otherwise(pl.lit("query")).alias("dns.type"),
        _column(frame, "dns.question.class").replace(_CLASSES),
        _column(frame, "zeek.dns.TC").alias("dns.header_truncated"),
        _FLAG_SETS.gather(flags).alias("dns.header_flags"),
        pl.when(addresses.list.len() > 0).then(addresses).alias("dns.resolved_ip"),
        _column(frame, "dns.answers.ttl").list.eval(seconds),
    )


def _tls(frame: pl.DataFrame) -> pl.DataFrame:
    """`TLSv12`, `SSLv3`, `DTLSv10` to protocol and number; the common names of both ends' certificates."""
    version = _column(frame, "tls.version")
    protocol = (
        version.str.extract(r"^(D?TLS|SSL)v\d").str.to_lowercase().str.replace("dtls", "tls", literal=True)
    )
    digits = version.str.extract(r"^(?:D?TLS|SSL)v(\d{1,2})")
    number = digits.str.slice(0, 1) + pl.lit(".") + digits.str.pad_end(2, "0").str.slice(1)
    datagrams = version.str.starts_with("DTLS").fill_null(value=False)
    return frame.with_columns(
        version.alias("zeek.ssl.version"),
        number.alias("tls.version"),
        protocol.alias("tls.version_protocol"),
        pl.when(datagrams)
        .then(pl.lit("udp"))
        .otherwise(_column(frame, "network.transport"))
        .alias("network.transport"),
        _common_name(_column(frame, "tls.server.subject")).alias("tls.server.x509.subject.common_name"),
        _common_name(_column(frame, "tls.server.issuer")).alias("tls.server.x509.issuer.common_name"),
        # ECS wants hashes of certificates in capitals.
        *(
            _column(frame, f"tls.{end}.hash.{kind}").str.to_uppercase()
            for end in ("server", "client")
            for kind in ("sha1", "sha256")
        ),
    )


def _common_name(name: pl.Expr) -> pl.Expr:
    r"""CN of a distinguished name as RFC 4514 writes it, where `\,` is no end."""
    return name.str.extract(r"(?:^|,)\s*CN=((?:\\.|[^,\\])*)").str.replace_all(r"\\(.)", "$1")


def _certificate(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        _common_name(_column(frame, f"file.x509.{end}.distinguished_name")).alias(
            f"file.x509.{end}.common_name"
        )
        for end in ("subject", "issuer")
    )


def _known_certificate(frame: pl.DataFrame) -> pl.DataFrame:
    return _network_type(_tls_names(frame))


def _tls_names(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        _common_name(_column(frame, f"tls.server.{end}")).alias(f"tls.server.x509.{end}.common_name")
        for end in ("subject", "issuer")
    )


def _http(frame: pl.DataFrame) -> pl.DataFrame:
    """The address: the request line has a path, an absolute URI (to a proxy), or host and port (CONNECT)."""
    host, status = _column(frame, "url.domain"), _column(frame, "http.response.status_code")
    uri, method = _column(frame, "url.original"), _column(frame, "http.request.method")
    parts = url.url_columns(frame.with_columns(uri).select("url.original"))
    frame = frame.with_columns(
        host.alias("zeek.host"),
        *(parts[name].alias(name) for name in _URL_PARTS),
        _column(frame, "url.username"),
    )
    elsewhere = pl.col("url.scheme").is_not_null() | (method == "CONNECT").fill_null(value=False)
    site = pl.when(elsewhere).then("url.domain").otherwise(pl.col("zeek.host").str.to_lowercase())
    good = status < _ERRORS
    return frame.with_columns(
        site.fill_null(pl.col("zeek.host")).alias("url.domain"),
        pl.when(pl.col("url.scheme").is_not_null())
        .then(uri)
        .when(uri.str.starts_with("/"))
        .then(pl.lit("http://") + pl.col("zeek.host") + uri)
        .alias("url.full"),
        pl.when(good).then(pl.lit("success")).when(~good).then(pl.lit("failure")).alias("event.outcome"),
    ).drop("zeek.host")


def _sip(frame: pl.DataFrame) -> pl.DataFrame:
    """Outcome by status (RFC 3261: 2xx is success); `37764 REGISTER` is a number and a method."""
    status = _column(frame, "zeek.sip.status.code").cast(pl.Int64, strict=False)
    sequence = _column(frame, "zeek.sip.sequence.number")
    good = status < _ERRORS
    return frame.with_columns(
        pl.when(good).then(pl.lit("success")).when(~good).then(pl.lit("failure")).alias("event.outcome"),
        sequence.str.extract(r"^(\d+)").alias("zeek.sip.sequence.number"),
        sequence.str.extract(r"^\d+\s+(.+)$").alias("zeek.sip.sequence.method"),
    )


def _rdp(frame: pl.DataFrame) -> pl.DataFrame:
    r"""The cookie `mstshash=` holds a user's name, with `DOMAIN\` before it perhaps.

    Microsoft's client cuts it at nine characters: one of nine may be the beginning of another name.
    """
    cookie = _column(frame, "zeek.rdp.cookie")
    uncut = pl.when(cookie.str.len_chars() < _COOKIE_CUT).then(cookie)
    return frame.with_columns(
        uncut.str.extract(r"([^\\]+)$").alias("user.name"),
        uncut.str.extract(r"^([^\\]+)\\").alias("user.domain"),
    )


def _ssh(frame: pl.DataFrame) -> pl.DataFrame:
    """Where the other end is, which Zeek says only of logins that cross the border of the network."""
    places = [(name, column) for name, column in _PLACES.items() if name in frame.columns]
    inward = (_column(frame, "zeek.ssh.direction") != "OUTBOUND").fill_null(value=True)
    return frame.with_columns(
        pl.when(inward if end == "source" else ~inward)
        .then(pl.col(name))
        .cast(schema.dtype(f"{end}.{column}"), strict=False)
        .alias(f"{end}.{column}")
        for name, column in places
        for end in ("source", "destination")
    ).drop([name for name, _ in places])


def _dhcp(frame: pl.DataFrame) -> pl.DataFrame:
    """What the exchange ended in, and who has which address from then on."""
    last = _column(frame, "zeek.dhcp.msg.types").list.last()
    assigned = _column(frame, "zeek.dhcp.address.assigned")
    granted = pl.when(last == "ACK").then(assigned)
    return frame.with_columns(
        last.alias("event.action"),
        pl.concat_list(_column(frame, "source.mac")).list.drop_nulls().alias("host.mac"),
        granted.fill_null(_column(frame, "source.ip")).alias("client.ip"),
        _column(frame, "source.ip").fill_null(granted),
        _column(frame, "source.address").fill_null(granted),
        pl.when(last == "ACK")
        .then(pl.lit("success"))
        .when(last.is_in(["NAK", "DECLINE"]))
        .then(pl.lit("failure"))
        .alias("event.outcome"),
    )


def _files(frame: pl.DataFrame) -> pl.DataFrame:
    """Zeek 6 names the connection's ends instead of sender and receiver: `is_orig` says who sent."""
    if "source.ip" not in frame.columns:
        return frame
    sent = _column(frame, "zeek.files.is_orig")
    orig, resp = _column(frame, "source.ip"), _column(frame, "destination.ip")
    return frame.with_columns(
        _column(frame, "server.ip").fill_null(pl.when(sent).then(orig).when(~sent).then(resp)),
        _column(frame, "client.ip").fill_null(pl.when(sent).then(resp).when(~sent).then(orig)),
    )


def _kerberos(frame: pl.DataFrame) -> pl.DataFrame:
    """`user/REALM`; an instance (`user/admin/REALM`) stays with the user's name."""
    client = _column(frame, "zeek.kerberos.client")
    return frame.with_columns(
        client.str.extract(r"^(.+)/[^/]*$").alias("user.name"),
        client.str.extract(r"/([^/]+)$").alias("user.domain"),
    )


def _smb_files(frame: pl.DataFrame) -> pl.DataFrame:
    path, name = _column(frame, "zeek.smb_files.path"), _column(frame, "file.name")
    whole = pl.when(path.is_not_null() & name.is_not_null()).then(
        path.str.strip_chars_end("\\") + pl.lit("\\") + name.str.strip_chars_start("\\")
    )
    action = _column(frame, "event.action").replace_strict(
        _FILE_ACTIONS, default="info", return_dtype=pl.String
    )
    return frame.with_columns(
        whole.fill_null(name).fill_null(path).alias("file.path"),
        name.str.extract(r"([^\\]+)$").alias("file.name"),
        pl.concat_list(pl.lit("connection"), pl.lit("protocol"), action.fill_null("info")).alias(
            "event.type"
        ),
    )


def _notice(frame: pl.DataFrame) -> pl.DataFrame:
    dropped = _column(frame, "zeek.notice.dropped")
    what = pl.when(dropped).then(pl.lit("denied")).when(~dropped).then(pl.lit("allowed"))
    return frame.with_columns(pl.concat_list(pl.lit("info"), what).list.drop_nulls().alias("event.type"))


def _intel(frame: pl.DataFrame) -> pl.DataFrame:
    value, sort = (
        _column(frame, "zeek.intel.seen.indicator"),
        _column(frame, "zeek.intel.seen.indicator_type"),
    )
    six = (sort == "Intel::ADDR") & value.str.contains(":", literal=True)
    word = (
        pl.when(six)
        .then(pl.lit("ipv6-addr"))
        .otherwise(sort.replace_strict(_INDICATORS, default=None, return_dtype=pl.String))
    )
    domain = pl.when(sort == "Intel::DOMAIN").then(value)
    return frame.with_columns(
        word.alias("threat.indicator.type"),
        pl.when(sort == "Intel::ADDR").then(value).alias("threat.indicator.ip"),
        pl.when(sort == "Intel::URL").then(value).alias("threat.indicator.url.full"),
        pl.when(sort == "Intel::URL")
        .then(value.str.extract(r"^(?:[a-z][a-z0-9+.-]*://)?([^/?#:]+)"))
        .otherwise(domain)
        .alias("threat.indicator.url.domain"),
        pl.when(sort == "Intel::EMAIL").then(value).alias("threat.indicator.email.address"),
    )


def _network_type(frame: pl.DataFrame) -> pl.DataFrame:
    address = _column(frame, "host.ip").list.first().fill_null(_column(frame, "source.ip"))
    six = address.str.contains(":", literal=True)
    return frame.with_columns(
        pl.when(six).then(pl.lit("ipv6")).when(~six).then(pl.lit("ipv4")).alias("network.type")
    )


_SPECIAL: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "conn": _connection,
    "dns": _dns,
    "ssl": _tls,
    "http": _http,
    "websocket": _http,
    "sip": _sip,
    "rdp": _rdp,
    "ntp": _network_type,
    "ssh": _ssh,
    "dhcp": _dhcp,
    "files": _files,
    "kerberos": _kerberos,
    "smb_files": _smb_files,
    "notice": _notice,
    "intel": _intel,
    "x509": _certificate,
    "known_certs": _known_certificate,
    "known_hosts": _network_type,
    "known_services": _network_type,
    "software": _network_type,
}
