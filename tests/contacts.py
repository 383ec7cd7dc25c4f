"""E-mails as the models see them, and what a campaign and a lead have exchanged."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

if t.TYPE_CHECKING:
    from tests.conftest import Json

BUILT_IN = {
    4: "Won",
    3: "Meeting completed",
    2: "Meeting booked",
    1: "Interested",
    0: "Out of office",
    -1: "Not interested",
    -2: "Wrong person",
    -3: "Lost",
    -4: "No show",
}
SENT, RECEIVED, MANUAL = 1, 2, 3
AUTOMATIC = 0
"""The interest status of an automatic reply."""
BOUNCED = -1


def percent(part: int, whole: int) -> float | None:
    """Return a rate to one decimal, rounded as databases do: halves go up."""
    return (2000 * part + whole) // (2 * whole) / 10 if whole else None


def timestamp(text: str) -> datetime:
    """Return a timestamp as the models have it: in UTC, without a zone."""
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return read.astimezone(timezone.utc).replace(tzinfo=None)


def created(mail: Json) -> datetime:
    """Return when Instantly stored an e-mail."""
    return timestamp(mail["timestamp_created"])


def is_automatic(mail: Json) -> bool:
    """Tell whether an e-mail is an automatic reply."""
    return bool(mail["ue_type"] == RECEIVED and mail.get("i_status") == AUTOMATIC)


def is_reply(mail: Json) -> bool:
    """Tell whether an e-mail is a reply that somebody wrote."""
    return bool(mail["ue_type"] == RECEIVED and not is_automatic(mail))


@dataclass
class Contact:
    """What a campaign and a lead have written to each other, in its order."""

    lead: Json | None
    mails: list[Json] = field(default_factory=list)

    @property
    def sent(self) -> list[Json]:
        """What the campaign sent."""
        return [mail for mail in self.mails if mail["ue_type"] == SENT]

    @property
    def replied(self) -> bool:
        """Whether the lead replied."""
        return any(map(is_reply, self.mails))

    @property
    def bounced(self) -> Json | None:
        """The e-mail that bounced, if one did."""
        is_bounced = self.lead is not None and self.lead.get("status") == BOUNCED
        return self.sent[-1] if is_bounced and self.sent else None

    def step(self, mail: Json) -> tuple[str | None, int | None, int | None]:
        """Return the subsequence, the step and the variant of one of the e-mails."""
        before = [mail]
        if mail["ue_type"] == RECEIVED and "step" not in mail:
            before = self.mails[: self.mails.index(mail)]
            before = [one for one in before if one["ue_type"] == SENT][-1:]
        for one in before:
            found = re.fullmatch(r"\d+_(\d+)_(\d+)", one.get("step") or "")
            step, variant = map(int, found.groups()) if found else (None, None)
            return one.get("subsequence_id"), step, variant
        return None, None, None
