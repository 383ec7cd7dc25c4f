"""Leads, the lists they are kept in and the labels they are given."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from singer_sdk.exceptions import SingerSDKError
from typing_extensions import override

from tap_instantly.api.pages import OBJECT
from tap_instantly.incremental import parse_timestamp
from tap_instantly.reading.partition import Partition
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream
from tap_instantly.streams.campaigns import CampaignsStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Record

    from tap_instantly.incremental import TimeWindow
    from tap_instantly.reading.stream import ParentKeysByStream


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


@dataclass(frozen=True)
class LeadsPartition(Partition):
    """The leads of a campaign or a list, or of neither.

    Attributes:
        claimed_elsewhere: The ids of containers that have partitions of their own, by
            the field of a lead that names its container.
    """

    claimed_elsewhere: Mapping[str, frozenset[str]] = field(default_factory=dict)


class LeadsStream(SubstreamStream):
    """People who are written to: https://developer.instantly.ai/api-reference/lead/list-leads.

    Instantly has them in one list, too, of which a page can be requested only when the
    page before it is there. So the leads of each campaign and of each list are read,
    and those that are in neither.
    """

    name = "leads"
    path = "/leads/list"
    http_method = "POST"
    required_scope = "leads:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    indexing_lag = timedelta(minutes=1)
    parents = (  # lists first, because leads are taken from them into campaigns
        ParentStreamConfig(LeadListsStream, "list_id", request_param="list_id"),
        ParentStreamConfig(CampaignsStream, "campaign", request_param="campaign"),
    )
    selected_by_default = True

    @override
    def generate_partitions(
        self, window: TimeWindow, parent_keys: ParentKeysByStream
    ) -> Iterator[Partition]:
        try:
            lists, campaigns = (
                frozenset(parent.keys(parent_keys[parent.stream]))
                for parent in self.parents
            )
            partitions = list(super().generate_partitions(window, parent_keys))
        except SingerSDKError as error:
            self.logger.warning(
                "%s: read as one long list, because campaigns or lists cannot be: %s",
                self.name,
                error,
            )
            yield Partition(window)
            return
        for partition in partitions:
            is_campaign = "campaign" in partition.params
            claimed = {"list_id": lists} if is_campaign else {}
            yield LeadsPartition(
                window,
                partition.parent_keys,
                partition.params,
                claimed_elsewhere=claimed,
            )
        yield LeadsPartition(
            window,
            params={"in_campaign": False, "in_list": False},
            claimed_elsewhere={"campaign": campaigns, "list_id": lists},
        )

    @override
    def select_rows(self, rows: list[Record], partition: Partition) -> list[bool]:
        if not isinstance(partition, LeadsPartition):
            return super().select_rows(rows, partition)
        return [not self._is_claimed(row, partition) for row in rows]

    def _is_claimed(self, row: Record, partition: LeadsPartition) -> bool:
        """Tell whether another partition brings a lead.

        A lead that has just come into a container may not be in its list yet, so both
        partitions bring it.
        """
        claimed = partition.claimed_elsewhere
        if not any(str(row.get(name)) in claimed[name] for name in claimed):
            return False
        updated = row.get("timestamp_updated")
        latest = self.run_begin - self.indexing_lag
        try:
            return updated is None or parse_timestamp(updated) < latest
        except (TypeError, ValueError):  # the conformer says what is wrong
            return False


STREAMS = (
    LeadLabelsStream,
    LeadListsStream,
    LeadListVerificationStatsStream,
    LeadsStream,
)
