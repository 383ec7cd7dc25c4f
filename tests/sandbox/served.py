"""The endpoints of all streams, and a valid request to each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

ENDPOINTS = {
    "lead_labels": ("GET", "/lead-labels"),
    "lead_lists": ("GET", "/lead-lists"),
    "lead_list_verification_stats": ("GET", "/lead-lists/{list}/verification-stats"),
    "campaigns": ("GET", "/campaigns"),
    "campaign_analytics": ("GET", "/campaigns/analytics"),
    "campaign_analytics_overview": ("GET", "/campaigns/analytics/overview"),
    "campaign_analytics_daily": ("GET", "/campaigns/analytics/daily"),
    "campaign_analytics_steps": ("GET", "/campaigns/analytics/steps"),
    "campaign_sending_status": ("GET", "/campaigns/{campaign}/sending-status"),
    "accounts": ("GET", "/accounts"),
    "account_details": ("GET", "/accounts/{mailbox}"),
    "account_analytics_daily": ("GET", "/accounts/analytics/daily"),
    "warmup_analytics": ("POST", "/accounts/warmup-analytics"),
    "account_campaign_mappings": ("GET", "/account-campaign-mappings/{mailbox}"),
    "emails": ("GET", "/emails"),
    "inbox_placement_tests": ("GET", "/inbox-placement-tests"),
    "inbox_placement_esp_options": (
        "GET",
        "/inbox-placement-tests/email-service-provider-options",
    ),
    "inbox_placement_analytics": ("GET", "/inbox-placement-analytics"),
    "inbox_placement_stats_by_test": (
        "POST",
        "/inbox-placement-analytics/stats-by-test-id",
    ),
    "inbox_placement_deliverability_insights": (
        "POST",
        "/inbox-placement-analytics/deliverability-insights",
    ),
    "inbox_placement_stats_by_date": (
        "POST",
        "/inbox-placement-analytics/stats-by-date",
    ),
    "inbox_placement_reports": ("GET", "/inbox-placement-reports"),
    "api_keys": ("GET", "/api-keys"),
    "leads": ("POST", "/leads/list"),
    "background_jobs": ("GET", "/background-jobs"),
    "custom_tags": ("GET", "/custom-tags"),
    "custom_tag_mappings": ("GET", "/custom-tag-mappings"),
    "block_list_entries": ("GET", "/block-lists-entries"),
    "workspace": ("GET", "/workspaces/current"),
    "workspace_whitelabel_domain": ("GET", "/workspaces/current/whitelabel-domain"),
    "supersearch_enrichments": ("GET", "/supersearch-enrichment/{list}"),
    "supersearch_ai_enrichments": (
        "GET",
        "/supersearch-enrichment/ai/{list}/in-progress",
    ),
    "supersearch_enrichment_history": ("GET", "/supersearch-enrichment/history/{list}"),
    "workspace_group_members": ("GET", "/workspace-group-members"),
    "workspace_members": ("GET", "/workspace-members"),
    "subsequences": ("GET", "/subsequences"),
    "subsequence_analytics": ("GET", "/subsequences/analytics"),
    "subsequence_analytics_steps": (
        "GET",
        "/subsequences/{subsequence}/analytics/steps",
    ),
    "subsequence_sending_status": (
        "GET",
        "/subsequences/{subsequence}/sending-status",
    ),
    "audit_logs": ("GET", "/audit-logs"),
    "webhooks": ("GET", "/webhooks"),
    "webhook_event_types": ("GET", "/webhooks/event-types"),
    "webhook_events": ("GET", "/webhook-events"),
    "webhook_events_daily_summary": ("GET", "/webhook-events/summary-by-date"),
    "dfy_email_account_orders": ("GET", "/dfy-email-account-orders"),
    "dfy_email_account_order_accounts": ("GET", "/dfy-email-account-orders/accounts"),
    "domain_forwarding": ("GET", "/domains/{domain}/forwarding"),
    "crm_phone_numbers": ("GET", "/crm-actions/phone-numbers"),
    "workspace_billing_plan_details": ("GET", "/workspace-billing/plan-details"),
    "workspace_billing_subscriptions": (
        "GET",
        "/workspace-billing/subscription-details",
    ),
    "ai_agents": ("GET", "/ai-agents"),
    "ai_agent_analytics": ("POST", "/ai-agents/analytics"),
    "ai_sales_agents": ("GET", "/ai-agents/sales/{sales}"),
    "ai_sales_agent_activities": ("GET", "/ai-agents/sales/{sales}/activities"),
    "ai_sales_agent_analytics": ("GET", "/ai-agents/sales/{sales}/analytics"),
    "ai_sales_agent_opportunities": (
        "GET",
        "/ai-agents/sales/{sales}/opportunities/summary",
    ),
    "ai_sales_agent_lead_activity_summary": (
        "GET",
        "/ai-agents/sales/{sales}/leads/activity/summary",
    ),
    "ai_sales_agent_lead_activity": (
        "GET",
        "/ai-agents/sales/{sales}/leads/activity",
    ),
    "ai_sales_agent_guidance_rules": (
        "GET",
        "/ai-agents/sales/{sales}/guidance-rules",
    ),
    "ai_inbox_managers": ("GET", "/ai-agents/inbox-manager/{manager}"),
    "ai_inbox_manager_guidances": (
        "GET",
        "/ai-agents/inbox-manager/{manager}/guidances",
    ),
    "ai_inbox_manager_replies": ("GET", "/ai-agents/inbox-manager/{manager}/replies"),
    "ai_inbox_manager_activity": (
        "GET",
        "/ai-agents/inbox-manager/{manager}/analytics/activity",
    ),
    "ai_inbox_manager_summary": (
        "GET",
        "/ai-agents/inbox-manager/{manager}/analytics/summary",
    ),
    "ai_inbox_manager_daily": (
        "GET",
        "/ai-agents/inbox-manager/{manager}/analytics/summary-by-date",
    ),
    "ai_lead_finder_agents": ("GET", "/ai-agents/lead-finder"),
    "ai_lead_finder_stats": ("GET", "/ai-agents/lead-finder/{finder}/stats"),
    "ai_lead_finder_activities": ("GET", "/ai-agents/lead-finder/{finder}/activities"),
    "ai_deliverability_agent": ("GET", "/ai-agents/deliverability"),
    "ai_deliverability_feed_items": (
        "GET",
        "/ai-agents/deliverability/{deliverability}/feed-items",
    ),
}
"""What each stream reads; `{name}` stands for the id or address of a row."""

SALES, MANAGER, FINDER = 2, 1, 3


def send(
    sandbox: Sandbox, method: str, path: str, /, **fields: Any
) -> requests.Response:
    """Send a request with the fields in the query, or in the body of a POST."""
    sent: dict[str, Any] = {"params" if method == "GET" else "json": fields}
    return requests.request(
        method,
        sandbox.url + path,
        headers={"Authorization": f"Bearer {sandbox.key}"},
        timeout=20,
        **sent,
    )


def request_for(sandbox: Sandbox, stream: str) -> tuple[str, str, dict[str, Any]]:
    """Return the method, the path and the parameters that read a stream."""
    method, path = ENDPOINTS[stream]
    if stream.startswith("supersearch"):
        return method, enriched(sandbox, path), {}
    if "{" in path:
        known = {name: quote(value, safe="") for name, value in rows(sandbox).items()}
        path = path.format_map(known)
    return method, path, required(sandbox).get(stream, {})


def enriched(sandbox: Sandbox, path: str) -> str:
    """Return the path of a lead list about which there is something to say."""
    paths = (path.format(list=row["id"]) for row in sandbox.lists.rows)
    answers = ((one, send(sandbox, "GET", one)) for one in paths)
    return next(one for one, answer in answers if answer.ok and answer.json())


def rows(sandbox: Sandbox) -> dict[str, str]:
    """Return a row for each placeholder."""
    tables = sandbox.tables
    agents = {row["type"]: row["id"] for row in tables["ai_agents"].rows}
    body = send(sandbox, "GET", "/ai-agents/deliverability").json()
    return {
        "list": sandbox.lists.rows[0]["id"],
        "campaign": sender(sandbox),
        "mailbox": tables["accounts"].rows[0]["email"],
        "subsequence": tables["subsequences"].rows[0]["id"],
        "domain": tables["dfy_email_account_orders"].rows[0]["domain"],
        "sales": agents[SALES],
        "manager": agents[MANAGER],
        "finder": tables["ai_lead_finder_agents"].rows[0]["id"],
        "deliverability": body["agent"]["id"],
    }


def required(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return what must be given to the endpoints of some streams."""
    tables = sandbox.tables
    mailboxes = [row["email"] for row in tables["accounts"].rows]
    test = tables["inbox_placement_analytics"].rows[0]["test_id"]
    reported = tables["inbox_placement_reports"].rows[0]["test_id"]
    agents = [row["id"] for row in tables["ai_agents"].rows]
    campaign = tables["subsequences"].rows[0]["parent_campaign"]
    return {
        "account_analytics_daily": {"emails": mailboxes},
        "warmup_analytics": {"emails": mailboxes},
        "inbox_placement_analytics": {"test_id": test},
        "inbox_placement_reports": {"test_id": reported},
        "inbox_placement_stats_by_test": {"test_ids": [test]},
        "inbox_placement_deliverability_insights": {"test_id": test},
        "inbox_placement_stats_by_date": {"test_id": test},
        "subsequence_analytics": {"campaign_id": campaign},
        "ai_agent_analytics": {"agent_ids": agents},
    }


def sender(sandbox: Sandbox) -> str:
    """Return the id of a campaign that has sent."""
    campaign: str = sandbox.tables["emails"].rows[0]["campaign_id"]
    return campaign
