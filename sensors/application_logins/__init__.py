"""Self-hosted applications whose logs say who signed in from where, and what they took: one table for all.

Authelia, Bitwarden (server), cPanel, Exchange (POP and IMAP), Gitea and Forgejo, GitLab, Grafana, Kasm,
Nextcloud and ownCloud, ProFTPD, Samba, SFTPGo, Vaultwarden, vsftpd, Webmin, Zimbra, and the consoles of
AdGuard Home and Technitium. `products.toml` says how records of each begin, `messages/` what they say, worded
after the products' own sources. What such products tell syslog is read wherever syslog is (`programs.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensors.application_logins import reading
from sensors.application_logins.meaning import events
from sensors.application_logins.products import Product, products
from sensors.application_logins.sessions import Sessions
from sensors.reading import framing, json_table, syslog
from sensors.reading.losses import name_lost

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source

_LINES: Final = 400  # of a head, that sniffing looks at


class ApplicationLogins:
    """The sensor of all products of the table; each has its own `event.module` and `event.dataset`."""

    name = "application_logins"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether exactly one product of the table takes the content for its own."""
        return len(_takers(head)) == 1

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """One event per record of the product that the source is of."""
        takers = _takers(source.head)
        if not takers:
            source.lost("the log of no application that is known by its records")
            return
        product = takers[0]
        clock = syslog.Clock(source)
        sessions = Sessions(tuple(product.carried))
        for frame in _read(source, product):
            if product.skips:
                frame = frame.filter(~frame["body"].str.contains(product.skips).fill_null(value=False))  # noqa: PLW2901
            strange = frame["body"].is_null()
            if strange.any():
                name_lost(frame.filter(strange), f"no record of {product.title}", source)
                frame = frame.filter(~strange)  # noqa: PLW2901 - what is left of the batch
            if frame.height:
                yield events(clock.fill(frame), product, sessions)


def _read(source: Source, product: Product) -> Iterator[pl.DataFrame]:
    if product.is_json(source.head):
        return reading.of_json(source, product)
    return reading.of_lines(source, product) if product.heads else reading.of_pairs(source, product)


def _takers(head: bytes) -> list[Product]:
    if head.lstrip()[:1] in {b"{", b"["}:
        records = json_table.peek(head)
        found = [product for product in products().values() if product.fits_json(records)]
        if found:
            return found
    lines = [line for line in framing.text_head(head).splitlines()[:_LINES] if line.strip()]
    return [product for product in products().values() if product.fits_lines(lines)]


SENSOR: Final = ApplicationLogins()
