"""Tests of where e-mails land: in the inbox, among promotions, in spam."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ARRAY
from tap_instantly.stream import InstantlyStream


class InboxPlacementTestsStream(InstantlyStream):
    """Tests of where e-mails land."""

    name = "inbox_placement_tests"
    path = "/inbox-placement-tests"
    scope = "inbox_placement_tests:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True
    selected_by_default = False


class PerTestStream(FanOutStream):
    """A stream that is given for one test at a time."""

    parents = (Parent(InboxPlacementTestsStream),)
    stamp = "test_id"


class InboxPlacementESPOptionsStream(InstantlyStream):
    """Providers of mailboxes that a test can write to."""

    name = "inbox_placement_esp_options"
    path = "/inbox-placement-tests/email-service-provider-options"
    scope = "inbox_placement_tests:read"
    primary_keys = ("region", "sub_region", "type", "esp")
    answer = ARRAY
    selected_by_default = False


class InboxPlacementAnalyticsStream(PerTestStream):
    """Where each e-mail of a test has landed."""

    name = "inbox_placement_analytics"
    path = "/inbox-placement-analytics"
    scope = "inbox_placement_analytics:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    time_filter = TimeFilter("date_from", "date_to")
    lookback = timedelta(days=7)
    sent_as = "test_id"


class InboxPlacementStatsByTestStream(PerTestStream):
    """Where the e-mails of a test have landed, counted."""

    name = "inbox_placement_stats_by_test"
    path = "/inbox-placement-analytics/stats-by-test-id"
    method = "POST"
    scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id",)
    answer = ARRAY
    sent_as = "test_ids"
    batch = 100


class InboxPlacementDeliverabilityInsightsStream(PerTestStream):
    """Where the e-mails of a test have landed, by the providers at both ends."""

    name = "inbox_placement_deliverability_insights"
    path = "/inbox-placement-analytics/deliverability-insights"
    method = "POST"
    scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id", "sender_esp", "recipient_esp")
    answer = ARRAY
    sent_as = "test_id"


class InboxPlacementStatsByDateStream(PerTestStream):
    """Where the e-mails of a test have landed, by day."""

    name = "inbox_placement_stats_by_date"
    path = "/inbox-placement-analytics/stats-by-date"
    method = "POST"
    scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id", "timestamp_created_date")
    answer = ARRAY
    sent_as = "test_id"


class InboxPlacementReportsStream(PerTestStream):
    """Spam filters' and block lists' opinion of a test's sender."""

    name = "inbox_placement_reports"
    path = "/inbox-placement-reports"
    scope = "inbox_placement_reports:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    time_filter = TimeFilter("date_from", "date_to")
    lookback = timedelta(days=7)
    sent_as = "test_id"
