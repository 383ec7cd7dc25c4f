"""Mailboxes, what they do and what they send for."""

from __future__ import annotations

import sys
import typing as t

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ARRAY, OBJECT, Page, read_map
from tap_instantly.stream import InstantlyStream

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from tap_instantly.stream import Question

HEALTH = ("health_score", "health_score_label")
PASSWORDS = ("imap_password", "smtp_password", "password", "app_password")


class AccountsStream(InstantlyStream):
    """Mailboxes that send."""

    name = "accounts"
    path = "/accounts"
    scope = "accounts:read"
    primary_keys = ("email",)
    replication_key = "timestamp_updated"
    parameters = (("include_tags", "true"),)
    never_emitted = PASSWORDS


class PerAccountStream(FanOutStream):
    """A stream that is given for one mailbox, or some, at a time."""

    parents = (Parent(AccountsStream, key="email"),)
    stamp = "email"


class AccountDetailsStream(PerAccountStream):
    """Mailboxes with the whole of their warm-up settings."""

    name = "account_details"
    path = "/accounts/{email}"
    scope = "accounts:read"
    primary_keys = ("email",)
    replication_key = "timestamp_updated"
    answer = OBJECT
    never_emitted = PASSWORDS


class AccountAnalyticsDailyStream(PerAccountStream):
    """What a mailbox has done on a day."""

    name = "account_analytics_daily"
    path = "/accounts/analytics/daily"
    scope = "accounts:read"
    primary_keys = ("date", "email_account")
    replication_key = "date"
    answer = ARRAY
    time_filter = TimeFilter("start_date", "end_date", longest=31)
    stamp = "email_account"
    sent_as = "emails"
    batch = 200
    selected_by_default = True


class AccountCampaignMappingsStream(PerAccountStream):
    """Campaigns that a mailbox sends for."""

    name = "account_campaign_mappings"
    path = "/account-campaign-mappings/{email}"
    scope = "account_campaign_mappings:read"
    primary_keys = ("email", "campaign_id")
    dated_by = None  # not the campaign's `timestamp_created`, which the row has


class WarmupAnalyticsStream(PerAccountStream):
    """How the warm-up of a mailbox has gone on a day."""

    name = "warmup_analytics"
    path = "/accounts/warmup-analytics"
    method = "POST"
    scope = "accounts:read"
    primary_keys = ("email", "date")
    replication_key = "date"
    answer = OBJECT
    is_forgotten = True
    sent_as = "emails"
    batch = 100
    selected_by_default = True

    @override
    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        """Make rows of two maps: one by mailbox and day, one by mailbox."""
        (maps,) = page.rows
        daily = read_map(maps, "email_date_data", is_required=True)
        aggregate = read_map(maps, "aggregate_data")
        rows = []
        for email in daily:
            whole = read_map(aggregate, email)
            health = {name: whole.get(name) for name in HEALTH}
            days = read_map(daily, email)
            rows += [
                read_map(days, day) | health | {"email": email, "date": day}
                for day in days
            ]
        return Page(rows)
