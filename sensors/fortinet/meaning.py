"""What a Fortinet log means in ECS words: `event.kind`, `.category`, `.type`, `.action`, `.outcome`."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.fortinet.reading import data, value
from sensors.shapes.mapping import first_case

_BLOCKED: Final = "^(?:block|blocked|deny|denied|dropped|drop|reset|reset_client|reset_server|quarantine)"
_PASSED: Final = "^(?:pass|passthrough|allow|accept|exempt|monitor|detected|log-only)"
_FAILED: Final = "fail|error|denied|deny|timeout|reject|invalid|locked"
_DONE: Final = "^(?:success|succeeded|successful|ok|up|logon|authenticated)"
_LOGGED_ON: Final = ("FSSO-logon", "auth-logon")
_LOGGED_OFF: Final = ("FSSO-logoff", "auth-logout")


def with_meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds those columns, by the type and subtype of log, its action, status and result."""
    result = value(frame, "result", "status", "authmsg").str.to_lowercase()
    words = pl.concat_str(
        value(frame, "msg"), value(frame, "logdesc", "desc"), separator=" ", ignore_nulls=True
    ).str.to_lowercase()
    did = pl.col("did").fill_null("")
    frame = frame.with_columns(
        result=result,
        login=pl.col("is_event")
        & (words.str.contains("login|logged in|log in") | (did == "login")).fill_null(value=False),
        logout=pl.col("is_event") & (did == "logout"),
        began=pl.col("is_vpn") & did.str.contains("^(?:tunnel-up|ssl-login|auth-succ)$|-up$"),
        ended=pl.col("is_vpn") & did.str.contains("^(?:tunnel-down|ssl-exit|ssl-logout)$|-down$"),
        blocked=pl.coalesce(value(frame, "utmaction"), pl.col("did"))
        .str.contains(_BLOCKED)
        .fill_null(value=False),
        did=pl.col("did"),
    )
    return frame.with_columns(
        pl.lit("event").alias("event.kind"),
        _category().alias("event.category"),
        _type(frame).alias("event.type"),
        _action(frame).alias("event.action"),
        _outcome().alias("event.outcome"),
    )


def _by_subtype(place: int) -> list[tuple[pl.Expr, list[str]]]:
    return [(pl.col("subtype") == name, words[place]) for name, words in data()["subtypes"].items()]


def _configured(frame: pl.DataFrame) -> pl.Expr:
    return pl.col("is_event") & value(frame, "cfgpath").is_not_null()


def _category() -> pl.Expr:
    return first_case(
        (~pl.col("is_event"), ["network"]),
        (pl.col("is_vpn") & pl.col("login"), ["network", "authentication"]),
        (pl.col("began") | pl.col("ended"), ["network", "session"]),
        (pl.col("login") | pl.col("logout"), ["authentication"]),
        *_by_subtype(0),
        (True, ["host"]),
    )


def _type(frame: pl.DataFrame) -> pl.Expr:
    did = pl.col("did").fill_null("")
    verdict = value(frame, "utmaction")
    dns = pl.col("is_utm") & ((pl.col("subtype") == "dns") | (pl.col("type") == "dns")).fill_null(value=False)
    denied = (verdict == "block").fill_null(value=False) | (did == "deny")
    has_app = value(frame, "app").is_not_null() & (did != "deny")
    passed, blocked = did.str.contains(_PASSED), did.str.contains(_BLOCKED)
    flows = [
        (
            pl.col("is_flow")
            & (is_start == (did == "start"))
            & (is_app == has_app)
            & (decided == (pl.when(denied).then(2).when(verdict.is_null()).then(1).otherwise(0))),
            ["connection", "start" if is_start else "end", *(["protocol"] if is_app else []), *words],
        )
        for is_start in (False, True)
        for is_app in (False, True)
        for decided, words in ((0, []), (1, ["allowed"]), (2, ["denied"]))
    ]
    return first_case(
        *flows,
        (dns & passed, ["info", "allowed"]),
        (dns & blocked, ["info", "denied"]),
        (dns, ["info"]),
        (pl.col("is_utm") & blocked, ["denied"]),
        (pl.col("is_utm") & passed, ["allowed"]),
        (pl.col("is_utm"), ["info"]),
        (pl.col("began"), ["connection", "start"]),
        (pl.col("ended"), ["connection", "end"]),
        (did.is_in(_LOGGED_ON), ["start"]),
        (did.is_in(_LOGGED_OFF) | pl.col("logout"), ["end"]),
        (pl.col("login") & ~pl.col("is_vpn"), ["start"]),
        (_configured(frame), ["change"]),
        *_by_subtype(1),
        (True, ["info"]),
    )


def _action(frame: pl.DataFrame) -> pl.Expr:
    told = value(frame, "eventtype")
    return (
        pl.when("is_flow")
        .then(pl.col("did"))
        .when("is_utm")
        .then(pl.coalesce(told, "did"))
        .otherwise(
            pl.coalesce("did", told, pl.when(pl.col("login")).then(pl.lit("login")), pl.col("subtype"))
        )
    )


def _outcome() -> pl.Expr:
    """What the device says came of it; a flow or a verdict was carried out, whatever it was."""
    success, failure = pl.lit("success"), pl.lit("failure")
    did, result = pl.col("did").fill_null(""), pl.col("result")
    return (
        pl.when(~pl.col("is_event"))
        .then(pl.when(pl.col("did").is_not_null()).then(success))
        .when(did.str.contains("fail|error|deny"))
        .then(failure)
        .when(result.str.contains(_FAILED))
        .then(failure)
        .when(result.str.contains(_DONE))
        .then(success)
        .when(pl.col("began") | pl.col("ended") | did.is_in([*_LOGGED_ON, *_LOGGED_OFF]))
        .then(success)
        .when(pl.col("login") & pl.col("message").str.to_lowercase().str.contains("fail|denied|invalid"))
        .then(failure)
        .when(pl.col("login") & pl.col("message").str.to_lowercase().str.contains("success"))
        .then(success)
    )
