"""The sequences of e-mails and the schedules that campaigns and subsequences have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.email_plan import STEPS, VARIANTS
from tap_instantly.sandbox.families.words import WORDS

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Row
    from tap_instantly.sandbox.store.draws import Draw

SUBJECTS = WORDS["subjects"]

_ZONES = ("Etc/GMT+12", "America/Chicago", "Europe/Belgrade", "Asia/Kolkata")


def schedule(draw: Draw) -> Row:
    """Return when is sent: on some days of the week, the others left out."""
    found: Row = {
        "schedules": [
            {
                "name": "Working hours",
                "timing": {"from": "09:00", "to": draw.of(("17:30", "16:00"))},
                "days": {str(day): True for day in range(1, 5 + draw.below(2))},
                "timezone": draw.of(_ZONES),
            }
        ]
    }
    if draw.once_in(3):
        found["start_date"] = "2026-08-03"
        found["end_date"] = None
    return found


def sequence(draw: Draw) -> list[Row]:
    """Return the steps, in the only sequence that there is."""
    steps = [
        {
            "type": "email",
            "delay": 3 * number,
            "variants": [
                {
                    "subject": draw.of(SUBJECTS) if number == 0 else "",
                    "body": f"<div>Hello {{{{firstName}}}},<br>step {number + 1}</div>",
                }
                for _ in range(VARIANTS)
            ],
        }
        for number in range(STEPS)
    ]
    return [{"steps": steps}]
