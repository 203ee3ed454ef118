"""What applications say as ECS: the first message of `messages/` that fits, and the parts beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.shapes import message_forms
from sensors.values.url import url_columns

if TYPE_CHECKING:
    from sensors.application_logins.products import Product
    from sensors.application_logins.sessions import Sessions

_LIST: Final = pl.List(pl.String)
_MAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"
_NOBODY: Final = ("", "-", "--", "null", "N/A", "<anonymous>")
_TIME_PARTS: Final = ("~stamp", "~year", "~month", "~day", "~clock", "~offset", "~epoch")
# `192.0.2.1:443`, `[2001:db8::1]:443`, `ipv4:192.0.2.1:443`; of a list the first, who is the farthest.
_ENDPOINT: Final = (
    r"^(?:ipv6:(?P<long>[0-9A-Fa-f:.]+):(?P<long_port>[0-9]{1,5})|(?:ipv[46]:)?"
    r"(?:\[(?P<bracket>[^\]]+)\]|(?P<four>[0-9]{1,3}(?:\.[0-9]{1,3}){3})|(?P<six>[0-9A-Fa-f]*:[0-9A-Fa-f:.]*))"
    r"(?::(?P<port>[0-9]{1,5}))?)(?:,.*)?$"
)


def events(frame: pl.DataFrame, product: Product, sessions: Sessions) -> pl.DataFrame:
    """Records with `body` and parts beside it as ECS, in their order.

    Args:
        frame: a batch of records.
        product: whose they are.
        sessions: what the batches before it said.
    """
    told = message_forms.told(
        frame.drop([name for name in _TIME_PARTS if name in frame.columns]).with_columns(
            pl.lit(product.name).alias("group")
        ),
        message_forms.forms(f"application_logins/messages/{product.name}"),
    )
    beside = [name for name in told.columns if name.startswith("~")]
    told = told.with_columns(
        (pl.coalesce(_filled(name[1:]), _filled(name)) if name[1:] in told.columns else _filled(name)).alias(
            name[1:]
        )
        for name in beside
    ).drop(beside)
    told = _people(sessions.carried(_ends(told)))
    if "url.original" in told.columns:
        told = url_columns(told)
    if "file.size" in told.columns:  # SFTPGo writes -1 where there is none
        told = told.with_columns(pl.when(~pl.col("file.size").str.starts_with("-")).then("file.size"))
    category = pl.coalesce("event.category", pl.lit(None, _LIST))
    told = told.with_columns(
        category.alias("event.category"),
        pl.coalesce("event.type", pl.lit(["info"], _LIST)).alias("event.type"),
    )
    return message_forms.settled(
        told,
        "application",
        event_module=product.name,
        event_dataset=product.dataset,
        observer_vendor=product.vendor,
        observer_product=product.title,
    )


def _filled(name: str) -> pl.Expr:
    return pl.when(~pl.col(name).is_in(["", "-"])).then(name)


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Addresses without the ports and relays that stand beside them; the ports on their own."""
    for side in ("source", "destination"):
        if f"{side}.address" not in frame.columns:
            continue
        frame = message_forms.with_columns_for(frame, f"{side}.port")
        parts = frame[f"{side}.address"].str.extract_groups(_ENDPOINT).struct.unnest()
        plain = pl.coalesce(*(parts[name] for name in ("long", "bracket", "four", "six")), f"{side}.address")
        port = pl.coalesce(f"{side}.port", parts["long_port"], parts["port"])
        frame = frame.with_columns(
            plain.alias(f"{side}.address"), pl.when(port != "0").then(port).alias(f"{side}.port")
        )
    return frame


def _people(frame: pl.DataFrame) -> pl.DataFrame:
    """Who acts, by the name that the application knows; one of e-mail is `user.email` as well."""
    if "person" not in frame.columns:
        return frame
    name = pl.col("person").str.strip_chars(" \"'")
    name = pl.when(~name.is_in(_NOBODY)).then(name)
    mail = pl.when(name.str.contains(_MAIL)).then(name)
    return frame.with_columns(
        value.alias(f"{root}.{part}")
        for root in ("user", "source.user")
        for part, value in (("name", name), ("email", mail))
    ).drop("person")
