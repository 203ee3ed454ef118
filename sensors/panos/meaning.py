"""What a PAN-OS log means in ECS words: `event.kind`, `.category`, `.type`, `.action`, `.outcome`."""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.panos.layout import data, text
from sensors.shapes.mapping import first_case

_SEVERITY: Final = {"critical": 1, "high": 2, "medium": 3, "low": 4, "informational": 5}
_ALLOWED: Final = "^(?:alert|allow|continue)$"
_DENIED: Final = "^(?:deny|drop|reset|block|random-drop|sinkhole)"
_CONFIGURING: Final = ("CONFIG", "SYSTEM", "audit")


def with_meaning(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds those columns, by the `type` of log, its subtype, event, action and result."""
    frame = frame.with_columns(
        sub=text(frame, "subtype").str.to_lowercase(),
        did=text(frame, "action").str.to_lowercase(),
        result=text(frame, "status", "result", "event").str.to_lowercase(),
        level=text(frame, "severity").str.to_lowercase(),
        eventid=text(frame, "eventid"),
        said_outcome=text(frame, "said_outcome"),
    )
    return frame.with_columns(
        pl.when(pl.col("type") == "THREAT")
        .then(pl.lit("alert"))
        .otherwise(pl.lit("event"))
        .alias("event.kind"),
        pl.lit("panw.panos").alias("event.dataset"),
        pl.lit("Palo Alto Networks").alias("observer.vendor"),
        pl.lit("PAN-OS").alias("observer.product"),
        pl.lit("firewall").alias("observer.type"),
        _category().alias("event.category"),
        _type().alias("event.type"),
        _action(frame).alias("event.action"),
        _outcome(frame).alias("event.outcome"),
        pl.col("eventid").alias("event.code"),
        pl.col("level")
        .replace_strict(_SEVERITY, default=None, return_dtype=pl.Int64)
        .alias("event.severity"),
        pl.col("level").alias("log.level"),
        text(frame, "reason", "said_reason", "error", "evidence").alias("event.reason"),
        text(frame, "opaque", "message", "decrypt_error").alias("message"),
    )


def _login() -> pl.Expr:
    return pl.col("is_vpn") & pl.col("eventid").str.contains("auth|prelogin|login|regist")


def _category() -> pl.Expr:
    kind = pl.col("type")
    return first_case(
        (kind == "THREAT", ["intrusion_detection", "threat", "network"]),
        (_login() | (kind == "AUTHENTICATION"), ["authentication", "network"]),
        (pl.col("is_vpn"), ["network", "session"]),
        (pl.col("said_outcome").is_not_null(), ["authentication", "configuration"]),
        (kind == "USERID", ["network", "iam"]),
        (kind.is_in(_CONFIGURING), ["configuration"]),
        (True, ["network"]),
    )


def _type() -> pl.Expr:
    kind, sub, event = pl.col("type"), pl.col("sub"), pl.col("eventid")
    flow, vpn, userid = kind == "TRAFFIC", pl.col("is_vpn"), kind == "USERID"
    allowed, denied = pl.col("did").str.contains(_ALLOWED), pl.col("did").str.contains(_DENIED)
    begins = vpn & event.str.contains("connected$|setup-ipsec|setup-ssl|-regist-succ")
    ends = vpn & event.str.contains("logout|disconnect|config-release|inactiv")
    return first_case(
        *(
            (flow & (sub == phase) & verdict, [word, phase, "connection"])
            for phase in ("start", "end")
            for verdict, word in ((allowed, "allowed"), (~allowed, "denied"))
        ),
        (flow & sub.is_in(["drop", "deny"]), ["denied", "connection"]),
        (allowed, ["allowed"]),
        (denied, ["denied"]),
        (begins, ["connection", "start"]),
        (ends, ["connection", "end"]),
        (_login(), ["info"]),
        (vpn, ["connection", "info"]),
        (userid & (sub == "login"), ["user", "start"]),
        (userid & (sub == "logout"), ["user", "end"]),
        (kind == "CONFIG", ["change"]),
        (True, ["info"]),
    )


def _action(frame: pl.DataFrame) -> pl.Expr:
    kind, sub = pl.col("type"), pl.col("sub")
    return pl.coalesce(
        *(
            pl.when(kind == name).then(sub.replace_strict(words, default=None, return_dtype=pl.String))
            for name, words in data()["actions"].items()
        ),
        pl.when(kind == "CONFIG").then(pl.lit("cmd-") + text(frame, "cmd").str.to_lowercase()),
        pl.when(kind == "USERID").then(pl.lit("user-") + sub),
        pl.when("is_vpn").then("eventid"),
    )


def _outcome(frame: pl.DataFrame) -> pl.Expr:
    """Success, failure, or unknown for a change that was only submitted; null where nothing can succeed."""
    kind, result, event = pl.col("type"), pl.col("result"), pl.col("eventid")
    success, failure = pl.lit("success"), pl.lit("failure")
    return (
        pl.when(kind.is_in(["TRAFFIC", "THREAT"]))
        .then(pl.when(pl.col("did").str.contains(_ALLOWED)).then(success).otherwise(failure))
        .when(result.str.contains("succe|^ok$"))
        .then(success)
        .when(result.str.contains("fail|denied|reject|lock|timeout"))
        .then(failure)
        .when(pl.col("is_vpn") & event.str.contains("-succ$"))
        .then(success)
        .when(pl.col("is_vpn") & event.str.contains("-fail$"))
        .then(failure)
        .when(kind == "DECRYPTION")
        .then(pl.when(text(frame, "decrypt_error").is_null()).then(success).otherwise(failure))
        .when(kind == "CORRELATION")
        .then(success)
        .when(kind == "CONFIG")
        .then(pl.lit("unknown"))
        .otherwise("said_outcome")
    )
