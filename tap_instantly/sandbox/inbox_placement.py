"""Inbox placement tests and where their mails arrived."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw, Row
from tap_instantly.sandbox.endpoints import Call, Endpoint, Parameter
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.sandbox.world import World

TESTS = 14
RUNS = 6
"""How often an automated test has run, once a day."""

_BOOLEANS_SINCE = instants.read("2025-08-04T00:00:00Z")
"""Rows from before say 0 and 1 where later ones say false and true."""
_SENT, _RECEIVED = 1, 2
_AUTOMATED = 2
_FROM_OUTSIDE = 2
_ACTIVE = 1
_SENDER_ESPS = {2: 1, 3: 2}
"""What the provider code of a mailbox means here."""

_ESP_OPTIONS = tuple(
    dict(zip(("region", "sub_region", "type", "esp"), values, strict=True))
    for values in (
        ("North America", "US", "Professional", "Google"),
        ("North America", "US", "Professional", "Microsoft"),
        ("North America", "US", "Personal", "Google"),
        ("North America", "US", "Personal", "Microsoft"),
        ("Europe", "Germany", "Professional", "Google"),
        ("Europe", "Germany", "Professional", "Microsoft"),
        ("Europe", "Germany", "Personal", "Web.de"),
        ("Europe", "Italy", "Personal", "Libero.it"),
        ("Europe", "France", "Professional", "Google"),
    )
)
_RECIPIENTS = (  # address, provider, region, professional or personal
    ("dana.reeve@example.com", 1, 1, 1),
    ("joel.marsh@example.net", 2, 1, 1),
    ("trish.hill@example.org", 1, 1, 2),
    ("k.brandt@example.com", 1, 3, 1),
    ("ute.falk@example.net", 12, 3, 2),
    ("s.greco@example.org", 13, 2, 2),
    ("l.moreau@example.com", 2, 4, 1),
    ("a.petit@example.net", 1, 4, 1),
)
_NAMES = ("Warm domains", "New template", "Before launch", "Q3 check", "Nach Umzug")
_SUBJECTS = ("Quick question", "Your route from Köln", "Numbers for Q3", "Re: Thursday")
_RULES = (
    ("FORGED_SPF_HELO", "SPF record does not match the HELO name"),
    ("HTML_MESSAGE", "Mail contains HTML"),
    ("MISSING_MID", "Mail has no Message-ID"),
    ("URI_PHISH", "A link looks like phishing"),
)
_LISTS = ("bl.example.com", "dnsbl.example.net", "zen.example.org")

_PAIR = ("test_id", "sender_esp", "recipient_esp")
_WINDOW = {"date_from": Parameter(), "date_to": Parameter()}
_LISTED = {
    name: Parameter() for name in ("recipient_geo", "recipient_type", "recipient_esp")
}
_RECIPIENT = {
    "recipient_geo": Parameter("number", choices=("1", "2", "3", "4"), many=True),
    "recipient_type": Parameter("number", choices=("1", "2"), many=True),
    "recipient_esp": Parameter(
        "number", choices=("1", "2", "8", "12", "13"), many=True
    ),
}


def _among(name: str) -> Callable[[Row, str], bool]:
    """Return a filter that lets the values of a comma list through."""
    return lambda row, value: str(row.get(name)) in value.split(",")


def _contains(row: Row, value: str) -> bool:
    return value.casefold() in row["name"].casefold()


_FILTERS: dict[str, Callable[[Row, str], bool]] = {
    "test_id": _among("test_id"),
    "date_from": lambda row, value: row["timestamp_created"][:10] >= value[:10],
    "date_to": lambda row, value: row["timestamp_created"][:10] <= value[:10],
}
_ANALYTICS_FILTERS = _FILTERS | {
    "test_ids": _among("test_id"),
    **{name: _among(name) for name in (*_LISTED, "sender_email")},
}


class InboxPlacement:
    """Tests, what was sent and received for them, and reports on their domains."""

    def __init__(self, world: World) -> None:
        """Belong to `world`, whose mailboxes send the tests."""
        self.world = world
        self.tables = {
            "inbox_placement_tests": Table(
                self._tests,
                order="id-desc",
                filters={"search": _contains, "status": _among("status")},
            ),
            "inbox_placement_analytics": Table(
                lambda: [row for test in self._rows for row in self._mails(test)],
                order="id-desc",
                filters=_ANALYTICS_FILTERS,
            ),
            "inbox_placement_reports": Table(
                lambda: [row for test in self._rows for row in self._reports(test)],
                order="id-desc",
                filters=_FILTERS,
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        tests = self.tables["inbox_placement_tests"]
        analytics = self.tables["inbox_placement_analytics"]
        reports = self.tables["inbox_placement_reports"]
        required = {"test_id": Parameter(required=True)}
        sender = {"sender_email": Parameter()}
        flags = ("skip_spam_assassin_report", "skip_blacklist_report")
        return [
            Endpoint(
                "GET",
                "/inbox-placement-tests",
                lambda call: tests.answer(
                    call, descending=call.one("sort_order") != "asc"
                ),
                {
                    **tests.paging,
                    "search": Parameter(),
                    "status": Parameter("number", choices=("1", "2", "3")),
                    "sort_order": Parameter(choices=("asc", "desc")),
                },
            ),
            Endpoint(
                "GET",
                "/inbox-placement-tests/email-service-provider-options",
                lambda _: [dict(option) for option in _ESP_OPTIONS],
            ),
            Endpoint(
                "GET",
                "/inbox-placement-tests/{id}",
                lambda call: tests.found(call.path["id"]),
                {"with_metadata": Parameter("boolean")},
            ),
            Endpoint(
                "GET",
                "/inbox-placement-analytics",
                analytics.answer,
                {**analytics.paging, **required, **_WINDOW, **_LISTED, **sender},
            ),
            analytics.detail("/inbox-placement-analytics/{id}"),
            Endpoint(
                "POST",
                "/inbox-placement-analytics/stats-by-test-id",
                self._stats_by_test,
                body={
                    "test_ids": Parameter(required=True, many=True),
                    **_WINDOW,
                    **_RECIPIENT,
                    **sender,
                },
            ),
            Endpoint(
                "POST",
                "/inbox-placement-analytics/deliverability-insights",
                self._insights,
                body={
                    **required,
                    **_WINDOW,
                    "previous_date_from": Parameter(),
                    "previous_date_to": Parameter(),
                    "show_previous": Parameter("boolean"),
                    **_RECIPIENT,
                },
            ),
            Endpoint(
                "POST",
                "/inbox-placement-analytics/stats-by-date",
                self._stats_by_date,
                body={**required, **_WINDOW, **_RECIPIENT, **sender},
            ),
            Endpoint(
                "GET",
                "/inbox-placement-reports",
                self._reports_page,
                {
                    **reports.paging,
                    **required,
                    **_WINDOW,
                    **dict.fromkeys(flags, Parameter("boolean")),
                },
            ),
            reports.detail("/inbox-placement-reports/{id}"),
        ]

    # What is answered

    def _stats_by_test(self, call: Call) -> list[Row]:
        rows = self.tables["inbox_placement_analytics"].matching(call)
        stats = []
        for test, those in _grouped(rows, "test_id"):
            received, *counts = _counts(those)
            stat: Row = {"test_id": test[0], "count": received}
            for name, count in zip(("spam", "inbox", "category"), counts, strict=True):
                stat[f"{name}_count"] = count
                stat[f"{name}_percent"] = _percent(count, received)
            stats.append(stat)
        return stats

    def _insights(self, call: Call) -> list[Row]:
        analytics = self.tables["inbox_placement_analytics"]
        body = call.body
        before: dict[tuple[Any, ...], list[Row]] = {}
        if body.get("show_previous"):
            days = {name: body.get(f"previous_{name}") for name in _WINDOW}
            earlier = analytics.matching(Call(body={**body, **days}))
            before = dict(_grouped(earlier, *_PAIR))
        return [
            {
                **dict(zip(_PAIR, pair, strict=True)),
                "from": body.get("date_from"),
                "to": body.get("date_to"),
                "previous_from": body.get("previous_date_from"),
                "previous_to": body.get("previous_date_to"),
                **_percentages("", rows),
                **_percentages("prev_", before.get(pair, [])),
            }
            for pair, rows in _grouped(analytics.matching(call), *_PAIR)
        ]

    def _stats_by_date(self, call: Call) -> list[Row]:
        rows = self.tables["inbox_placement_analytics"].matching(call)
        stats = []
        for (day,), those in _grouped(rows, "timestamp_created_date"):
            received, spam, inbox, category = _counts(those)
            stats.append(
                {
                    "timestamp_created_date": day,
                    "sent_count": sum(row["record_type"] == _SENT for row in those),
                    "received_count": received,
                    "spam_count": spam,
                    "inbox_count": inbox,
                    "category_count": category,
                }
            )
        return stats

    def _reports_page(self, call: Call) -> Row:
        page = self.tables["inbox_placement_reports"].page(call)
        skipped = {
            name
            for name in ("spam_assassin_report", "blacklist_report")
            if call.one(f"skip_{name}") == "true"
        }
        page["items"] = [
            {name: value for name, value in row.items() if name not in skipped}
            for row in page["items"]
        ]
        return page

    # The rows

    @property
    def _rows(self) -> Iterable[Row]:
        return self.tables["inbox_placement_tests"].each()

    def _tests(self) -> Iterator[Row]:
        """Invent the tests, the newest of which has not begun yet."""
        mailboxes = self.world.mailboxes
        for number in range(TESTS):
            draw = Draw(self.world.seed, "placement test", number)
            age = number * 45 * 24 + (number and draw.below(40 * 24))
            instant = NEWEST - age * DAY // 24
            automated = number % 3 == 0
            outside = not automated and draw.once_in(4)
            identity = Draw(self.world.seed, "placement test", number, "id")
            yield {
                "id": identity.uuid7(instant),
                "organization_id": self.world.organization,
                "name": f"{draw.of(_NAMES)} {number + 1}",
                "type": _AUTOMATED if automated else 1,
                "sending_method": _FROM_OUTSIDE if outside else 1,
                "email_subject": draw.of(_SUBJECTS),
                "email_body": "<p>Hello {{firstName}}, do you ship to Köln?</p>",
                "emails": [
                    mailboxes[(number * 2 + offset) % len(mailboxes)]
                    for offset in range(min(2, len(mailboxes)))
                ],
                "recipients": [address for address, *_ in _RECIPIENTS],
                "timestamp_created": instants.write(instant),
                "status": _ACTIVE if number == 0 else 3 - automated * draw.below(2),
                **self._options(draw, outside=outside),
                **(self._automation(draw, active=number == 0) if automated else {}),
            }

    def _options(self, draw: Draw, *, outside: bool) -> Row:
        """Invent what only some tests have."""
        campaigns, tags = self.world.campaign_ids, self.world.tag_ids
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
            row["timestamp_next_run"] = instants.write(NEWEST + DAY)
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

    def _runs(self, test: Row) -> Iterator[int]:
        """Yield the instants at which a test ran until now."""
        begin = instants.read(test["timestamp_created"]) + DAY // 24
        for run in range(RUNS if test["type"] == _AUTOMATED else 1):
            if (instant := begin + run * DAY) <= NEWEST:
                yield instant

    def _mails(self, test: Row) -> Iterator[Row]:
        """Invent what a test sent and, for most of it, what arrived."""
        codes = {
            mailbox["email"]: mailbox.get("provider_code")
            for mailbox in self.world.tables["accounts"].each()
        }
        for run, begin in enumerate(self._runs(test)):
            for sender in test["emails"]:
                for address, esp, geo, kind in _RECIPIENTS:
                    key = ("placement mail", test["id"], run, sender, address)
                    draw = Draw(self.world.seed, *key)
                    sent = begin + draw.below(3600) * instants.SECOND
                    row: Row = {
                        "organization_id": self.world.organization,
                        "test_id": test["id"],
                        "sender_email": sender,
                        "sender_esp": _SENDER_ESPS.get(codes.get(sender) or 0, 8),
                        "recipient_email": address,
                        "recipient_esp": esp,
                        "recipient_geo": geo,
                        "recipient_type": kind,
                    }
                    yield _dated(
                        {
                            "id": Draw(self.world.seed, *key, "sent").uuid4(),
                            **row,
                            "record_type": _SENT,
                        },
                        sent,
                    )
                    if draw.once_in(12):
                        continue
                    arrived = sent + (5 + draw.below(900)) * instants.SECOND
                    yield _dated(
                        {
                            "id": Draw(self.world.seed, *key, "received").uuid4(),
                            **row,
                            **_verdict(draw, arrived),
                            "record_type": _RECEIVED,
                        },
                        arrived,
                    )

    def _reports(self, test: Row) -> Iterator[Row]:
        """Invent one report for each domain that sent and each run."""
        domains = sorted({sender.rpartition("@")[2] for sender in test["emails"]})
        for run, instant in enumerate(self._runs(test)):
            for domain in domains:
                key = ("placement report", test["id"], run, domain)
                draw = Draw(self.world.seed, *key)
                rules = [draw.of(_RULES) for _ in range(draw.below(3))]
                score = round(len(rules) * 1.3, 1)
                listed = draw.below(6) // 4
                address = f"203.0.113.{draw.below(255)}"
                row: Row = {
                    "id": Draw(self.world.seed, *key, "id").uuid4(),
                    "organization_id": self.world.organization,
                    "test_id": test["id"],
                    "domain": domain,
                    "domain_ip": address,
                    "domain_blacklist_count": listed,
                    "spam_assassin_score": score,
                    "spam_assassin_report": {
                        "is_spam": False,
                        "spam_score": int(score),
                        "report": [
                            {"name": name, "description": text, "score": "1.3"}
                            for name, text in rules
                        ],
                    },
                    "blacklist_report": {
                        "address": domain,
                        "ip": address,
                        "is_domain": True,
                        "is_blacklisted": listed > 0,
                        "blacklisted_count": listed,
                        "details": [
                            {
                                "blacklist": name,
                                "is_listed": place < listed,
                                "test_type": "domain",
                            }
                            for place, name in enumerate(_LISTS)
                        ],
                    },
                }
                if not draw.once_in(4):
                    row["domain_ip_blacklist_count"] = draw.below(2)
                yield _dated(row, instant)


def _dated(row: Row, instant: int) -> Row:
    """Say when a row was made."""
    text = instants.write(instant)
    return {**row, "timestamp_created": text, "timestamp_created_date": text[:10]}


def _verdict(draw: Draw, instant: int) -> Row:
    """Draw where a mail landed and what its headers proved."""
    spam = draw.once_in(6)
    flags = {
        "is_spam": spam,
        "has_category": not spam and draw.once_in(7),
        "spf_pass": not draw.once_in(15),
        "dkim_pass": not draw.once_in(15),
        "dmarc_pass": not draw.once_in(9),
    }
    row: Row = {
        name: flag if instant >= _BOOLEANS_SINCE else int(flag)
        for name, flag in flags.items()
    }
    if not flags["spf_pass"] or not flags["dkim_pass"]:
        row["authentication_failure_results"] = {
            "authentication_results": "spf=softfail; dkim=fail",
            "received_spf": "softfail",
        }
    if spam and draw.once_in(3):
        row["smtp_ip_blacklist_report"] = {_LISTS[0]: True}
    return row


def _grouped(rows: list[Row], *fields: str) -> Iterable[tuple[Any, list[Row]]]:
    """Put rows together that agree in some fields, in ascending order of those."""
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in fields)].append(row)
    return sorted(groups.items(), key=lambda group: group[0])


def _counts(rows: list[Row]) -> tuple[int, int, int, int]:
    """Count what arrived: all, in spam, in the inbox, in a category."""
    received = [row for row in rows if row["record_type"] == _RECEIVED]
    spam = sum(bool(row["is_spam"]) for row in received)
    category = sum(bool(row["has_category"]) for row in received)
    return len(received), spam, len(received) - spam - category, category


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0


def _percentages(prefix: str, rows: list[Row]) -> Row:
    """Return the three shares of what arrived; null where nothing did."""
    received, *counts = _counts(rows)
    return {
        f"{prefix}{name}_percentage": _percent(count, received) if received else None
        for name, count in zip(("spam", "inbox", "category"), counts, strict=True)
    }
