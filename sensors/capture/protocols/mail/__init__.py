"""Mail: SMTP, LMTP, IMAP, POP3 in clear, up to STARTTLS."""

from __future__ import annotations

from typing import Final

from sensors.capture.conversations import OverTcp
from sensors.capture.protocols.mail import mailboxes, smtp

PROTOCOLS: Final = (
    OverTcp("smtp", smtp.fits, smtp.events),
    OverTcp("imap", mailboxes.is_imap, mailboxes.imap_events),
    OverTcp("pop3", mailboxes.is_pop, mailboxes.pop_events),
)
