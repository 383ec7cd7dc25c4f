"""Tests of where e-mails land: in the inbox, among promotions, in spam."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.api.pages import ARRAY
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream


class InboxPlacementTestsStream(InstantlyStream):
    """Tests of where e-mails land."""

    name = "inbox_placement_tests"
    path = "/inbox-placement-tests"
    required_scope = "inbox_placement_tests:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    full_table_by_default = True
    selected_by_default = False


BY_TEST_ID = (
    ParentStreamConfig(InboxPlacementTestsStream, "test_id", request_param="test_id"),
)


class InboxPlacementESPOptionsStream(InstantlyStream):
    """Providers of mailboxes that a test can write to."""

    name = "inbox_placement_esp_options"
    path = "/inbox-placement-tests/email-service-provider-options"
    required_scope = "inbox_placement_tests:read"
    primary_keys = ("region", "sub_region", "type", "esp")
    data_selector = ARRAY
    selected_by_default = False


class InboxPlacementAnalyticsStream(SubstreamStream):
    """Where each e-mail of a test has landed."""

    name = "inbox_placement_analytics"
    path = "/inbox-placement-analytics"
    required_scope = "inbox_placement_analytics:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    datetime_filter = DatetimeFilter("date_from", "date_to")
    lookback_window = timedelta(days=7)
    parents = BY_TEST_ID


class InboxPlacementStatsByTestStream(SubstreamStream):
    """Where the e-mails of a test have landed, counted."""

    name = "inbox_placement_stats_by_test"
    path = "/inbox-placement-analytics/stats-by-test-id"
    http_method = "POST"
    required_scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id",)
    data_selector = ARRAY
    parents = (
        ParentStreamConfig(
            InboxPlacementTestsStream,
            "test_id",
            request_param="test_ids",
            group_size=100,
        ),
    )


class InboxPlacementDeliverabilityInsightsStream(SubstreamStream):
    """Where the e-mails of a test have landed, by the providers at both ends."""

    name = "inbox_placement_deliverability_insights"
    path = "/inbox-placement-analytics/deliverability-insights"
    http_method = "POST"
    required_scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id", "sender_esp", "recipient_esp")
    data_selector = ARRAY
    parents = BY_TEST_ID


class InboxPlacementStatsByDateStream(SubstreamStream):
    """Where the e-mails of a test have landed, by day."""

    name = "inbox_placement_stats_by_date"
    path = "/inbox-placement-analytics/stats-by-date"
    http_method = "POST"
    required_scope = "inbox_placement_analytics:read"
    primary_keys = ("test_id", "timestamp_created_date")
    data_selector = ARRAY
    parents = BY_TEST_ID


class InboxPlacementReportsStream(SubstreamStream):
    """Spam filters' and block lists' opinion of a test's sender."""

    name = "inbox_placement_reports"
    path = "/inbox-placement-reports"
    required_scope = "inbox_placement_reports:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    datetime_filter = DatetimeFilter("date_from", "date_to")
    lookback_window = timedelta(days=7)
    parents = BY_TEST_ID


STREAMS = (
    InboxPlacementTestsStream,
    InboxPlacementESPOptionsStream,
    InboxPlacementAnalyticsStream,
    InboxPlacementStatsByTestStream,
    InboxPlacementDeliverabilityInsightsStream,
    InboxPlacementStatsByDateStream,
    InboxPlacementReportsStream,
)
