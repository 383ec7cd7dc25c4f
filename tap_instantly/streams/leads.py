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
    parents = (  # lists first, because leads are taken from them into campaigns
        Parent(LeadListsStream, stamps={"sent_as": "list_id"}),
        Parent(CampaignsStream, stamps={"sent_as": "campaign"}),
    )
    stamp = "home"
    selected_by_default = True
    _homes: dict[str, set[str]] | None = None

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
        else:
            self._homes = {"campaign": set(), "list_id": set()}
            for (parent,) in (question.parents for question in questions):
                self._homes[parent["sent_as"]].add(parent["home"])
            yield from questions
        yield Question(window)

    @override
    def asked(self, question: Question) -> Record:
        if question.parents:
            (parent,) = question.parents
            return {parent["sent_as"]: parent["home"]}
        return {} if self._homes is None else {"in_campaign": False, "in_list": False}

    @override
    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        """Return the page as it is: a lead says itself where it is."""
        return page

    @override
    def _answer(self, question: Question) -> Iterator[tuple[Sheet, bool]]:
        """Yield the leads that no other question brings."""
        elsewhere = self._elsewhere(question)
        for sheet, is_settled in super()._answer(question):
            is_own = [not self._is_in(row, elsewhere) for row in sheet.rows]
            yield sheet.only(is_own), is_settled

    def _elsewhere(self, question: Question) -> dict[str, set[str]]:
        """Return the campaigns and lists whose leads come with another question."""
        homes = self._homes or {}
        if not question.parents:
            return homes
        (parent,) = question.parents
        return {"list_id": homes["list_id"]} if parent["sent_as"] == "campaign" else {}

    def _is_in(self, row: Record, homes: dict[str, set[str]]) -> bool:
        """Tell whether a lead is in one of some campaigns and lists, and was before.

        One that has just come there may not be in that answer, so it comes twice.
        """
        if not any(str(row.get(field)) in homes[field] for field in homes):
            return False
        (changed,) = self._dates([row], self._key)
        return changed is None or changed < self._begun - self.delay
