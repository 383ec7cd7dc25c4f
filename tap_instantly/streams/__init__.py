"""The streams, a module for each family of the API."""

from tap_instantly.streams import (
    accounts,
    ai_agents,
    campaigns,
    emails,
    inbox_placement,
    leads,
    orders,
    subsequences,
    supersearch,
    tags,
    webhooks,
    workspace,
)

STREAMS = (
    *leads.STREAMS,
    *campaigns.STREAMS,
    *accounts.STREAMS,
    *subsequences.STREAMS,
    *inbox_placement.STREAMS,
    *workspace.STREAMS,
    *tags.STREAMS,
    *webhooks.STREAMS,
    *orders.STREAMS,
    *supersearch.STREAMS,
    *ai_agents.STREAMS,
    *emails.STREAMS,
)
"""All streams, by family."""
