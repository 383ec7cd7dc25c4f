"""How inbox placement tests turned out: each e-mail, and reports on the domains."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox.families.email_analytics import percent
from tap_instantly.sandbox.families.filters import Filter, among
from tap_instantly.sandbox.families.inbox_placement_tests import RECIPIENTS, runs_of
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Endpoint, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_instantly.sandbox.store.draws import Draw

_BOOLEANS_SINCE = timestamps.read("2025-08-04T00:00:00Z")
"""Rows from before say 0 and 1 where later ones say false and true."""
_SENT, _RECEIVED = 1, 2
_SENDER_ESPS = {2: 1, 3: 2}
"""What the provider code of a mailbox means here."""

_RULES = WORDS["spam rules"]
_LISTS = ("bl.example.com", "dnsbl.example.net", "zen.example.org")

_PAIR = ("test_id", "sender_esp", "recipient_esp")
_WINDOW = {"date_from": api.TEXT, "date_to": api.TEXT}
_RECIPIENT = {
    "recipient_geo": api.one_of("1", "2", "3", "4", kind="number", many=True),
    "recipient_type": api.one_of("1", "2", kind="number", many=True),
    "recipient_esp": api.one_of("1", "2", "8", "12", "13", kind="number", many=True),
}
_LISTED = dict.fromkeys(_RECIPIENT, api.TEXT)
_FILTERS: dict[str, Filter] = {
    "test_id": among("test_id"),
    "date_from": lambda row, value: row["timestamp_created"][:10] >= value[:10],
    "date_to": lambda row, value: row["timestamp_created"][:10] <= value[:10],
}
_ANALYTICS_FILTERS = _FILTERS | {
    "test_ids": among("test_id"),
    **{name: among(name) for name in (*_LISTED, "sender_email")},
}


class InboxPlacementResults(Family):
    """What was sent and received for tests, and reports on their domains."""

    def _new_tables(self) -> Tables:
        self._analytics = self._workspace.new_table(
            lambda: self._of_each_test(self._emails_of),
            order="id-desc",
            filters=_ANALYTICS_FILTERS,
        )
        self._reports = self._workspace.new_table(
            lambda: self._of_each_test(self._reports_of),
            order="id-desc",
            filters=_FILTERS,
        )
        return {
            "inbox_placement_analytics": self._analytics,
            "inbox_placement_reports": self._reports,
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/inbox-placement-analytics"
        required = {"test_id": api.Parameter(required=True)}
        return [
            self._analytics.endpoint(
                base, **required, **_WINDOW, **_LISTED, sender_email=api.TEXT
            ),
            self._analytics.detail(f"{base}/{{id}}"),
            api.post(
                f"{base}/stats-by-test-id",
                self._stats_by_test,
                test_ids=api.Parameter(required=True, many=True),
                **_WINDOW,
                **_RECIPIENT,
                sender_email=api.TEXT,
            ),
            api.post(
                f"{base}/deliverability-insights",
                self._insights,
                **required,
                **_WINDOW,
                previous_date_from=api.TEXT,
                previous_date_to=api.TEXT,
                show_previous=api.FLAG,
                **_RECIPIENT,
            ),
            api.post(
                f"{base}/stats-by-date",
                self._stats_by_date,
                **required,
                **_WINDOW,
                **_RECIPIENT,
                sender_email=api.TEXT,
            ),
            api.get(
                "/inbox-placement-reports",
                self._reports_page,
                **self._reports.paging,
                **required,
                **_WINDOW,
                skip_spam_assassin_report=api.FLAG,
                skip_blacklist_report=api.FLAG,
            ),
            self._reports.detail("/inbox-placement-reports/{id}"),
        ]

    def _stats_by_test(self, call: Call) -> list[Row]:
        rows = self._analytics.matching(call)
        stats = []
        for test, those in _grouped(rows, "test_id"):
            received, *counts = _counts(those)
            stat: Row = {"test_id": test[0], "count": received}
            for name, count in zip(("spam", "inbox", "category"), counts, strict=True):
                stat[f"{name}_count"] = count
                stat[f"{name}_percent"] = percent(count, received)
            stats.append(stat)
        return stats

    def _insights(self, call: Call) -> list[Row]:
        body = call.body
        before: dict[tuple[Any, ...], list[Row]] = {}
        if body.get("show_previous"):
            days = {name: body.get(f"previous_{name}") for name in _WINDOW}
            earlier = self._analytics.matching(Call(body={**body, **days}))
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
            for pair, rows in _grouped(self._analytics.matching(call), *_PAIR)
        ]

    def _stats_by_date(self, call: Call) -> list[Row]:
        rows = self._analytics.matching(call)
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
        page = self._reports.page(call)
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

    def _of_each_test(self, rows_of: Callable[[Row], Iterator[Row]]) -> list[Row]:
        tests = self._workspace.tables["inbox_placement_tests"].each()
        return [row for test in tests for row in rows_of(test)]

    def _emails_of(self, test: Row) -> Iterator[Row]:
        """Invent what a test sent and, for most of it, what arrived."""
        codes = {
            mailbox["email"]: mailbox.get("provider_code")
            for mailbox in self._workspace.tables["accounts"].each()
        }
        for run, begin in enumerate(runs_of(test)):
            for sender in test["emails"]:
                for address, esp, geo, kind in RECIPIENTS:
                    key = ("placement mail", test["id"], run, sender, address)
                    draw = self._workspace.draw(*key)
                    sent = begin + draw.below(3600) * timestamps.SECOND
                    row: Row = {
                        "organization_id": self._workspace.organization,
                        "test_id": test["id"],
                        "sender_email": sender,
                        "sender_esp": _SENDER_ESPS.get(codes.get(sender) or 0, 8),
                        "recipient_email": address,
                        "recipient_esp": esp,
                        "recipient_geo": geo,
                        "recipient_type": kind,
                    }
                    identity = self._workspace.draw(*key, "sent").uuid4()
                    yield _dated({"id": identity, **row, "record_type": _SENT}, sent)
                    if draw.once_in(12):
                        continue
                    arrived = sent + (5 + draw.below(900)) * timestamps.SECOND
                    yield _dated(
                        {
                            "id": self._workspace.draw(*key, "received").uuid4(),
                            **row,
                            **_verdict(draw, arrived),
                            "record_type": _RECEIVED,
                        },
                        arrived,
                    )

    def _reports_of(self, test: Row) -> Iterator[Row]:
        """Invent one report for each domain that sent and each run."""
        domains = sorted({sender.rpartition("@")[2] for sender in test["emails"]})
        for run, created in enumerate(runs_of(test)):
            for domain in domains:
                key = ("placement report", test["id"], run, domain)
                draw = self._workspace.draw(*key)
                rules = [draw.of(_RULES) for _ in range(draw.below(3))]
                score = round(len(rules) * 1.3, 1)
                listed = draw.below(6) // 4
                address = f"203.0.113.{draw.below(255)}"
                row: Row = {
                    "id": self._workspace.draw(*key, "id").uuid4(),
                    "organization_id": self._workspace.organization,
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
                yield _dated(row, created)


def _dated(row: Row, created: int) -> Row:
    """Say when a row was made."""
    text = timestamps.write(created)
    return {**row, "timestamp_created": text, "timestamp_created_date": text[:10]}


def _verdict(draw: Draw, arrived: int) -> Row:
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
        name: flag if arrived >= _BOOLEANS_SINCE else int(flag)
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


def _percentages(prefix: str, rows: list[Row]) -> Row:
    """Return the three shares of what arrived; null where nothing did."""
    received, *counts = _counts(rows)
    return {
        f"{prefix}{name}_percentage": percent(count, received) if received else None
        for name, count in zip(("spam", "inbox", "category"), counts, strict=True)
    }
