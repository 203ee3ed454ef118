"""AWS CloudTrail: management, data and insight events, and the digest files beside them.

Source of the fields: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/, the pages "CloudTrail
record contents" and "CloudTrail userIdentity element". Files are `{"Records": [...]}`; the shared framing
takes that off, and one record a line is read as well. With an assumed role `user.name` is the role, as
Elastic has it; the session's name, which single sign-on fills with the person's address, is kept beside it
and gives `user.email`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from sensors.reading import json_table
from sensors.reading.distinct import by_value
from sensors.reading.json_table import integer, mapped, member, text, texts, time
from sensors.shapes.audit_records import told_by
from sensors.shapes.mapping import mail_domain, only
from sensors.values.ecs import is_ip, related

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.sensor import Source

FIELDS: Final = {
    "event.action": "eventName",
    "event.provider": "eventSource",
    "event.id": "eventID",
    "cloud.account.id": ("userIdentity.accountId", "awsAccountId", "recipientAccountId"),
    "cloud.region": "awsRegion",
    "user.id": "userIdentity.principalId",
    "source.user.id": "userIdentity.principalId",
    "source.address": "sourceIPAddress",
    "user_agent.original": "userAgent",
    "error.code": "errorCode",
    "error.message": "errorMessage",
    "event.reason": ("errorMessage", "errorCode"),
    "tls.cipher": "tlsDetails.cipherSuite",
    "tls.client.server_name": "tlsDetails.clientProvidedHostHeader",
    "group.id": "responseElements.group.groupId",
    "group.name": "requestParameters.groupName",
    "user.target.id": "responseElements.user.userId",
    "user.target.name": "requestParameters.userName",
    "user.changes.name": "requestParameters.newUserName",
    "aws.s3.bucket.name": "requestParameters.bucketName",
    "aws.s3.object.key": "requestParameters.key",
    "aws.cloudtrail.event_version": "eventVersion",
    "aws.cloudtrail.event_type": "eventType",
    "aws.cloudtrail.event_category": "eventCategory",
    "aws.cloudtrail.error_code": "errorCode",
    "aws.cloudtrail.error_message": "errorMessage",
    "aws.cloudtrail.request_id": "requestID",
    "aws.cloudtrail.api_version": "apiVersion",
    "aws.cloudtrail.read_only": "readOnly",
    "aws.cloudtrail.management_event": "managementEvent",
    "aws.cloudtrail.recipient_account_id": "recipientAccountId",
    "aws.cloudtrail.shared_event_id": "sharedEventID",
    "aws.cloudtrail.vpc_endpoint_id": "vpcEndpointId",
    "aws.cloudtrail.resources": "resources",
    "aws.cloudtrail.user_identity.type": "userIdentity.type",
    "aws.cloudtrail.user_identity.arn": "userIdentity.arn",
    "aws.cloudtrail.user_identity.access_key_id": "userIdentity.accessKeyId",
    "aws.cloudtrail.user_identity.invoked_by": "userIdentity.invokedBy",
    "aws.cloudtrail.user_identity.credential_id": "userIdentity.credentialId",
    "aws.cloudtrail.user_identity.session_context.mfa_authenticated": (
        "userIdentity.sessionContext.attributes.mfaAuthenticated"
    ),
    "aws.cloudtrail.user_identity.session_context.creation_date": (
        "userIdentity.sessionContext.attributes.creationDate"
    ),
    "aws.cloudtrail.user_identity.session_context.source_identity": (
        "userIdentity.sessionContext.sourceIdentity"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.type": (
        "userIdentity.sessionContext.sessionIssuer.type"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.arn": (
        "userIdentity.sessionContext.sessionIssuer.arn"
    ),
    "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id": (
        "userIdentity.sessionContext.sessionIssuer.principalId"
    ),
    "aws.cloudtrail.console_login.additional_eventdata.mfa_used": "additionalEventData.MFAUsed",
    "aws.cloudtrail.console_login.additional_eventdata.login_to": "additionalEventData.LoginTo",
    "aws.cloudtrail.console_login.additional_eventdata.mobile_version": "additionalEventData.MobileVersion",
    "aws.cloudtrail.request.secret_id": "requestParameters.secretId",
    "aws.cloudtrail.request.role_arn": "requestParameters.roleArn",
    "aws.cloudtrail.request.role_session_name": "requestParameters.roleSessionName",
    "aws.cloudtrail.request.policy_arn": "requestParameters.policyArn",
    "aws.cloudtrail.request.instance_id": (
        "requestParameters.instanceId", "requestParameters.target", "requestParameters.resourceId",
    ),
    "aws.cloudtrail.insight.state": "insightDetails.state",
    "aws.cloudtrail.insight.type": "insightDetails.insightType",
    "aws.cloudtrail.insight.event_name": "insightDetails.eventName",
    "aws.cloudtrail.insight.event_source": "insightDetails.eventSource",
    "aws.cloudtrail.digest.s3_bucket": "digestS3Bucket",
    "aws.cloudtrail.digest.start_time": "digestStartTime",
    "aws.cloudtrail.digest.end_time": "digestEndTime",
    "aws.cloudtrail.digest.previous_s3_bucket": "previousDigestS3Bucket",
    "aws.cloudtrail.digest.previous_hash_algorithm": "previousDigestHashAlgorithm",
    "aws.cloudtrail.digest.public_key_fingerprint": "digestPublicKeyFingerprint",
    "aws.cloudtrail.digest.signature_algorithm": "digestSignatureAlgorithm",
}  # fmt: skip
# Kept as JSON text: what they hold differs by service and call.
WHOLE: Final = {
    "aws.cloudtrail.request_parameters": "requestParameters",
    "aws.cloudtrail.response_elements": "responseElements",
    "aws.cloudtrail.additional_eventdata": "additionalEventData",
    "aws.cloudtrail.service_event_details": "serviceEventDetails",
}
# Rules over `<service>:<call>`, the first that fits counts. `iam` of people and groups first.
CATEGORY: Final = {
    r"^signin:(ConsoleLogin|CheckMfa|ExitRole|SwitchRole|RenewRole|PasswordRecovery)": ("authentication",),
    r"^(sts|sso|signin|oauthbroker|sso-oauth):(AssumeRole|Get(Session|Federation|Signin)Token|Authenticate"
    r"|Federate|UserAuthentication|CreateToken|CredentialChallenge|CredentialVerification)": (
        "authentication",
    ),
    r"^iam:(Update|Create|Delete|Enable|Deactivate|Resync|Change|Add|Remove|Attach|Detach|Put|Set|Tag|Untag"
    r"|Upload|Get|List)": ("iam",),
    r"^(identitystore|sso|sso-directory|cognito-idp|organizations):[A-Z]": ("iam",),
    r":(CreateKeyPair|ImportKeyPair|SetSecurityTokenServicePreferences)$": ("iam",),
    r"^s3:(Create|Delete|Get|Put|Head|Copy|List|Restore|Upload|Complete|Select)": ("file",),
    r"^(secretsmanager:(Get|BatchGet)SecretValue|ssm:GetParameter)": ("file",),
}
TYPE: Final = {
    r"^iam:(Create|Delete)(AccessKey|VirtualMFADevice|LoginProfile|SSHPublicKey|ServiceSpecificCredential"
    r"|User\w+)$": ("user", "change"),
    r"^iam:CreateUser$": ("user", "creation"),
    r"^iam:DeleteUser$": ("user", "deletion"),
    r"^iam:CreateGroup$": ("group", "creation"),
    r"^iam:DeleteGroup$": ("group", "deletion"),
    r"^iam:(Add|Remove)User(To|From)Group$": ("group", "change"),
    r"^iam:(Attach|Detach|Put|Delete|Update)Group": ("group", "change"),
    r"^iam:(Attach|Detach|Put|Delete|Update|Tag|Untag)User": ("user", "change"),
    r"^iam:(ChangePassword|(Enable|Deactivate|Resync)MFADevice|(Update|Delete|Upload)(AccessKey|LoginProfile"
    r"|SSHPublicKey|SigningCertificate|ServiceSpecificCredential))": ("user", "change"),
    r"^iam:(Get|List)\w*User|^iam:ListGroupsForUser": ("user", "info"),
    r"^iam:(Get|List)\w*Group": ("group", "info"),
    r":(CreateKeyPair|ImportKeyPair)$": ("admin", "creation"),
    r"^(iam|sts):Set": ("admin", "change"),
    r"^iam:(Get|List|Simulate|Generate)": ("info",),
    r"^iam:(Create|Upload)": ("admin", "creation"),
    r"^iam:Delete": ("admin", "deletion"),
    r"^iam:": ("admin", "change"),
    r"^s3:CreateBucket$": ("creation",),
    r"^s3:Delete(Bucket|Objects?)$": ("deletion",),
    r"^s3:(Get|Head|Select)Object": ("access",),
    r"^(secretsmanager:(Get|BatchGet)SecretValue|ssm:GetParameter)": ("access",),
    r".": ("info",),
}
_NAME: Final = (
    "userIdentity.sessionContext.sessionIssuer.userName", "userIdentity.userName",
)  # fmt: skip


class CloudTrail:
    """Events of a trail, of the event history, and digests."""

    name = "aws_cloudtrail"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether every record has the name, source or type of an AWS API event, or is a digest."""
        return json_table.mostly(head, _fits)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order."""
        for table in json_table.tables(source):
            known = text(table, "eventName", "eventType", "digestS3Object").is_not_null()
            kept = json_table.kept(table, known, source, "no CloudTrail event")
            if kept.height:
                yield _events(kept)


SENSOR = CloudTrail()


def _fits(record: dict[str, object]) -> bool:
    """Whether a record is an event or a digest of CloudTrail."""
    if "digestS3Object" in record and "awsAccountId" in record:
        return True
    kind = record.get("eventType")
    told = {"eventSource", "sourceIPAddress", "recipientAccountId", "eventVersion", "awsRegion"}
    return (
        isinstance(record.get("eventName"), str) or (isinstance(kind, str) and kind.startswith("Aws"))
    ) and len(told & record.keys()) >= 2  # noqa: PLR2004 - one alone is in other vendors' logs too


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    """CloudTrail records, shredded, as ECS."""
    told = frame.with_columns(_who(frame)).with_columns(
        pl.coalesce(by_value(pl.col(name), _mail) for name in ("~session", "~name")).alias("~mail")
    )
    name, mail, call = pl.col("~name"), pl.col("~mail"), pl.col("~call")
    address = text(frame, "sourceIPAddress")
    ip = pl.when(is_ip(address)).then(address)
    tls = text(frame, "tlsDetails.tlsVersion")
    events = told.select(
        "log.offset",
        "log.file.line",
        time(frame, "eventTime", "digestEndTime").alias("@timestamp"),
        pl.lit("aws.cloudtrail").alias("event.dataset"),
        pl.lit("event").alias("event.kind"),
        told_by(call, CATEGORY).alias("event.category"),
        pl.coalesce(told_by(call, TYPE), pl.lit(["info"], pl.List(pl.String))).alias("event.type"),
        _outcome(frame).alias("event.outcome"),
        *mapped(frame, FIELDS),
        *(_whole(frame, path).alias(name) for name, path in WHOLE.items()),
        integer(frame, "additionalEventData.bytesTransferredIn").alias("source.bytes"),
        integer(frame, "additionalEventData.bytesTransferredOut").alias("destination.bytes"),
        name.alias("user.name"),
        name.alias("source.user.name"),
        mail.alias("user.email"),
        mail.alias("source.user.email"),
        mail_domain(mail).alias("user.domain"),
        pl.col("~session").alias("aws.cloudtrail.user_identity.session_name"),
        ip.alias("source.ip"),
        tls.str.extract(r"v([\d.]+)$", 1).alias("tls.version"),
        tls.str.extract(r"^([A-Za-z]+)v", 1).str.to_lowercase().alias("tls.version_protocol"),
        *_files(frame),
        text(frame, "userIdentity.userName").alias("~named"),
    )
    return events.with_columns(
        pl.col("source.ip").alias("client.ip"),
        related(["source.ip"]).alias("related.ip"),
        related(["~named", "user.target.name", "user.changes.name"]).alias("related.user"),
    ).drop("~named")


def _who(frame: pl.DataFrame) -> list[pl.Expr]:
    """The call, the session that made it, and in whose name."""
    session = pl.when(text(frame, "userIdentity.type").is_in(["AssumedRole", "FederatedUser"])).then(
        by_value(text(frame, "userIdentity.principalId"), lambda one: one.str.extract(r":(.+)$", 1))
    )
    arn = text(frame, "userIdentity.arn")
    root = pl.when(text(frame, "userIdentity.type") == "Root").then(pl.lit("root"))
    name = pl.coalesce(
        text(frame, *_NAME), by_value(arn, lambda one: one.str.extract(r":user/(?:[^/]+/)*([^/]+)$", 1)),
        text(frame, "additionalEventData.UserName"), root,
    )  # fmt: skip
    service = by_value(text(frame, "eventSource").fill_null(""), lambda one: one.str.extract(r"^([^.]*)", 1))
    call = service + ":" + text(frame, "eventName")
    return [session.alias("~session"), name.alias("~name"), call.alias("~call")]


def _mail(name: pl.Expr) -> pl.Expr:
    return name.str.extract(r"^([^@\s]+@[^@\s]+\.[^@\s]+)$", 1)


def _whole(frame: pl.DataFrame, path: str) -> pl.Expr:
    """What is at `path` as JSON text; only records that have something there are looked through."""
    leaves = [pl.col(name).is_not_null() for name in frame.columns if name.startswith(f"{path}.")]
    if not leaves:
        return text(frame, path)
    return pl.coalesce(text(frame, path), member(pl.when(pl.any_horizontal(leaves)).then("text"), path))


def _outcome(frame: pl.DataFrame) -> pl.Expr:
    """What a sign-in says of itself; any other call failed if it names an error."""
    login = only(text(frame, "responseElements.ConsoleLogin").str.to_lowercase(), "")
    failed = text(frame, "errorCode", "errorMessage").is_not_null()
    return pl.coalesce(login, pl.when(failed).then(pl.lit("failure")).otherwise(pl.lit("success")))


def _files(frame: pl.DataFrame) -> list[pl.Expr]:
    """The object of an S3 data event, or the digest; of both the name that a path ends in."""
    path = text(frame, "requestParameters.key", "digestS3Object")
    sha = text(frame, "previousDigestHashAlgorithm") == "SHA-256"
    return [
        path.alias("file.path"),
        path.str.extract(r"([^/]+)$", 1).alias("file.name"),
        pl.when(sha)
        .then(text(frame, "previousDigestHashValue", "previousDigestSignature"))
        .alias("file.hash.sha256"),
        texts(frame, "requestParameters.names")
        .list.join(",")
        .alias("aws.cloudtrail.request.parameter_names"),
    ]
