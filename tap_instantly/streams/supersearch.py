"""SuperSearch enrichments: what is looked up of leads."""

from __future__ import annotations

import json
import sys
import typing as t
from functools import cached_property

from tap_instantly.errors import StuckError
from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import ARRAY, OBJECT, Page
from tap_instantly.pagination import PAGE_SIZE
from tap_instantly.streams.campaigns import CampaignsStream
from tap_instantly.streams.leads import LeadListsStream

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Record

    from tap_instantly.stream import Question


class PerListOrCampaignStream(FanOutStream):
    """A stream that is given for one list or campaign at a time."""

    parents = (
        Parent(LeadListsStream, stamps={"resource_type": 2}),
        Parent(CampaignsStream, stamps={"resource_type": 1}),
    )
    stamp = "resource_id"


class SuperSearchEnrichmentsStream(PerListOrCampaignStream):
    """What is looked up of the leads of a list or campaign."""

    name = "supersearch_enrichments"
    path = "/supersearch-enrichment/{resource_id}"
    scope = "supersearch_enrichments:read"
    primary_keys = ("resource_id",)
    answer = OBJECT


class SuperSearchAIEnrichmentsStream(PerListOrCampaignStream):
    """What AI is looking up of the leads of a list or campaign."""

    name = "supersearch_ai_enrichments"
    path = "/supersearch-enrichment/ai/{resource_id}/in-progress"
    scope = "supersearch_enrichments:read"
    primary_keys = ("id",)
    answer = ARRAY
    parents = (  # as text, because Instantly writes words as well
        Parent(LeadListsStream, stamps={"resource_type": "2"}),
        Parent(CampaignsStream, stamps={"resource_type": "1"}),
    )


class SuperSearchEnrichmentHistoryStream(PerListOrCampaignStream):
    """What has been looked up of the leads of a list or campaign.

    Instantly does not document what an entry looks like, so each is passed on as it is.
    """

    name = "supersearch_enrichment_history"
    path = "/supersearch-enrichment/history/{resource_id}"
    scope = "supersearch_enrichments:read"
    primary_keys = ("resource_id", "position")
    answer = ARRAY

    @override
    def paging(self, cursor: str | None) -> Record:
        """Return how many entries are to be passed over, and how many wanted."""
        return {"offset": int(cursor or 0), "limit": PAGE_SIZE}

    @override
    def unfold(self, page: Page, question: Question, cursor: str | None) -> Page:
        """Count the entries, which have no name of their own."""
        first = int(cursor or 0)
        following = str(first + len(page.rows)) if page.rows else None
        self._see_that_it_moves(page, question, following)
        rows = [
            {"position": position, "entry": entry}
            for position, entry in enumerate(page.rows, start=first)
        ]
        return super().unfold(Page(rows, following), question, cursor)

    def _see_that_it_moves(
        self, page: Page, question: Question, following: str | None
    ) -> None:
        """Stop at a full page that has come before: it would come for ever."""
        text = json.dumps([question.parents, page.rows], sort_keys=True)
        if len(page.rows) >= PAGE_SIZE and hash(text) in self._seen:
            raise StuckError(following)
        self._seen.add(hash(text))

    @cached_property
    def _seen(self) -> set[int]:
        return set()
