"""Zeek at the core switch in New York: the office's LAN and the ASA's address pool."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from samples.scenario_maker.files_out import write_lines
from samples.scenario_maker.people import Person, rng, token

if TYPE_CHECKING:
    from pathlib import Path

DNS_SERVER = "10.20.10.2"
_SCHEMAS = {
    "conn": """
        ts time, uid string, id.orig_h addr, id.orig_p port, id.resp_h addr, id.resp_p port, proto enum,
        service string, duration interval, orig_bytes count, resp_bytes count, conn_state string,
        local_orig bool, local_resp bool, missed_bytes count, history string, orig_pkts count,
        orig_ip_bytes count, resp_pkts count, resp_ip_bytes count, tunnel_parents set[string]""",
    "ssl": """
        ts time, uid string, id.orig_h addr, id.orig_p port, id.resp_h addr, id.resp_p port,
        version string, cipher string, curve string, server_name string, resumed bool,
        last_alert string, next_protocol string, established bool, ssl_history string,
        cert_chain_fps vector[string], client_cert_chain_fps vector[string], sni_matches_cert bool,
        validation_status string""",
    "dhcp": """
        ts time, uids set[string], client_addr addr, server_addr addr, mac string, host_name string,
        client_fqdn string, domain string, requested_addr addr, assigned_addr addr, lease_time interval,
        client_message string, server_message string, msg_types vector[string], duration interval""",
    "rdp": """
        ts time, uid string, id.orig_h addr, id.orig_p port, id.resp_h addr, id.resp_p port,
        cookie string, result string, security_protocol string, client_channels vector[string],
        keyboard_layout string, client_build string, client_name string, client_dig_product_id string,
        desktop_width count, desktop_height count, requested_color_depth string, cert_type string,
        cert_count count, cert_permanent bool, encryption_level string, encryption_method string""",
}


class Zeek:
    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[float, int, list[str]]]] = {name: [] for name in _SCHEMAS}
        self._dns: list[tuple[float, int, dict[str, Any]]] = []

    def _row(self, log: str, when: datetime, values: list[Any]) -> None:
        stamp = f"{when.timestamp():.6f}"
        texts = [stamp, *("-" if value is None else str(value) for value in values)]
        self._rows[log].append((when.timestamp(), len(self._rows[log]), texts))

    def conn(
        self,
        when: datetime,
        source: str,
        target: tuple[str, int],
        protocol: str,
        service: str | None,
        volume: tuple[float, int, int],
    ) -> list[Any]:
        """A connection; `volume` is seconds, bytes up, bytes down. Returns what other logs repeat of it."""
        seconds, up, down = volume
        dice = rng("conn", source, target, when)
        uid = "C" + token(f"{source}:{target}:{when.isoformat()}:{up}", 17)
        port = dice.randrange(49152, 65500)
        key = [uid, source, port, target[0], target[1]]
        packets_up, packets_down = up // 900 + 3, down // 1300 + 3
        inside = "T" if target[0].startswith("10.") else "F"
        history = "ShADadFf" if protocol == "tcp" else "Dd"
        self._row(
            "conn",
            when,
            [
                *key, protocol, service, f"{seconds:.6f}", up, down, "SF", "T", inside, 0, history,
                packets_up, up + 40 * packets_up, packets_down, down + 40 * packets_down, None,
            ],
        )  # fmt: skip
        return key

    def lookup(self, when: datetime, source: str, name: str, answers: list[str]) -> None:
        dice = rng("dns", source, name, when)
        trip = round(dice.uniform(0.0006, 0.03), 6)
        key = self.conn(when, source, (DNS_SERVER, 53), "udp", "dns", (trip, len(name) + 18, len(name) + 50))
        record = {
            "ts": round(when.timestamp(), 6),
            "uid": key[0],
            "id.orig_h": source,
            "id.orig_p": key[2],
            "id.resp_h": DNS_SERVER,
            "id.resp_p": 53,
            "proto": "udp",
            "trans_id": dice.randrange(1, 65535),
            "rtt": trip,
            "query": name,
            "qclass": 1,
            "qclass_name": "C_INTERNET",
            "qtype": 1,
            "qtype_name": "A",
            "rcode": 0 if answers else 3,
            "rcode_name": "NOERROR" if answers else "NXDOMAIN",
            "AA": False,
            "TC": False,
            "RD": True,
            "RA": True,
            "Z": 0,
        }
        if answers:
            record |= {"answers": answers, "TTLs": [float(dice.randrange(30, 600))] * len(answers)}
        self._dns.append((when.timestamp(), len(self._dns), {**record, "rejected": False}))

    def tls(
        self,
        when: datetime,
        source: str,
        target: tuple[str, int],
        name: str | None,
        volume: tuple[float, int, int],
    ) -> None:
        key = self.conn(when, source, target, "tcp", "ssl", volume)
        self._row(
            "ssl",
            when + timedelta(milliseconds=21),
            [
                *key, "TLSv13", "TLS_AES_128_GCM_SHA256", "x25519", name, "F", None, None, "T", "CsiI",
                None, None, None, None,
            ],
        )  # fmt: skip

    def rdp(
        self,
        when: datetime,
        source: str,
        server: str,
        person: Person,
        client: str,
        layout: str,
        seconds: float,
    ) -> None:
        """A session on the old terminal server, which still speaks RDP's own encryption."""
        dice = rng("rdp", person.user, when)
        volume = (seconds, int(seconds * dice.uniform(300, 900)), int(seconds * dice.uniform(4000, 16000)))
        key = self.conn(when, source, (server, 3389), "tcp", "rdp", volume)
        width, height = dice.choice(((1920, 1080), (2560, 1440), (1920, 1200)))
        self._row(
            "rdp",
            when + timedelta(milliseconds=40),
            [
                *key, person.user[:9], "Success", "RDP", "rdpdr,rdpsnd,cliprdr,drdynvc", layout, "RDP 10.11",
                client[:15], None, width, height, "32bit", "RSA", 1, "T", "High", "128bit",
            ],
        )  # fmt: skip

    def lease(self, when: datetime, person: Person, address: str) -> None:
        uid = "C" + token(f"dhcp:{person.user}:{when.isoformat()}", 17)
        fqdn = f"{person.host}.corp.example"
        server = "10.20.10.2"
        self._row(
            "dhcp",
            when,
            [
                uid, address, server, person.mac, person.host, fqdn, "corp.example", address, address,
                "28800.000000", None, None, "REQUEST,ACK", "0.000412",
            ],
        )  # fmt: skip

    def write(self, folder: Path) -> None:
        for log, schema in _SCHEMAS.items():
            columns = [column.split() for column in schema.split(",")]
            head = [
                "#separator \\x09",
                "#set_separator\t,",
                "#empty_field\t(empty)",
                "#unset_field\t-",
                f"#path\t{log}",
                "#open\t2026-10-12-00-00-00",
                "\t".join(["#fields", *(name for name, _ in columns)]),
                "\t".join(["#types", *(kind for _, kind in columns)]),
            ]
            rows = ["\t".join(row) for *_, row in sorted(self._rows[log], key=lambda r: r[:2])]
            name = f"{log}.log.gz" if log in ("conn", "ssl") else f"{log}.log"
            write_lines(folder / "zeek" / name, [*head, *rows, "#close\t2026-11-02-00-00-00"])
        lines = [
            json.dumps(record, separators=(",", ":")) for *_, record in sorted(self._dns, key=lambda r: r[:2])
        ]
        write_lines(folder / "zeek" / "dns.log.gz", lines)
