"""All families of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.accounts import Accounts
from tap_instantly.sandbox.families.ai_agents import AiAgents
from tap_instantly.sandbox.families.ai_deliverability import AiDeliverability
from tap_instantly.sandbox.families.ai_inbox_managers import AiInboxManagers
from tap_instantly.sandbox.families.ai_lead_finders import AiLeadFinders
from tap_instantly.sandbox.families.ai_sales_agents import AiSalesAgents
from tap_instantly.sandbox.families.audit_logs import AuditLogs
from tap_instantly.sandbox.families.background_jobs import BackgroundJobs
from tap_instantly.sandbox.families.block_list import BlockList
from tap_instantly.sandbox.families.campaigns import Campaigns
from tap_instantly.sandbox.families.custom_tags import CustomTags
from tap_instantly.sandbox.families.domain_orders import DomainOrders
from tap_instantly.sandbox.families.email_messages import EmailMessages
from tap_instantly.sandbox.families.inbox_placement_results import InboxPlacementResults
from tap_instantly.sandbox.families.inbox_placement_tests import InboxPlacementTests
from tap_instantly.sandbox.families.lead_labels import LeadLabels
from tap_instantly.sandbox.families.lead_lists import LeadLists
from tap_instantly.sandbox.families.leads import Leads
from tap_instantly.sandbox.families.subsequences import Subsequences
from tap_instantly.sandbox.families.supersearch import SuperSearch
from tap_instantly.sandbox.families.webhooks import Webhooks
from tap_instantly.sandbox.families.workspace_admin import WorkspaceAdmin

if TYPE_CHECKING:
    from tap_instantly.sandbox.families.workspace import Workspace
    from tap_instantly.sandbox.store.api import Endpoint


def endpoints_of(workspace: Workspace) -> list[Endpoint]:
    """Give a workspace the tables of all families, and return what they answer."""
    endpoints: list[Endpoint] = []
    for family in (
        LeadLabels,
        LeadLists,
        Accounts,
        Campaigns,
        Subsequences,
        Leads,
        EmailMessages,
        CustomTags,
        InboxPlacementTests,
        InboxPlacementResults,
        WorkspaceAdmin,
        BlockList,
        BackgroundJobs,
        AuditLogs,
        Webhooks,
        DomainOrders,
        AiAgents,
        AiSalesAgents,
        AiInboxManagers,
        AiLeadFinders,
        AiDeliverability,
        SuperSearch,
    ):
        member = family(workspace)
        workspace.tables |= member.tables
        endpoints += member.endpoints()
    return endpoints
