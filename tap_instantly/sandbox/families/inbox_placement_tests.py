"""Inbox placement tests: what is sent, to whom and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import among, contains
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.store.api import Call, Endpoint, Row

TESTS = 14
RUNS = 6
"""How often an automated test has run, once a day."""

RECIPIENTS = WORDS["recipients"]

_AUTOMATED = 2
_FROM_OUTSIDE = 2
_ACTIVE = 1
_ESP_OPTIONS = WORDS["e-mail service providers"]
_NAMES = ("Warm domains", "New template", "Before launch", "Q3 check", "Nach Umzug")
_SUBJECTS = ("Quick question", "Your route from Köln", "Numbers for Q3", "Re: Thursday")


class InboxPlacementTests(Family):
    """Tests of where the e-mails of some mailboxes arrive."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            self._tests,
            order="id-desc",
            filters={"search": contains("name"), "status": among("status")},
        )
        return {"inbox_placement_tests": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/inbox-placement-tests"
        return [
            api.get(
                base,
                self._page,
                **self._table.paging,
                search=api.TEXT,
                status=api.one_of("1", "2", "3", kind="number"),
                sort_order=api.SORT_ORDER,
            ),
            api.get(
                f"{base}/email-service-provider-options",
                lambda _: [dict(option) for option in _ESP_OPTIONS],
            ),
            self._table.detail(f"{base}/{{id}}", with_metadata=api.FLAG),
        ]

    def _page(self, call: Call) -> bytes:
        return self._table.answer(call, descending=call.one("sort_order") != "asc")

    def _tests(self) -> Iterator[Row]:
        """Invent the tests, the newest of which has not begun yet."""
        mailboxes = self._workspace.mailboxes
        for number in range(TESTS):
            draw = self._workspace.draw("placement test", number)
            age = number * 45 * 24 + (number and draw.below(40 * 24))
            created = NEWEST - age * timestamps.DAY // 24
            automated = number % 3 == 0
            outside = not automated and draw.once_in(4)
            identity = self._workspace.draw("placement test", number, "id")
            yield {
                "id": identity.uuid7(created),
                "organization_id": self._workspace.organization,
                "name": f"{draw.of(_NAMES)} {number + 1}",
                "type": _AUTOMATED if automated else 1,
                "sending_method": _FROM_OUTSIDE if outside else 1,
                "email_subject": draw.of(_SUBJECTS),
                "email_body": "<p>Hello {{firstName}}, do you ship to Köln?</p>",
                "emails": [
                    mailboxes[(number * 2 + offset) % len(mailboxes)]
                    for offset in range(min(2, len(mailboxes)))
                ],
                "recipients": [address for address, *_ in RECIPIENTS],
                "timestamp_created": timestamps.write(created),
                "status": _ACTIVE if number == 0 else 3 - automated * draw.below(2),
                **self._options(draw, outside=outside),
                **(self._automation(draw, active=number == 0) if automated else {}),
            }

    def _options(self, draw: Draw, *, outside: bool) -> Row:
        """Invent what only some tests have."""
        campaigns, tags = self._workspace.campaign_ids, self._workspace.tag_ids
        row: Row = {}
        if not draw.once_in(3):
            row["delivery_mode"] = draw.of((1, 2))
        if draw.once_in(3):
            row["description"] = "Compares the old wording with the new one."
        if draw.once_in(2):
            row["text_only"] = draw.once_in(2)
        if draw.once_in(2):
            row["recipients_labels"] = [dict(draw.of(_ESP_OPTIONS))]
        if tags and draw.once_in(3):
            row["tags"] = [draw.of(tags)]
        if outside:
            row["test_code"] = f"ptid_{draw.below(10**12):012d}"
        elif campaigns and draw.once_in(2):
            row["campaign_id"] = draw.of(campaigns)
        return row

    def _automation(self, draw: Draw, *, active: bool) -> Row:
        """Invent what only an automated test has."""
        row: Row = {
            "schedule": {
                "days": {str(day): day not in (0, 6) for day in range(7)},
                "timing": {"from": "09:00"},
                "timezone": draw.of(("Europe/Belgrade", "America/Detroit", "Etc/GMT")),
            },
            "not_sending_status": draw.of(("", "", "daily_limits_hit")),
        }
        if active:
            row["timestamp_next_run"] = timestamps.write(NEWEST + timestamps.DAY)
        if draw.once_in(2):
            row["automations"] = [
                {
                    "when": {
                        "condition": "placement_goes_below",
                        "condition_value": 70 + draw.below(20),
                    },
                    "then": {"pause": True, "enable_slow_ramp": False},
                },
                {
                    "when": {"condition": "added_to_blacklists"},
                    "then": {"webhook_url": "https://example.com/hooks/placement"},
                },
            ]
        return row


def runs_of(test: Row) -> Iterator[int]:
    """Yield the times at which a test ran until now."""
    begin = timestamps.read(test["timestamp_created"]) + timestamps.DAY // 24
    for run in range(RUNS if test["type"] == _AUTOMATED else 1):
        if (ran := begin + run * timestamps.DAY) <= NEWEST:
            yield ran
