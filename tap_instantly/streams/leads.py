"""Leads, the lists they are kept in and the labels they are given."""

from __future__ import annotations

import sys
import typing as t
from datetime import timedelta

from singer_sdk.exceptions import SingerSDKError

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import OBJECT
from tap_instantly.stream import InstantlyStream, Question
from tap_instantly.streams.campaigns import CampaignsStream

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Record

    from tap_instantly.incremental import Window
    from tap_instantly.pages import Page
    from tap_instantly.pagination import Sheet


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


class LeadsStream(FanOutStream):
    """People who are written to: https://developer.instantly.ai/api-reference/lead/list-leads.

    Instantly has them in one list, too, of which a page can be asked for only when the
    page before it is there. So those of each campaign and each list are asked for, and
    those that are in neither.
    """

    name = "leads"
    path = "/leads/list"
    method = "POST"
    scope = "leads:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    delay = timedelta(minutes=1)
    parents = (
        Parent(CampaignsStream, stamps={"sent_as": "campaign"}),
        Parent(LeadListsStream, stamps={"sent_as": "list_id"}),
    )
    stamp = "home"
    selected_by_default = True
    _homes: frozenset[str] = frozenset()

    @override
    def questions(self, window: Window) -> Iterator[Question]:
        try:
            questions = list(super().questions(window))
        except SingerSDKError as error:
            self.logger.warning(
                "%s: read as one long list, because campaigns or lists cannot be: %s",
                self.name,
                error,
            )
            yield Question(window, ({"home": "any", "sent_as": EVERYWHERE},))
            return
        self._homes = frozenset(one.parents[0]["home"] for one in questions)
        yield from questions
        yield Question(window, ({"home": "none", "sent_as": NEITHER},))

    @override
    def asked(self, question: Question) -> Record:
        (parent,) = question.parents
        if parent["sent_as"] == EVERYWHERE:
            return {}
        if parent["sent_as"] == NEITHER:
            return {"in_campaign": False, "in_list": False}
        return {parent["sent_as"]: parent["home"]}

    @override
    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        """Return the page as it is: a lead says itself where it is."""
        return page

    @override
    def _answer(self, question: Question) -> Iterator[tuple[Sheet, bool]]:
        """Yield the leads that no question before has brought."""
        before = BEFORE[question.parents[0]["sent_as"]]
        for sheet, is_settled in super()._answer(question):
            is_new = [
                not any(row.get(field) in self._homes for field in before)
                for row in sheet.rows
            ]
            yield sheet.only(is_new), is_settled


NEITHER, EVERYWHERE = "neither", "everywhere"

BEFORE: dict[str, tuple[str, ...]] = {
    "campaign": (),
    "list_id": ("campaign",),
    NEITHER: ("campaign", "list_id"),
    EVERYWHERE: (),
}
"""What has been asked for before a question, by how it is asked."""
