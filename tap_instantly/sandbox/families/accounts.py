"""Mailboxes: what they are set to, what they send and for whom."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox.families import email_analytics as analytics
from tap_instantly.sandbox.families.custom_tags import tags_of
from tap_instantly.sandbox.families.filters import contains, equals
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import (
    BadRequestError,
    Call,
    Endpoint,
    RefusedError,
    Row,
)
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DAYS = 31
MOST_MAILBOXES = 200
MOST_WARMED_UP = 100
WARMUP_DAYS = 30

_BULK = 3
_PAUSED = 2
_TOMORROW = (NEWEST // timestamps.DAY + 1) * timestamps.DAY
_SORTED_BY = ("timestamp_created", "email", "stat_warmup_score", "status")
_DAILY = {**analytics.DAILY, "bounced": "bounced"}
_FILTERS: dict[str, Callable[[Row], bool]] = {
    "ACC_FILTER_PAUSED": lambda row: row["status"] == _PAUSED,
    "ACC_FILTER_ERROR": lambda row: row["status"] < 0,
    "ACC_FILTER_NO_CTD": lambda row: not row.get("tracking_domain_name"),
    "ACC_FILTER_PW_ACCOUNTS": lambda row: row["is_managed_account"],
    "ACC_FILTER_DFY": lambda row: row["is_managed_account"],
    "ACC_FILTER_DFY_SETUP_PENDING": lambda row: row["setup_pending"],
    "ACC_FILTER_W_ACTIVE": lambda row: row["warmup_status"] == 1,
    "ACC_FILTER_W_PAUSED": lambda row: row["warmup_status"] == 0,
    "ACC_FILTER_W_ERROR": lambda row: row["warmup_status"] < 0,
}


class Accounts(Family):
    """Mailboxes and their analytics."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            lambda: [self._row(n) for n in range(self._workspace.sizes.accounts)],
            key="email",
            cursor="timestamp-and-id",
            filters={
                "search": contains("email"),
                "status": equals("status"),
                "provider_code": equals("provider_code"),
                "tag_ids": lambda row, text: bool(
                    self._tags(row).intersection(text.split(","))
                ),
                "tag_ids_all": lambda row, text: self._tags(row).issuperset(
                    text.split(",")
                ),
                "filter": lambda row, text: text in _FILTERS and _FILTERS[text](row),
            },
            make=self._added,
        )
        return {"accounts": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        return [
            api.get(
                "/accounts",
                self._page,
                **self._table.paging,
                search=api.TEXT,
                status=api.one_of("1", "2", "3", "-1", "-2", "-3", kind="number"),
                provider_code=api.one_of("1", "2", "3", "4", "8", "11", kind="number"),
                tag_ids=api.TEXT,
                tag_ids_all=api.TEXT,
                include_tags=api.FLAG,
                filter=api.one_of(*_FILTERS),
                sort_by=api.one_of(*_SORTED_BY),
                sort_order=api.SORT_ORDER,
                skip=api.Parameter("integer"),
            ),
            api.get("/accounts/{email}", self._detail),
            api.get(
                "/accounts/analytics/daily",
                self._daily,
                **api.WINDOW,
                emails=api.Parameter(many=True),
            ),
            api.post(
                "/accounts/warmup-analytics",
                self._warmup,
                emails=api.Parameter(required=True, many=True, most=MOST_WARMED_UP),
            ),
            api.get(
                "/account-campaign-mappings/{email}",
                self._mappings,
                limit=api.NUMBER,
                starting_after=api.TEXT,
            ),
        ]

    def _detail(self, call: Call) -> Row:
        row = self._table.found(call.path["email"])
        return {"warmup": _warmup_settings(call.path["email"]), **row}

    def _page(self, call: Call) -> Row | bytes:
        by, skip = call.one("sort_by"), call.one("skip")
        ascending = call.one("sort_order", "desc") == "asc"
        with_tags = call.one("include_tags") == "true"
        if by in ("", "timestamp_created") and not skip:
            if not with_tags:
                return self._table.answer(call, descending=not ascending)
            body = self._table.page(call, descending=not ascending)
        else:
            body = self._sorted(call, by or "timestamp_created", ascending=ascending)
        if with_tags:
            rows = [{**row, "tags": self._labels(row)} for row in body["items"]]
            body["items"] = rows
        return body

    def _sorted(self, call: Call, by: str, *, ascending: bool) -> Row:
        """Return a page of the rows in the order of another field."""
        rows = self._table.matching(call)
        rows.sort(key=lambda row: (row.get(by, 0), row["email"]), reverse=not ascending)
        after = call.one("starting_after").rpartition("&")[2]
        places = {row["email"]: place for place, row in enumerate(rows, start=1)}
        skip = call.one("skip")
        start = places.get(after, 0) + (int(skip) if skip.isdecimal() else 0)
        items = rows[start : start + self._table.limit(call)]
        if not items:
            return {"items": []}
        last = items[-1]
        cursor = f"{last['timestamp_created']}&{last['email']}"
        return {"items": items, "next_starting_after": cursor}

    def _tags(self, row: Row) -> set[str]:
        return tags_of(self._workspace, row.get("email", ""))

    def _labels(self, row: Row) -> list[Row]:
        """Return the tags of a mailbox as its row shows them."""
        tags = map(self._workspace.tables["custom_tags"].get, sorted(self._tags(row)))
        fields = ("id", "label", "description")
        return [
            {name: tag[name] for name in fields if name in tag} for tag in tags if tag
        ]

    def _daily(self, call: Call) -> list[Row]:
        """Return what mailboxes did on the days on which they did anything.

        Raises:
            RefusedError: With status 413, if the answer would be too large.
        """
        switches = self._workspace.switches
        emails = call.query.get("emails", [])
        window = analytics.Window.of(call, ends_inclusive=switches.ends_inclusive)
        end = _TOMORROW if window.end is None else window.end
        start = (
            end - WARMUP_DAYS * timestamps.DAY if window.start is None else window.start
        )
        days = -(-(end - start) // timestamps.DAY)
        if (
            not 0 < len(emails) <= MOST_MAILBOXES
            or days > MOST_DAYS
            or len(emails) * days > switches.largest_answer
        ):
            raise RefusedError(413, "Ask for fewer emails or a shorter window")
        sent = analytics.events_of(self._workspace).by_mailbox
        return [
            {"date": day, "email_account": email, **analytics.figures(events, _DAILY)}
            for email in dict.fromkeys(emails)
            if email in self._table
            for day, events in analytics.by_day(
                analytics.Window(start, end).of_events(sent.get(email, []))
            ).items()
        ]

    def _warmup(self, call: Call) -> Row:
        """Return the warm-up of the last days: by mailbox and day, and by mailbox."""
        emails: list[str] = call.body["emails"]
        if len(emails) > MOST_WARMED_UP:
            message = f"body/emails must NOT have more than {MOST_WARMED_UP} items"
            raise BadRequestError(message)
        known = [email for email in emails if email in self._table]
        days = {email: _warmed_up(email) for email in known}
        return {
            "email_date_data": days,
            "aggregate_data": {email: _health(days[email]) for email in known},
        }

    def _mappings(self, call: Call) -> Row:
        """Return the campaigns that send from a mailbox, as a list of its own."""
        email = self._table.found(call.path["email"])["email"]
        campaigns = self._workspace.tables["campaigns"].each()
        rows = [
            {
                "campaign_id": campaign["id"],
                "campaign_name": campaign["name"],
                "timestamp_created": campaign["timestamp_created"],
                "status": campaign["status"],
            }
            for campaign in campaigns
            if email in campaign.get("email_list", [])
        ]
        table = self._workspace.new_table(rows, key="campaign_id", cursor="timestamp")
        return table.page(call)

    def _added(self, number: int, created: int) -> Row:
        written = timestamps.write(created)
        stamps = {"timestamp_created": written, "timestamp_updated": written}
        return {**self._row(number), **stamps}

    def _row(self, number: int) -> Row:
        """Return a mailbox; some were connected in bulk, in one millisecond."""
        workspace = self._workspace
        draw = workspace.draw("bulk", number // _BULK)
        created = NEWEST - (100 + number // _BULK * 3) * timestamps.DAY
        created -= draw.below(timestamps.DAY // 1000) * 1000
        draw = workspace.draw("mailbox", number)
        updated = created + draw.below((NEWEST - created) // 1000) * 1000
        first, last = workspace.sender(number)
        row: Row = {
            "email": workspace.mailbox(number),
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": timestamps.write(updated),
            "first_name": first,
            "last_name": last,
            "organization": workspace.organization,
            "warmup_status": draw.of((1, 1, 1, 0, -1)),
            "provider_code": draw.of((1, 2, 2, 3, 8)),
            "setup_pending": draw.once_in(9),
            "is_managed_account": draw.once_in(5),
            "status": draw.of((1, 1, 1, 1, 2, -1)),
            "timestamp_warmup_start": timestamps.write(created + timestamps.DAY),
            "stat_warmup_score": 70 + draw.below(31),
        }
        optional: Row = {
            "tracking_domain_name": "go.team.example.com",
            "tracking_domain_status": "active",
            "added_by": draw.of(workspace.users),
            "daily_limit": 30,
            "sending_gap": 10,
            "enable_slow_ramp": draw.once_in(2),
            "signature": f"<p>{first} {last}</p>",
            "inbox_placement_test_limit": 2,
            "warmup_pool_id": draw.uuid4(),
        }
        row |= {name: value for name, value in optional.items() if draw.once_in(3)}
        if row["status"] < 0:
            row["status_message"] = {
                "code": "EAUTH",
                "command": "AUTH PLAIN",
                "response": "535 5.7.8 Credentials not accepted",
                "e_message": "Invalid login",
                "responseCode": 535,
            }
        return row


def _warmup_settings(email: str) -> Row:
    """Return what only the answer about one mailbox shows."""
    draw = Draw("warmup", email)
    return {
        "limit": 10 + draw.below(30),
        "advanced": {
            "warm_ctd": draw.once_in(2),
            "open_rate": 95.5,
            "important_rate": 80,
            "read_emulation": draw.once_in(2),
            "spam_save_rate": 100,
            "weekday_only": draw.once_in(2),
        },
        "warmup_custom_ftag": "quiet-harbour",
        "increment": draw.of(("disabled", "1", "2")),
        "reply_rate": 32.5,
    }


@lru_cache(maxsize=10_000)
def _warmed_up(email: str) -> dict[str, dict[str, int]]:
    """Return each day's warm-up; where nothing landed in spam, that is left out."""
    days = {}
    for age in reversed(range(WARMUP_DAYS)):
        day = timestamps.write(NEWEST - age * timestamps.DAY)[:10]
        draw = Draw("warmed up", email, day)
        spam = draw.of((0, 0, 0, 1, 2))
        inbox = 5 + draw.below(20)
        days[day] = {
            "sent": inbox + spam,
            "landed_inbox": inbox,
            "received": draw.below(25),
        }
        if spam:
            days[day]["landed_spam"] = spam
    return days


def _health(days: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Return the sums over the days, and the score that follows."""
    names = ("sent", "received", "landed_inbox", "landed_spam")
    sums = {name: sum(day.get(name, 0) for day in days.values()) for name in names}
    score = 100 * sums["landed_inbox"] // max(1, sums["sent"])
    found: dict[str, Any] = {name: value for name, value in sums.items() if value}
    return {**found, "health_score": score, "health_score_label": f"{score}%"}
