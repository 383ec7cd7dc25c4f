"""Webhooks, and what they have been told."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ITEMS, Answer
from tap_instantly.stream import InstantlyStream


class WebhooksStream(InstantlyStream):
    """Addresses that Instantly tells what happens."""

    name = "webhooks"
    path = "/webhooks"
    scope = "webhooks:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    never_emitted = ("headers",)
    is_edited = True
    selected_by_default = False


class WebhookEventTypesStream(InstantlyStream):
    """What can happen that webhooks are told of."""

    name = "webhook_event_types"
    path = "/webhooks/event-types"
    scope = "webhooks:read"
    primary_keys = ("id",)
    answer = Answer("event_types")
    selected_by_default = False


class WebhookEventsStream(InstantlyStream):
    """What webhooks have been told, and whether it has arrived."""

    name = "webhook_events"
    path = "/webhook-events"
    scope = "webhook_events:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    time_filter = TimeFilter("from", "to")
    lookback = timedelta(days=3)
    is_forgotten = True
    selected_by_default = False


class WebhookEventsDailySummaryStream(InstantlyStream):
    """How much of what webhooks were told on a day has arrived."""

    name = "webhook_events_daily_summary"
    path = "/webhook-events/summary-by-date"
    scope = "webhook_events:read"
    primary_keys = ("date",)
    replication_key = "date"
    answer = ITEMS
    time_filter = TimeFilter("from", "to")
    is_forgotten = True
    selected_by_default = False
