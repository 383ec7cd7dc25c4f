"""Subsequences, and what they come to."""

from __future__ import annotations

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import ARRAY, OBJECT
from tap_instantly.stream import InstantlyStream
from tap_instantly.streams.campaigns import CampaignsStream


class SubsequencesStream(InstantlyStream):
    """Sequences that leads of a campaign change over to."""

    name = "subsequences"
    path = "/subsequences"
    scope = "subsequences:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True


class SubsequenceAnalyticsStream(FanOutStream):
    """What the subsequences of a campaign have come to."""

    name = "subsequence_analytics"
    path = "/subsequences/analytics"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    answer = ARRAY
    parents = (Parent(CampaignsStream),)
    stamp = "campaign_id"
    sent_as = "campaign_id"


class SubsequenceAnalyticsStepsStream(FanOutStream):
    """What each variant of each step of a subsequence has come to."""

    name = "subsequence_analytics_steps"
    path = "/subsequences/{subsequence_id}/analytics/steps"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id", "step", "variant")
    answer = ARRAY
    parents = (Parent(SubsequencesStream),)
    stamp = "subsequence_id"
    blank_keys = ("step", "variant")


class SubsequenceSendingStatusStream(FanOutStream):
    """Why a subsequence sends, or does not."""

    name = "subsequence_sending_status"
    path = "/subsequences/{subsequence_id}/sending-status"
    scope = "subsequences:read"
    primary_keys = ("subsequence_id",)
    answer = OBJECT
    parents = (Parent(SubsequencesStream),)
    stamp = "subsequence_id"
