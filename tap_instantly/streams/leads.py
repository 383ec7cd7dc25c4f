"""Leads, the lists they are kept in and the labels they are given."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import OBJECT
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


class LeadListVerificationStatsStream(FanOutStream):
    """How many leads of a list have an address that can be written to."""

    name = "lead_list_verification_stats"
    path = "/lead-lists/{list_id}/verification-stats"
    scope = "lead_lists:read"
    primary_keys = ("list_id",)
    answer = OBJECT
    parents = (Parent(LeadListsStream),)
    stamp = "list_id"


class LeadsStream(InstantlyStream):
    """People who are written to: https://developer.instantly.ai/api-reference/lead/list-leads."""

    name = "leads"
    path = "/leads/list"
    method = "POST"
    scope = "leads:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    delay = timedelta(minutes=1)
