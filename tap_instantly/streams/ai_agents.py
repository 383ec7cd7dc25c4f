"""AI agents: salespeople, inbox managers, lead finders, deliverability."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.api.pages import ARRAY, ITEMS, OBJECT, RecordSelector
from tap_instantly.incremental import DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream


class AIAgentsStream(InstantlyStream):
    """Agents of all types."""

    name = "ai_agents"
    path = "/ai-agents"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


BY_SALES_AGENT = ParentStreamConfig(
    AIAgentsStream, "agent_id", types=frozenset({"2", "4", "7", "8", "9", "10"})
)


class PerSalesAgentStream(SubstreamStream):
    """A stream that is given for one sales agent at a time."""

    parents = (BY_SALES_AGENT,)


class PerInboxManagerStream(SubstreamStream):
    """A stream that is given for one inbox manager at a time."""

    parents = (ParentStreamConfig(AIAgentsStream, "agent_id", types=frozenset({"1"})),)


class AIAgentAnalyticsStream(SubstreamStream):
    """What an agent has reached."""

    name = "ai_agent_analytics"
    path = "/ai-agents/analytics"
    http_method = "POST"
    required_scope = "ai_agents:read"
    primary_keys = ("agent_id",)
    data_selector = RecordSelector("analytics")
    parents = (
        ParentStreamConfig(
            AIAgentsStream, "agent_id", request_param="agent_ids", group_size=100
        ),
    )


class AISalesAgentsStream(PerSalesAgentStream):
    """Sales agents with their settings."""

    name = "ai_sales_agents"
    path = "/ai-agents/sales/{agent_id}"
    required_scope = "ai_sdr:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    data_selector = OBJECT


class AISalesAgentActivitiesStream(PerSalesAgentStream):
    """What a sales agent has done or wants to do."""

    name = "ai_sales_agent_activities"
    path = "/ai-agents/sales/{agent_id}/activities"
    required_scope = "ai_sdr:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class AISalesAgentAnalyticsStream(PerSalesAgentStream):
    """What a sales agent has come to, in all and by day."""

    name = "ai_sales_agent_analytics"
    path = "/ai-agents/sales/{agent_id}/analytics"
    required_scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    data_selector = OBJECT


class AISalesAgentOpportunitiesStream(PerSalesAgentStream):
    """Opportunities that a sales agent has made, by campaign."""

    name = "ai_sales_agent_opportunities"
    path = "/ai-agents/sales/{agent_id}/opportunities/summary"
    required_scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    data_selector = OBJECT


class AISalesAgentLeadActivitySummaryStream(PerSalesAgentStream):
    """How many leads of a sales agent have answered."""

    name = "ai_sales_agent_lead_activity_summary"
    path = "/ai-agents/sales/{agent_id}/leads/activity/summary"
    required_scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    data_selector = OBJECT


class AISalesAgentLeadActivityStream(PerSalesAgentStream):
    """What has passed between a sales agent and a lead."""

    name = "ai_sales_agent_lead_activity"
    path = "/ai-agents/sales/{agent_id}/leads/activity"
    required_scope = "ai_sdr:read"
    primary_keys = ("agent_id", "email")


class AISalesAgentGuidanceRulesStream(PerSalesAgentStream):
    """Rules that a sales agent keeps to."""

    name = "ai_sales_agent_guidance_rules"
    path = "/ai-agents/sales/{agent_id}/guidance-rules"
    required_scope = "ai_sdr:read"
    primary_keys = ("agent_id", "id")
    data_selector = ITEMS


class AIInboxManagersStream(PerInboxManagerStream):
    """Inbox managers with their settings."""

    name = "ai_inbox_managers"
    path = "/ai-agents/inbox-manager/{agent_id}"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    data_selector = OBJECT
    params = (("with_metadata", "true"),)


class AIInboxManagerGuidancesStream(PerInboxManagerStream):
    """How an inbox manager is to answer."""

    name = "ai_inbox_manager_guidances"
    path = "/ai-agents/inbox-manager/{agent_id}/guidances"
    required_scope = "ai_agent_guidances:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class AIInboxManagerRepliesStream(PerInboxManagerStream):
    """Answers that an inbox manager has written."""

    name = "ai_inbox_manager_replies"
    path = "/ai-agents/inbox-manager/{agent_id}/replies"
    required_scope = "ai_sdr_replies:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback_window = timedelta(days=7)


class AIInboxManagerActivityStream(PerInboxManagerStream):
    """What an inbox manager has done."""

    name = "ai_inbox_manager_activity"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/activity"
    required_scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback_window = timedelta(days=7)


class AIInboxManagerSummaryStream(PerInboxManagerStream):
    """What an inbox manager has come to."""

    name = "ai_inbox_manager_summary"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/summary"
    required_scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("agent_id",)
    data_selector = OBJECT


class AIInboxManagerDailyStream(PerInboxManagerStream):
    """What an inbox manager has done on a day."""

    name = "ai_inbox_manager_daily"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/summary-by-date"
    required_scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("agent_id", "date")
    replication_key = "date"
    data_selector = ARRAY
    datetime_filter = DatetimeFilter("from", "to", step=31)


class AILeadFinderAgentsStream(InstantlyStream):
    """Agents that look for leads."""

    name = "ai_lead_finder_agents"
    path = "/ai-agents/lead-finder"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


class PerLeadFinderStream(SubstreamStream):
    """A stream that is given for one lead finder at a time."""

    parents = (ParentStreamConfig(AILeadFinderAgentsStream, "agent_id"),)


class AILeadFinderStatsStream(PerLeadFinderStream):
    """What a lead finder has come to."""

    name = "ai_lead_finder_stats"
    path = "/ai-agents/lead-finder/{agent_id}/stats"
    required_scope = "ai_agents:read"
    primary_keys = ("agent_id",)
    data_selector = OBJECT


class AILeadFinderActivitiesStream(PerLeadFinderStream):
    """What a lead finder has done."""

    name = "ai_lead_finder_activities"
    path = "/ai-agents/lead-finder/{agent_id}/activities"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback_window = timedelta(days=1)


class AIDeliverabilityAgentStream(InstantlyStream):
    """The agent that watches over where e-mails land, if there is one."""

    name = "ai_deliverability_agent"
    path = "/ai-agents/deliverability"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    data_selector = RecordSelector("agent", many=False)
    selected_by_default = False


class AIDeliverabilityFeedItemsStream(SubstreamStream):
    """What that agent has found, and what is to be done."""

    name = "ai_deliverability_feed_items"
    path = "/ai-agents/deliverability/{agent_id}/feed-items"
    required_scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    parents = (ParentStreamConfig(AIDeliverabilityAgentStream, "agent_id"),)


STREAMS = (
    AIAgentsStream,
    AIAgentAnalyticsStream,
    AISalesAgentsStream,
    AISalesAgentActivitiesStream,
    AISalesAgentAnalyticsStream,
    AISalesAgentOpportunitiesStream,
    AISalesAgentLeadActivitySummaryStream,
    AISalesAgentLeadActivityStream,
    AISalesAgentGuidanceRulesStream,
    AIInboxManagersStream,
    AIInboxManagerGuidancesStream,
    AIInboxManagerRepliesStream,
    AIInboxManagerActivityStream,
    AIInboxManagerSummaryStream,
    AIInboxManagerDailyStream,
    AILeadFinderAgentsStream,
    AILeadFinderStatsStream,
    AILeadFinderActivitiesStream,
    AIDeliverabilityAgentStream,
    AIDeliverabilityFeedItemsStream,
)
