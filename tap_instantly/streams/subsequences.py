"""Subsequences, and what they come to."""

from __future__ import annotations

from tap_instantly.api.pages import ARRAY, OBJECT
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream
from tap_instantly.streams.campaigns import BY_CAMPAIGN_ID


class SubsequencesStream(InstantlyStream):
    """Sequences that leads of a campaign change over to."""

    name = "subsequences"
    path = "/subsequences"
    required_scope = "subsequences:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    full_table_by_default = True


class PerSubsequenceStream(SubstreamStream):
    """A stream that is given for one subsequence at a time."""

    parents = (ParentStreamConfig(SubsequencesStream, "subsequence_id"),)


class SubsequenceAnalyticsStream(SubstreamStream):
    """What the subsequences of a campaign have come to."""

    name = "subsequence_analytics"
    path = "/subsequences/analytics"
    required_scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    data_selector = ARRAY
    parents = BY_CAMPAIGN_ID


class SubsequenceAnalyticsStepsStream(PerSubsequenceStream):
    """What each variant of each step of a subsequence has come to."""

    name = "subsequence_analytics_steps"
    path = "/subsequences/{subsequence_id}/analytics/steps"
    required_scope = "subsequences:read"
    primary_keys = ("subsequence_id", "step", "variant")
    data_selector = ARRAY
    blank_keys = ("step", "variant")


class SubsequenceSendingStatusStream(PerSubsequenceStream):
    """Why a subsequence sends, or does not."""

    name = "subsequence_sending_status"
    path = "/subsequences/{subsequence_id}/sending-status"
    required_scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    data_selector = OBJECT


STREAMS = (
    SubsequencesStream,
    SubsequenceAnalyticsStream,
    SubsequenceAnalyticsStepsStream,
    SubsequenceSendingStatusStream,
)
