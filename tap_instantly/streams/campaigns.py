"""Campaigns, and what they come to."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from typing_extensions import override

from tap_instantly.api.errors import NotAllowedError
from tap_instantly.api.pages import ARRAY, OBJECT
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream
from tap_instantly.streams.ai_agents import BY_SALES_AGENT

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.incremental import TimeWindow
    from tap_instantly.reading.stream import ParentKeysByStream


class CampaignsStream(SubstreamStream):
    """Campaigns with their schedule and their sequence of e-mails.

    The list may lack the campaigns that AI sales agents have made. Those are listed
    agent by agent.
    """

    name = "campaigns"
    path = "/campaigns"
    required_scope = "campaigns:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    parents = (
        replace(
            BY_SALES_AGENT,
            partition_field="ai_sdr_id",
            request_param="ai_sales_agent_id",
        ),
    )
    has_overlaps = True
    selected_by_default = True

    @override
    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        yield Partition(window)
        try:
            for partition in super().generate_partitions(window, parent_keys):
                # The rows say themselves whose they are.
                yield replace(partition, path_params={}, fields={})
        except NotAllowedError as error:
            self._skip_agents("AI sales agents", error)

    @override
    def split(self, partition: Partition, error: Exception) -> list[Partition]:
        if partition.parent_keys and isinstance(error, NotAllowedError):
            self._skip_agents("an AI sales agent", error)
            return []
        return super().split(partition, error)

    def _skip_agents(self, whose: str, error: Exception) -> None:
        self.stats.skip(f"campaigns of {whose} ({error})")
        self.logger.info(
            "%s: without those of %s, which cannot be listed: %s",
            self.name,
            whose,
            error,
        )


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
