"""Leads, the lists they are kept in and the labels they are given."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.api.pages import OBJECT
from tap_instantly.reading.id_ordered_stream import IdOrderedStream
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream


class LeadLabelsStream(InstantlyStream):
    """https://developer.instantly.ai/api-reference/leadlabel/list-lead-label."""

    name = "lead_labels"
    path = "/lead-labels"
    required_scope = "lead-labels:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"


class LeadListsStream(InstantlyStream):
    """https://developer.instantly.ai/api-reference/leadlist/list-lead-list."""

    name = "lead_lists"
    path = "/lead-lists"
    required_scope = "lead_lists:read"  # with an underscore, unlike the labels'
    primary_keys = ("id",)
    replication_key = "timestamp_created"


class LeadListVerificationStatsStream(SubstreamStream):
    """How many leads of a list have an address that can be written to."""

    name = "lead_list_verification_stats"
    path = "/lead-lists/{list_id}/verification-stats"
    required_scope = "lead_lists:read"
    primary_keys = ("list_id",)
    data_selector = OBJECT
    parents = (ParentStreamConfig(LeadListsStream, "list_id"),)


class LeadsStream(IdOrderedStream):
    """People who are written to: https://developer.instantly.ai/api-reference/lead/list-leads."""

    name = "leads"
    path = "/leads/list"
    http_method = "POST"
    required_scope = "leads:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    indexing_lag = timedelta(minutes=1)


STREAMS = (
    LeadLabelsStream,
    LeadListsStream,
    LeadListVerificationStatsStream,
    LeadsStream,
)
