"""What Google's event names mean in ECS words, by application.

Source of the names: https://developers.google.com/workspace/admin/reports/v1/appendix/activity/ (one page an
application). Keys are regular expressions over `<application>:<type>:<name>`, of which the first that is
found counts.
"""

from __future__ import annotations

from typing import Final

# Settings of the whole domain, not of a person, a group, a role or a licence.
_SETTINGS: Final = (
    r"^admin:[^:]*:("
    r"(CHANGE|DELETE)_(APPLICATION|CALENDAR|CHAT|CHROME_OS\w*|CONTACTS|DOCS|SITES|EMAIL|GMAIL|WHITELIST"
    r"|DATA_LOCALIZATION|SSO|MOBILE|MOBILE_APPLICATION)_SETTINGS?$"
    r"|CHANGE_(SITES_WEB_ADDRESS\w*|APP_ACCESS\w*|TWO_STEP\w*|ALLOWED_TWO_STEP\w*|SESSION_LENGTH)$"
    r"|UPDATE_(MANAGED_CONFIGURATION|CALENDAR_RESOURCE_FEATURE|ERROR_MSG\w*)|GPLUS_PREMIUM|FLASHLIGHT_"
    r"|MEET_INTEROP_MODIFY|ALLOW_S|DISALLOW_S|ENFORCE_STRONG|WEAK_PROGRAMMATIC|SESSION_CONTROL"
    r"|COMMUNICATION_PREF|ENABLE_(NON_ADMIN|API_ACCESS|FEEDBACK|SERVICE_OR)"
    r"|TOGGLE_(OAUTH|ALLOW_ADMIN|CONTACT_SHARING|USE_|ENABLE_OAUTH|SSO|SSL|NEW_APP|OPEN_ID|OUTBOUND))"
)
CATEGORY: Final = {
    _SETTINGS: ("iam", "configuration"),
    r"^admin:": ("iam",),
    r"^(login|saml):[^:]*:(login_failure|login_success|logout)$": ("authentication", "session"),
    r"^(login|saml):[^:]*:(suspicious_|login_|user_signed_out)": ("authentication",),
    r"^login:[^:]*:(account_disabled|2sv_|titanium|gov_attack)": ("iam",),
    r"^login:": ("configuration",),
    r"^groups(_enterprise)?:[^:]*:(change_\w+_setting|(add|remove)_info_setting)$": ("iam", "configuration"),
    r"^groups(_enterprise)?:": ("iam",),
    r"^user_accounts:": ("iam",),
    r"^token:": ("iam",),
    r"^drive:([^:]*:(approval_|change_acl|change_document|change_user_access|shared_drive_"
    r"|sheets_import_range_access)|acl_change:)": ("file", "iam", "configuration"),
    r"^(drive|keep|data_studio|vault):": ("file",),
    r"^gmail:": ("email",),
    r"^(meet|chat):": ("network",),
    r"^(mobile|chrome):": ("host",),
    r"^context_aware_access:": ("authentication",),
}
TYPE: Final = {
    # People: Google's own type says so, or the words that devices of people are managed with.
    r"^admin:[^:]*:((DELETE_(2SV|ACCOUNT_INFO|EMAIL_MONITOR|MAILBOX|USER))|MOBILE_DEVICE_DELETE)": (
        "user", "deletion",
    ),
    r"^admin:[^:]*:(GENERATE_2SV|CREATE_EMAIL_MONITOR|CREATE_DATA_TRANSFER|CREATE_USER|UNDELETE_USER)": (
        "user", "creation",
    ),
    r"^admin:[^:]*:(BULK_UPLOAD|DOWNLOAD_PENDING_INVITES_LIST|DOWNLOAD_USERLIST_CSV|USERS_BULK_UPLOAD)$": (
        "info",
    ),
    r"^admin:[^:]*:(REQUEST_(ACCOUNT|MAILBOX)|RESEND_USER_INVITE|USERS?_?BULK|BULK_UPLOAD|USER_INVITE"
    r"|VIEW_TEMP|USERS_BULK|ACTION_(CANCELLED|REQUESTED))": ("user", "info"),
    r"^admin:USER_SETTINGS:|^admin:[^:]*:MOBILE_(DEVICE|ACCOUNT)_": ("change", "user"),
    # Groups.
    r"^admin:[^:]*:(GROUP_LIST|GROUP_MEMBERS)_DOWNLOAD": ("group", "info"),
    r"^admin:[^:]*:(CREATE_GROUP)$": ("creation",),
    r"^admin:[^:]*:(DELETE_GROUP)$": ("deletion",),
    r"^admin:GROUP_SETTINGS:|^admin:[^:]*:(REORDER_GROUP_BASED|(ADD|REMOVE|UPDATE)_GROUP_MEMBER)": (
        "change", "group",
    ),
    # Everything else of the console, by its verb.
    r"^admin:[^:]*:CREATE_(APPLICATION|GMAIL)_SETTING$": ("change", "creation"),
    r"^admin:[^:]*:(ISSUE_DEVICE|DRIVE_DATA|VIEW_|EMAIL_LOG|SKIP_|VERIFY_|MX_RECORD|UPLOAD_OAUTH|ENROLL_FOR"
    r"|USE_GOOGLE|DOWNLOAD)": ("info",),
    r"^admin:[^:]*:(CREATE_|INSERT_|\w+_CREATE_GATEWAY|ADD_WEB_ADDRESS|EMAIL_UNDELETE|\w+_CREATED$|GENERATE_"
    r"|REGENERATE_|COMPANY_DEVICES_BULK)": ("creation",),
    r"^admin:[^:]*:(DELETE_|\w+_DELETE_GATEWAY|REMOVE_(CHROME_OS_APP|ORG_UNIT)|\w+_DELETED$"
    r"|COMPANY_DEVICE_DELETION)": ("deletion",),
    r"^admin:": ("change",),
    r"^(login|saml):[^:]*:(login_failure|login_success)$": ("start",),
    r"^(login|saml):[^:]*:(logout|user_signed_out)": ("end",),
    r"^login:[^:]*:account_disabled_password_leak": ("user", "info"),
    r"^login:[^:]*:account_disabled": ("user", "change"),
    r"^login:[^:]*:gov_attack": ("user",),
    r"^login:[^:]*:(password_edit|recovery_)": ("change",),
    r"^(login|saml):": ("info",),
    r"^groups\w*:[^:]*:add_user": ("group", "user", "creation"),
    r"^groups\w*:[^:]*:remove_user": ("group", "user", "deletion"),
    r"^groups\w*:[^:]*:(create_group|add_info|add_)": ("group", "creation"),
    r"^groups\w*:[^:]*:(delete_group|remove_)": ("group", "deletion"),
    r"^groups\w*:[^:]*:(approve_join_request|join)$": ("group", "change", "user"),
    r"^groups\w*:[^:]*:(moderate_message|always_post)": ("group", "info"),
    r"^groups\w*:[^:]*:change_": ("group", "change"),
    r"^groups\w*:": ("group", "info", "user"),
    r"^user_accounts:": ("change", "user"),
    r"^token:[^:]*:authorize": ("info", "user"),
    r"^token:[^:]*:revoke": ("info", "user", "deletion"),
    r"^token:": ("info",),
    r"^drive:[^:]*:(create|untrash|upload|copy)$": ("creation",),
    r"^drive:[^:]*:(delete|trash)$": ("deletion",),
    r"^drive:[^:]*:(download|preview|print|view)$": ("info",),
    r"^drive:[^:]*:(source_copy|connected_sheets|access_|deny_|email_|request_|expire_)": ("info",),
    r"^drive:": ("change",),
    r"^(meet|chat|gmail|keep|vault|data_studio|mobile|chrome|context_aware_access):": ("info",),
}  # fmt: skip
# The reports' names for applications that Elastic's data streams name otherwise.
DATASET: Final = {"mobile": "device", "groups_enterprise": "group_enterprise"}
# Applications whose `related.user` Elastic fills with names alone.
NAMED_ONLY: Final = ("admin", "drive", "groups", "login", "rules", "saml", "user_accounts")
