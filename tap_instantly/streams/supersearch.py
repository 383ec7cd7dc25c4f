"""SuperSearch enrichments: what is looked up of leads."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from typing_extensions import override

from tap_instantly.api.pages import ARRAY, OBJECT, PAGED_ARRAY
from tap_instantly.reading.paginators import OffsetPaginator
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream
from tap_instantly.streams.campaigns import CampaignsStream
from tap_instantly.streams.leads import LeadListsStream

if t.TYPE_CHECKING:
    from tap_instantly.api.pages import Page
    from tap_instantly.reading.partition import Partition


class PerListOrCampaignStream(SubstreamStream):
    """A stream that is given for one list or campaign at a time."""

    parents = (
        ParentStreamConfig(
            LeadListsStream, "resource_id", extra_fields={"resource_type": 2}
        ),
        ParentStreamConfig(
            CampaignsStream, "resource_id", extra_fields={"resource_type": 1}
        ),
    )


class SuperSearchEnrichmentsStream(PerListOrCampaignStream):
    """What is looked up of the leads of a list or campaign."""

    name = "supersearch_enrichments"
    path = "/supersearch-enrichment/{resource_id}"
    required_scope = "supersearch_enrichments:read"
    primary_keys = ("resource_id",)
    data_selector = OBJECT
    optional_404 = True


class SuperSearchAIEnrichmentsStream(SubstreamStream):
    """What AI is looking up of the leads of a list or campaign."""

    name = "supersearch_ai_enrichments"
    path = "/supersearch-enrichment/ai/{resource_id}/in-progress"
    required_scope = "supersearch_enrichments:read"
    primary_keys = ("id",)
    data_selector = ARRAY
    parents = (  # the type as text, because Instantly writes words as well
        ParentStreamConfig(
            LeadListsStream, "resource_id", extra_fields={"resource_type": "2"}
        ),
        ParentStreamConfig(
            CampaignsStream, "resource_id", extra_fields={"resource_type": "1"}
        ),
    )


class SuperSearchEnrichmentHistoryStream(PerListOrCampaignStream):
    """What has been looked up of the leads of a list or campaign.

    Instantly does not document what an entry looks like, so each is passed on as it is.
    """

    name = "supersearch_enrichment_history"
    path = "/supersearch-enrichment/history/{resource_id}"
    required_scope = "supersearch_enrichments:read"
    primary_keys = ("resource_id", "position")
    data_selector = PAGED_ARRAY
    paginator_class = OffsetPaginator

    @override
    def transform_page(
        self, page: Page, partition: Partition, cursor: str | None
    ) -> Page:
        """Number the entries, which have no name of their own."""
        rows = [
            {"position": position, "entry": entry}
            for position, entry in enumerate(page.rows, start=int(cursor or 0))
        ]
        return super().transform_page(replace(page, rows=rows), partition, cursor)


STREAMS = (
    SuperSearchEnrichmentsStream,
    SuperSearchAIEnrichmentsStream,
    SuperSearchEnrichmentHistoryStream,
)
