"""AI agents: salespeople, inbox managers, lead finders, deliverability."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ARRAY, ITEMS, OBJECT, Answer
from tap_instantly.stream import InstantlyStream


class AIAgentsStream(InstantlyStream):
    """Agents of all types."""

    name = "ai_agents"
    path = "/ai-agents"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


class PerAgentStream(FanOutStream):
    """A stream that is given for one agent, or some, at a time."""

    parents = (Parent(AIAgentsStream),)
    stamp = "agent_id"


class PerSalesAgentStream(PerAgentStream):
    """A stream that is given for one sales agent at a time."""

    parents = (
        Parent(AIAgentsStream, types=frozenset({"2", "4", "7", "8", "9", "10"})),
    )


class PerInboxManagerStream(PerAgentStream):
    """A stream that is given for one inbox manager at a time."""

    parents = (Parent(AIAgentsStream, types=frozenset({"1"})),)


class AIAgentAnalyticsStream(PerAgentStream):
    """What an agent has reached."""

    name = "ai_agent_analytics"
    path = "/ai-agents/analytics"
    method = "POST"
    scope = "ai_agents:read"
    primary_keys = ("agent_id",)
    answer = Answer("analytics")
    sent_as = "agent_ids"
    batch = 100


class AISalesAgentsStream(PerSalesAgentStream):
    """Sales agents with their settings."""

    name = "ai_sales_agents"
    path = "/ai-agents/sales/{agent_id}"
    scope = "ai_sdr:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    answer = OBJECT


class AISalesAgentActivitiesStream(PerSalesAgentStream):
    """What a sales agent has done or wants to do."""

    name = "ai_sales_agent_activities"
    path = "/ai-agents/sales/{agent_id}/activities"
    scope = "ai_sdr:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class AISalesAgentAnalyticsStream(PerSalesAgentStream):
    """What a sales agent has come to, in all and by day."""

    name = "ai_sales_agent_analytics"
    path = "/ai-agents/sales/{agent_id}/analytics"
    scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    answer = OBJECT


class AISalesAgentOpportunitiesStream(PerSalesAgentStream):
    """Opportunities that a sales agent has made, by campaign."""

    name = "ai_sales_agent_opportunities"
    path = "/ai-agents/sales/{agent_id}/opportunities/summary"
    scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    answer = OBJECT


class AISalesAgentLeadActivitySummaryStream(PerSalesAgentStream):
    """How many leads of a sales agent have answered."""

    name = "ai_sales_agent_lead_activity_summary"
    path = "/ai-agents/sales/{agent_id}/leads/activity/summary"
    scope = "ai_sdr:read"
    primary_keys = ("agent_id",)
    answer = OBJECT


class AISalesAgentLeadActivityStream(PerSalesAgentStream):
    """What has passed between a sales agent and a lead."""

    name = "ai_sales_agent_lead_activity"
    path = "/ai-agents/sales/{agent_id}/leads/activity"
    scope = "ai_sdr:read"
    primary_keys = ("agent_id", "email")


class AISalesAgentGuidanceRulesStream(PerSalesAgentStream):
    """Rules that a sales agent keeps to."""

    name = "ai_sales_agent_guidance_rules"
    path = "/ai-agents/sales/{agent_id}/guidance-rules"
    scope = "ai_sdr:read"
    primary_keys = ("agent_id", "id")
    answer = ITEMS


class AIInboxManagersStream(PerInboxManagerStream):
    """Inbox managers with their settings."""

    name = "ai_inbox_managers"
    path = "/ai-agents/inbox-manager/{agent_id}"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    answer = OBJECT
    parameters = (("with_metadata", "true"),)


class AIInboxManagerGuidancesStream(PerInboxManagerStream):
    """How an inbox manager is to answer."""

    name = "ai_inbox_manager_guidances"
    path = "/ai-agents/inbox-manager/{agent_id}/guidances"
    scope = "ai_agent_guidances:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class AIInboxManagerRepliesStream(PerInboxManagerStream):
    """Answers that an inbox manager has written."""

    name = "ai_inbox_manager_replies"
    path = "/ai-agents/inbox-manager/{agent_id}/replies"
    scope = "ai_sdr_replies:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback = timedelta(days=7)


class AIInboxManagerActivityStream(PerInboxManagerStream):
    """What an inbox manager has done."""

    name = "ai_inbox_manager_activity"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/activity"
    scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback = timedelta(days=7)


class AIInboxManagerSummaryStream(PerInboxManagerStream):
    """What an inbox manager has come to."""

    name = "ai_inbox_manager_summary"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/summary"
    scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("agent_id",)
    answer = OBJECT


class AIInboxManagerDailyStream(PerInboxManagerStream):
    """What an inbox manager has done on a day."""

    name = "ai_inbox_manager_daily"
    path = "/ai-agents/inbox-manager/{agent_id}/analytics/summary-by-date"
    scope = "ai_inbox_manager_analytics:read"
    primary_keys = ("agent_id", "date")
    replication_key = "date"
    answer = ARRAY
    time_filter = TimeFilter("from", "to")


class AILeadFinderAgentsStream(InstantlyStream):
    """Agents that look for leads."""

    name = "ai_lead_finder_agents"
    path = "/ai-agents/lead-finder"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


class PerLeadFinderStream(PerAgentStream):
    """A stream that is given for one lead finder at a time."""

    parents = (Parent(AILeadFinderAgentsStream),)


class AILeadFinderStatsStream(PerLeadFinderStream):
    """What a lead finder has come to."""

    name = "ai_lead_finder_stats"
    path = "/ai-agents/lead-finder/{agent_id}/stats"
    scope = "ai_agents:read"
    primary_keys = ("agent_id",)
    answer = OBJECT


class AILeadFinderActivitiesStream(PerLeadFinderStream):
    """What a lead finder has done."""

    name = "ai_lead_finder_activities"
    path = "/ai-agents/lead-finder/{agent_id}/activities"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    lookback = timedelta(days=1)


class AIDeliverabilityAgentStream(InstantlyStream):
    """The agent that watches over where e-mails land, if there is one."""

    name = "ai_deliverability_agent"
    path = "/ai-agents/deliverability"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    answer = Answer("agent", many=False)
    selected_by_default = False


class AIDeliverabilityFeedItemsStream(PerAgentStream):
    """What that agent has found, and what is to be done."""

    name = "ai_deliverability_feed_items"
    path = "/ai-agents/deliverability/{agent_id}/feed-items"
    scope = "ai_agents:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    parents = (Parent(AIDeliverabilityAgentStream),)
