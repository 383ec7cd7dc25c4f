"""Mailboxes, what they do and what they send for."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from typing_extensions import override

from tap_instantly.api.pages import ARRAY, OBJECT, get_map
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream

if t.TYPE_CHECKING:
    from tap_instantly.api.pages import Page
    from tap_instantly.reading.partition import Partition

HEALTH = ("health_score", "health_score_label")
PASSWORDS = ("imap_password", "smtp_password", "password", "app_password")


class AccountsStream(InstantlyStream):
    """Mailboxes that send."""

    name = "accounts"
    path = "/accounts"
    required_scope = "accounts:read"
    primary_keys = ("email",)
    replication_key = "timestamp_updated"
    params = (("include_tags", "true"),)
    activity_fields = ("timestamp_warmup_start", "timestamp_last_used")
    secret_fields = PASSWORDS


class PerAccountStream(SubstreamStream):
    """A stream that is given for one mailbox at a time."""

    parents = (ParentStreamConfig(AccountsStream, "email", key="email"),)


class AccountDetailsStream(PerAccountStream):
    """Mailboxes with the whole of their warm-up settings."""

    name = "account_details"
    path = "/accounts/{email}"
    required_scope = "accounts:read"
    primary_keys = ("email",)
    replication_key = "timestamp_updated"
    data_selector = OBJECT
    secret_fields = PASSWORDS


class AccountAnalyticsDailyStream(SubstreamStream):
    """What a mailbox has done on a day."""

    name = "account_analytics_daily"
    path = "/accounts/analytics/daily"
    required_scope = "accounts:read"
    primary_keys = ("date", "email_account")
    replication_key = "date"
    data_selector = ARRAY
    datetime_filter = DatetimeFilter("start_date", "end_date", step=31)
    parents = (
        ParentStreamConfig(
            AccountsStream,
            "email_account",
            key="email",
            request_param="emails",
            group_size=200,
        ),
    )
    selected_by_default = True


class AccountCampaignMappingsStream(PerAccountStream):
    """Campaigns that a mailbox sends for."""

    name = "account_campaign_mappings"
    path = "/account-campaign-mappings/{email}"
    required_scope = "account_campaign_mappings:read"
    primary_keys = ("email", "campaign_id")
    created_key = None  # not the campaign's `timestamp_created`, which the row has


class WarmupAnalyticsStream(SubstreamStream):
    """How the warm-up of a mailbox has gone on a day."""

    name = "warmup_analytics"
    path = "/accounts/warmup-analytics"
    http_method = "POST"
    required_scope = "accounts:read"
    primary_keys = ("email", "date")
    replication_key = "date"
    data_selector = OBJECT
    limited_retention = True
    parents = (
        ParentStreamConfig(
            AccountsStream,
            "email",
            key="email",
            request_param="emails",
            group_size=100,
        ),
    )
    selected_by_default = True

    @override
    def transform_page(
        self, page: Page, partition: Partition, cursor: str | None
    ) -> Page:
        """Make rows of two maps: one by mailbox and day, one by mailbox."""
        (maps,) = page.rows
        daily = get_map(maps, "email_date_data", is_required=True)
        aggregate = get_map(maps, "aggregate_data")
        rows = []
        for email in daily:
            whole = get_map(aggregate, email)
            health = {name: whole.get(name) for name in HEALTH}
            days = get_map(daily, email)
            rows += [
                get_map(days, day) | health | {"email": email, "date": day}
                for day in days
            ]
        return replace(page, rows=rows)


STREAMS = (
    AccountsStream,
    AccountDetailsStream,
    AccountAnalyticsDailyStream,
    AccountCampaignMappingsStream,
    WarmupAnalyticsStream,
)
