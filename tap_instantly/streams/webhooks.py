"""Webhooks, and what they have been told."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.api.pages import ITEMS, RecordSelector
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream


class WebhooksStream(InstantlyStream):
    """Addresses that Instantly tells what happens."""

    name = "webhooks"
    path = "/webhooks"
    required_scope = "webhooks:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    secret_fields = ("headers",)
    full_table_by_default = True
    selected_by_default = False


class WebhookEventTypesStream(InstantlyStream):
    """What can happen that webhooks are told of."""

    name = "webhook_event_types"
    path = "/webhooks/event-types"
    required_scope = "webhooks:read"
    primary_keys = ("id",)
    data_selector = RecordSelector("event_types")
    selected_by_default = False


class WebhookEventsStream(InstantlyStream):
    """What webhooks have been told, and whether it has arrived."""

    name = "webhook_events"
    path = "/webhook-events"
    required_scope = "webhook_events:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    datetime_filter = DatetimeFilter("from", "to")
    lookback_window = timedelta(days=3)
    limited_retention = True
    selected_by_default = False


class WebhookEventsDailySummaryStream(InstantlyStream):
    """How much of what webhooks were told on a day has arrived."""

    name = "webhook_events_daily_summary"
    path = "/webhook-events/summary-by-date"
    required_scope = "webhook_events:read"
    primary_keys = ("date",)
    replication_key = "date"
    data_selector = ITEMS
    datetime_filter = DatetimeFilter("from", "to", step=31)
    limited_retention = True
    selected_by_default = False


STREAMS = (
    WebhooksStream,
    WebhookEventTypesStream,
    WebhookEventsStream,
    WebhookEventsDailySummaryStream,
)
