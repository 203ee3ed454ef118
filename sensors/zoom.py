"""Zoom: webhooks, the operation log of an account, and its report of sign-ins.

Source of the fields: https://developers.zoom.us/docs/api/ (events of meetings, webinars, recordings, phone,
chat, users and the account; `report/operationlogs`; `report/activities`). The person is the participant of a
meeting, else who operated, else the user or host whom the event is about.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from sensors.reading.json_table import integer, mapped, objects, text, time
from sensors.shapes.audit_trail import AuditTrail, first_words, who
from sensors.shapes.mapping import address, mail_domain
from sensors.values.ecs import related

_O: Final = "payload.object"
_MEMBER: Final = f"{_O}.participant"
_ASKER: Final = f"{_O}.registrant"
FIELDS: Final = {
    "url.full": (
        f"{_O}.join_url", f"{_ASKER}.join_url", f"{_O}.share_url", f"{_O}.download_url",
    ),
    "destination.user.id": (f"{_O}.callee.user_id", f"{_O}.callee_user_id"),
    "zoom.account_id": ("payload.account_id", "account_id"),
    "zoom.object.id": f"{_O}.id",
    "zoom.object.uuid": f"{_O}.uuid",
    "zoom.object.topic": (f"{_O}.topic", f"{_O}.name", f"{_O}.channel_name"),
    "zoom.object.type": f"{_O}.type",
    "zoom.object.host_id": f"{_O}.host_id",
    "zoom.object.issues": f"{_O}.issues",
    "zoom.object.timezone": f"{_O}.timezone",
    "zoom.object.settings": f"{_O}.settings",
    "zoom.participant.user_id": f"{_MEMBER}.user_id",
    "zoom.participant.leave_reason": f"{_MEMBER}.leave_reason",
    "zoom.participant.sharing_details.content": f"{_MEMBER}.sharing_details.content",
    "zoom.participant.sharing_details.file_link": f"{_MEMBER}.sharing_details.file_link",
    "zoom.participant.sharing_details.source": f"{_MEMBER}.sharing_details.source",
    "zoom.registrant.email": f"{_ASKER}.email",
    "zoom.phone.call_id": f"{_O}.call_id",
    "zoom.phone.caller.phone_number": (f"{_O}.caller.phone_number", f"{_O}.caller_number"),
    "zoom.phone.callee.phone_number": (f"{_O}.callee.phone_number", f"{_O}.callee_number"),
    "zoom.chat.message": f"{_O}.message",
    "zoom.room.name": f"{_O}.room_name",
    "zoom.client_type": (f"{_O}.client_type", "client_type"),
    "zoom.client_version": (f"{_O}.version", "version"),
    "zoom.operation.category_type": "category_type",
    "zoom.operation.detail": "operation_detail",
}  # fmt: skip
CATEGORY: Final = {
    r"^user\.signed_(in|out)$|^Sign (in|out)$": "authentication",
    r"^(user|account)\.settings_updated$": "configuration,iam",
    r"^(user|account)\.": "iam",
    r"^operation: (User|Role|Group|IM Group|Member)": "iam",
    r"^operation: ": "configuration",
}
TYPE: Final = {
    r"^(meeting|webinar)\.alert$": "error",
    r"^webinar\.registration_approved$": "info,allowed,change",
    r"^webinar\.registration_denied$": "info,denied,change",
    r"^webinar\.registration_cancelled$": "info,change",
    r"^(meeting|recording)\.registration_approved$": "info,allowed",
    r"^recording\.registration_denied$": "info,denied",
    r"^recording\.trashed$": "info,deletion",
    r"^recording\.(transcript_)?completed$": "info,end",
    r"^chat_channel\.member_": "user",
    r"^account\.(created)$": "user,creation",
    r"^account\.": "user,change",
    r"^(user|chat_channel)\.(created|invited)$": "creation",
    r"^(user|chat_channel)\.deleted$": "deletion",
    r"^chat_channel\.|^user\.(\w*updated|deactivated|activated|disassociated)$": "change",
    r"^user\.signed_in$|^Sign in$": "start",
    r"^user\.signed_out$|^Sign out$": "end",
    r"^\w+\.(registration_)?created$|_ringing$|^chat_message\.sent$": "info,creation",
    r"\.\w*deleted$": "info,deletion",
    r"\.updated$|^recording\.(paused|resumed|renamed|recovered)$": "info,change",
    r"started$|_answered$|_connected$|\.checked_in$": "info,start",
    r"ended$|\.stopped$|_missed$|\.checked_out$": "info,end",
    r"^operation: .*: .*(Add|Create|Invite)": "creation",
    r"^operation: .*: .*(Delete|Remove)": "deletion",
    r"^operation: ": "change",
}
_WHEN: Final = (
    f"{_O}.timestamp", "payload.time_stamp", f"{_O}.time_stamp", f"{_MEMBER}.date_time",
    f"{_MEMBER}.leave_time", f"{_MEMBER}.join_time", f"{_MEMBER}.sharing_details.date_time", "event_ts",
    f"{_O}.date_time", f"{_O}.call_end_time", f"{_O}.answer_start_time", f"{_O}.connected_start_time",
    f"{_O}.ringing_start_time", f"{_O}.recording_file.recording_end", f"{_O}.recording_file.recording_start",
    f"{_O}.start_time", "time",
)  # fmt: skip
_SIGN_IN: Final = ("Sign in", "Sign out")


def _is_record(record: dict[str, Any]) -> bool:
    event, payload = record.get("event"), record.get("payload")
    if isinstance(event, str) and isinstance(payload, dict):
        return "." in event and bool({"account_id", "object"} & payload.keys())
    if {"operator", "category_type", "operation_detail"} <= record.keys():
        return True
    return {"client_type", "email", "time"} <= record.keys() and record.get("type") in _SIGN_IN


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """Records of the three logs, shredded, as ECS."""
    event = text(frame, "event")
    operated = text(frame, "category_type")
    operation = "operation: " + operated + ": " + text(frame, "action").fill_null("")
    kind = pl.coalesce(event, operation, text(frame, "type"))
    duration = pl.when(event.str.starts_with("meeting.")).then(integer(frame, f"{_O}.duration"))
    begin, end = _span(frame, event)
    events = frame.select(
        "log.offset",
        "log.file.line",
        time(frame, *_WHEN).alias("@timestamp"),
        pl.when(event.is_not_null())
        .then(pl.lit("zoom.webhook"))
        .when(operated.is_not_null())
        .then(pl.lit("zoom.operation"))
        .otherwise(pl.lit("zoom.activity"))
        .alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        first_words(kind, CATEGORY).alias("event.category"),
        pl.coalesce(first_words(kind, TYPE), first_words(kind, {".": "info"})).alias("event.type"),
        pl.coalesce(event, text(frame, "action"), text(frame, "type")).alias("event.action"),
        pl.when(kind.str.contains(r"^user\.signed_in$|^Sign in$"))
        .then(pl.lit("success"))
        .alias("event.outcome"),
        begin.alias("event.start"),
        end.alias("event.end"),
        pl.coalesce(
            duration * 60_000_000_000,
            pl.when(event.str.starts_with("phone.")).then((end - begin).dt.total_nanoseconds()),
        ).alias("event.duration"),
        pl.lit("Zoom").alias("observer.vendor"),
        pl.when(event.is_not_null()).then(pl.lit("Webhook")).alias("observer.product"),
        *mapped(frame, FIELDS),
        *_people(frame, event),
        address(text(frame, f"{_MEMBER}.public_ip", "ip_address")).alias("source.ip"),
        _members(frame).alias("~members"),
    )
    first = related(
        ["~operator", "~who", "user.target.id", "~caller", "destination.user.id", "zoom.object.host_id"]
    )
    members = pl.concat_list(first.fill_null([]), pl.col("~members").fill_null([])).list.unique(
        maintain_order=True
    )
    return events.with_columns(
        mail_domain(pl.col("user.email")).alias("user.domain"),
        related(["source.ip"]).alias("related.ip"),
        pl.when(members.list.len() > 0).then(members).alias("related.user"),
    ).drop("~operator", "~who", "~caller", "~members")


def _span(frame: pl.DataFrame, event: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """When what the event is about began and ended, where it says so."""
    ended = text(frame, f"{_O}.call_end_time").is_not_null()
    begin = (
        pl.when(event == "recording.started")
        .then(time(frame, f"{_O}.recording_file.recording_start"))
        .when(event.is_in(["meeting.started", "webinar.started"]))
        .then(time(frame, f"{_O}.start_time"))
        .when(ended)
        .then(time(frame, f"{_O}.answer_start_time", f"{_O}.ringing_start_time"))
    )
    end = (
        pl.when(event == "recording.stopped")
        .then(time(frame, f"{_O}.recording_file.recording_end"))
        .when(event.is_in(["meeting.ended", "webinar.ended"]))
        .then(time(frame, f"{_O}.end_time"))
        .when(begin.is_not_null())
        .then(time(frame, f"{_O}.call_end_time"))
    )
    return begin, end


def _people(frame: pl.DataFrame, event: pl.Expr) -> list[pl.Expr]:
    """The person of an event, and whom it was done to."""
    operator, operator_id = text(frame, "payload.operator"), text(frame, "payload.operator_id")
    of_user = event.str.starts_with("user.").fill_null(value=False)
    asking = event.str.contains(r"^(webinar|recording)\.").fill_null(value=False)
    of_meeting = event.str.contains(r"^(meeting|recording)\.").fill_null(value=False)
    nobody = operator.is_null() & operator_id.is_null()
    itself = of_user & nobody
    asker = {part: pl.when(asking).then(text(frame, f"{_ASKER}.{part}")) for part in ("id", "email")}
    asker_name = pl.when(asking).then(_full_name(frame, _ASKER))
    member_name = text(frame, f"{_MEMBER}.user_name")
    acted = asker["id"].is_null() & text(frame, f"{_MEMBER}.id").is_null() & member_name.is_null()
    mail = pl.when(acted & (~of_meeting | operator_id.is_not_null())).then(operator)
    own_id = text(frame, f"{_O}.id")
    of_account = event.str.starts_with("account.").fill_null(value=False)
    number = pl.coalesce(
        asker["id"],
        text(frame, f"{_MEMBER}.id"),
        pl.when(acted).then(operator_id),
        pl.when(itself).then(own_id),
        pl.when(of_meeting).then(text(frame, f"{_O}.host_id")),
    )
    email = pl.coalesce(
        asker["email"],
        text(frame, f"{_MEMBER}.email"),
        mail,
        pl.when(itself).then(text(frame, f"{_O}.email")),
        text(frame, "email"),
        text(frame, "operator"),
    )
    full_name = pl.coalesce(asker_name, member_name, pl.when(itself).then(_full_name(frame, _O)))
    done_to = of_user & ~nobody
    target = pl.coalesce(
        pl.when(of_account).then(text(frame, "payload.old_object.account_email", f"{_O}.owner_email")),
        pl.when(done_to).then(text(frame, "payload.old_object.email", f"{_O}.email")),
        text(frame, "operation_detail").str.extract(r"([\w.+%'-]+@[\w-]+(?:\.[\w-]+)+)", 1),
    )
    caller = text(frame, f"{_O}.caller.user_id", f"{_O}.caller_user_id")
    return [
        *who("user", id=number, email=email, full_name=full_name, name=text(frame, "operator", "email")),
        *who("source.user", id=pl.coalesce(caller, number), email=email),
        pl.coalesce(
            pl.when(of_account).then(text(frame, "payload.old_object.id", f"{_O}.owner_id")),
            pl.when(done_to).then(own_id),
        ).alias("user.target.id"),
        target.alias("user.target.email"),
        pl.coalesce(
            pl.when(of_account).then(text(frame, "payload.old_object.account_name")),
            pl.when(done_to).then(_full_name(frame, _O)),
        ).alias("user.target.full_name"),
        pl.when(of_account).then(text(frame, "payload.old_object.account_alias")).alias("user.target.name"),
        *_renamed(frame, of_account),
        operator_id.alias("~operator"),
        number.alias("~who"),
        caller.alias("~caller"),
    ]


def _renamed(frame: pl.DataFrame, of_account: pl.Expr) -> list[pl.Expr]:
    """What an account is called from now on."""
    names = {"email": "account_email", "full_name": "account_name", "name": "account_alias"}
    return [
        pl.when(of_account).then(text(frame, f"{_O}.{name}")).alias(f"user.changes.{part}")
        for part, name in names.items()
    ]


def _full_name(frame: pl.DataFrame, root: str) -> pl.Expr:
    """First and last name."""
    parts = [text(frame, f"{root}.first_name"), text(frame, f"{root}.last_name")]
    joined = pl.concat_str(parts, separator=" ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def _members(frame: pl.DataFrame) -> pl.Expr:
    """The names and numbers of a channel's members."""
    each = pl.element().struct
    return objects(frame, f"{_O}.members", "display_name", "id").list.eval(
        pl.concat_list(each.field("display_name"), each.field("id")).explode().drop_nulls()
    )


SENSOR: Final = AuditTrail(
    "zoom", _is_record, ("event", "operation_detail", "client_type"), _events, ("payload",)
)
