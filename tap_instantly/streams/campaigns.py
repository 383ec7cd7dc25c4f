"""Campaigns, and what they come to."""

from __future__ import annotations

from tap_instantly.api.pages import ARRAY, OBJECT
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream


class CampaignsStream(InstantlyStream):
    """Campaigns with their schedule and their sequence of e-mails."""

    name = "campaigns"
    path = "/campaigns"
    required_scope = "campaigns:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


BY_CAMPAIGN_ID = (
    ParentStreamConfig(CampaignsStream, "campaign_id", request_param="campaign_id"),
)


class CampaignAnalyticsStream(InstantlyStream):
    """What each campaign that has been launched has come to."""

    name = "campaign_analytics"
    path = "/campaigns/analytics"
    required_scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    data_selector = ARRAY


class CampaignAnalyticsOverviewStream(SubstreamStream):
    """What a campaign has come to, with the meetings and sales."""

    name = "campaign_analytics_overview"
    path = "/campaigns/analytics/overview"
    required_scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    data_selector = OBJECT
    parents = (ParentStreamConfig(CampaignsStream, "campaign_id", request_param="id"),)


class CampaignAnalyticsDailyStream(SubstreamStream):
    """What a campaign has done on a day."""

    name = "campaign_analytics_daily"
    path = "/campaigns/analytics/daily"
    required_scope = "campaigns:read"
    primary_keys = ("campaign_id", "date")
    replication_key = "date"
    data_selector = ARRAY
    datetime_filter = DatetimeFilter("start_date", "end_date", step=31)
    parents = BY_CAMPAIGN_ID


class CampaignAnalyticsStepsStream(SubstreamStream):
    """What each variant of each step of a campaign has come to."""

    name = "campaign_analytics_steps"
    path = "/campaigns/analytics/steps"
    required_scope = "campaigns:read"
    primary_keys = ("campaign_id", "step", "variant")
    data_selector = ARRAY
    params = (("include_opportunities_count", "true"),)
    parents = BY_CAMPAIGN_ID
    blank_keys = ("step", "variant")


class CampaignSendingStatusStream(SubstreamStream):
    """Why a campaign sends, or does not."""

    name = "campaign_sending_status"
    path = "/campaigns/{campaign_id}/sending-status"
    required_scope = "campaigns:read"
    primary_keys = ("campaign_id",)
    data_selector = OBJECT
    parents = (ParentStreamConfig(CampaignsStream, "campaign_id"),)


STREAMS = (
    CampaignsStream,
    CampaignAnalyticsStream,
    CampaignAnalyticsOverviewStream,
    CampaignAnalyticsDailyStream,
    CampaignAnalyticsStepsStream,
    CampaignSendingStatusStream,
)
