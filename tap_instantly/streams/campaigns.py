"""Campaigns, and what they come to."""

from __future__ import annotations

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ARRAY, OBJECT
from tap_instantly.stream import InstantlyStream


class CampaignsStream(InstantlyStream):
    """Campaigns with their schedule and their sequence of e-mails."""

    name = "campaigns"
    path = "/campaigns"
    scope = "campaigns:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class PerCampaignStream(FanOutStream):
    """A stream that is given for one campaign at a time."""

    parents = (Parent(CampaignsStream),)
    stamp = "campaign_id"


class CampaignAnalyticsStream(InstantlyStream):
    """What each campaign that has been launched has come to."""

    name = "campaign_analytics"
    path = "/campaigns/analytics"
    scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    answer = ARRAY


class CampaignAnalyticsOverviewStream(PerCampaignStream):
    """What a campaign has come to, with the meetings and sales."""

    name = "campaign_analytics_overview"
    path = "/campaigns/analytics/overview"
    scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    answer = OBJECT
    sent_as = "id"


class CampaignAnalyticsDailyStream(PerCampaignStream):
    """What a campaign has done on a day."""

    name = "campaign_analytics_daily"
    path = "/campaigns/analytics/daily"
    scope = "campaigns:read"
    primary_keys = ("campaign_id", "date")
    replication_key = "date"
    answer = ARRAY
    time_filter = TimeFilter("start_date", "end_date")
    sent_as = "campaign_id"


class CampaignAnalyticsStepsStream(PerCampaignStream):
    """What each variant of each step of a campaign has come to."""

    name = "campaign_analytics_steps"
    path = "/campaigns/analytics/steps"
    scope = "campaigns:read"
    primary_keys = ("campaign_id", "step", "variant")
    answer = ARRAY
    parameters = (("include_opportunities_count", "true"),)
    sent_as = "campaign_id"
    blank_keys = ("step", "variant")


class CampaignSendingStatusStream(PerCampaignStream):
    """Why a campaign sends, or does not."""

    name = "campaign_sending_status"
    path = "/campaigns/{campaign_id}/sending-status"
    scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    answer = OBJECT
