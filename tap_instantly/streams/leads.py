"""Leads, the lists they are kept in and the labels they are given."""

from __future__ import annotations

from tap_instantly.stream import InstantlyStream


class LeadLabelsStream(InstantlyStream):
    """https://developer.instantly.ai/api-reference/leadlabel/list-lead-label."""

    name = "lead_labels"
    path = "/lead-labels"
    scope = "lead-labels:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"


class LeadListsStream(InstantlyStream):
    """https://developer.instantly.ai/api-reference/leadlist/list-lead-list."""

    name = "lead_lists"
    path = "/lead-lists"
    scope = "lead_lists:read"  # with an underscore, unlike the labels'
    primary_keys = ("id",)
    replication_key = "timestamp_created"
