"""Subsequences, and what they come to."""

from __future__ import annotations

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import ARRAY, OBJECT
from tap_instantly.stream import InstantlyStream
from tap_instantly.streams.campaigns import PerCampaignStream


class SubsequencesStream(InstantlyStream):
    """Sequences that leads of a campaign change over to."""

    name = "subsequences"
    path = "/subsequences"
    scope = "subsequences:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True


class PerSubsequenceStream(FanOutStream):
    """A stream that is given for one subsequence at a time."""

    parents = (Parent(SubsequencesStream),)
    stamp = "subsequence_id"


class SubsequenceAnalyticsStream(PerCampaignStream):
    """What the subsequences of a campaign have come to."""

    name = "subsequence_analytics"
    path = "/subsequences/analytics"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    answer = ARRAY
    sent_as = "campaign_id"


class SubsequenceAnalyticsStepsStream(PerSubsequenceStream):
    """What each variant of each step of a subsequence has come to."""

    name = "subsequence_analytics_steps"
    path = "/subsequences/{subsequence_id}/analytics/steps"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id", "step", "variant")
    answer = ARRAY
    blank_keys = ("step", "variant")


class SubsequenceSendingStatusStream(PerSubsequenceStream):
    """Why a subsequence sends, or does not."""

    name = "subsequence_sending_status"
    path = "/subsequences/{subsequence_id}/sending-status"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    answer = OBJECT
