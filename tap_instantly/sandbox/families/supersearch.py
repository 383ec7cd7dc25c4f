"""What enriches the leads of a list or a campaign."""

from __future__ import annotations

from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Endpoint, NotFoundError, Row
from tap_instantly.sandbox.store.draws import NEWEST, Draw

LONGEST_HISTORY = 130
"""The runs of the first campaign; all others have a few."""
DEFAULT_LIMIT = 10

_CAMPAIGN, _LIST = 1, 2
_WORDS = {_CAMPAIGN: "CAMPAIGN", _LIST: "LIST"}
_COLUMNS = ("icebreaker", "industry_guess", "pain_point", "tone")
_ENRICHMENTS = WORDS["enrichments"]
_STATES = ("completed", "completed", "completed", "failed", "in_progress")


class SuperSearch(Family):
    """Enrichments of lead lists and campaigns.

    Nothing has an enrichment by itself: of what is asked for, one part answers 404,
    one says that nothing exists, and the rest is enriched.
    """

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/supersearch-enrichment"
        history = f"{base}/history/{{resource_id}}"
        return [
            api.get(f"{base}/{{resource_id}}", self._enrichment),
            api.get(f"{base}/ai/{{resource_id}}/in-progress", self._under_way),
            api.get(history, self._history, offset=api.NUMBER, limit=api.NUMBER),
        ]

    def _kind(self, call: Call) -> tuple[str, int]:
        """Return the id asked for and whether it is a campaign or a list."""
        identity = call.path["resource_id"]
        if identity in self._workspace.tables["campaigns"]:
            return identity, _CAMPAIGN
        if identity in self._workspace.tables["lead_lists"]:
            return identity, _LIST
        raise NotFoundError

    def _draw(self, purpose: str, identity: str) -> tuple[Draw, int]:
        """Return drawn numbers, and 0 to 2: no row, an empty one, an enrichment."""
        known = self._workspace.draw("enriched", identity).below(4)
        return self._workspace.draw(purpose, identity), min(known, 2)

    def _enrichment(self, call: Call) -> Row:
        identity, kind = self._kind(call)
        draw, known = self._draw("enrichment", identity)
        if known == 0:
            raise NotFoundError
        if known == 1:
            return {
                "resource_id": identity,
                "exists": False,
                "enrichment_payload": {},
            }
        payload: Row = {
            name: draw.once_in(2) for name in _ENRICHMENTS if not draw.once_in(3)
        }
        payload["limit"] = 100 * (1 + draw.below(20))
        if draw.once_in(2):
            payload["ai_enrichment"] = {
                "output_column": draw.of(_COLUMNS),
                "prompt": "Write one friendly sentence about {{companyName}}.",
            }
        row: Row = {
            "resource_id": identity,
            "exists": True,
            "in_progress": draw.once_in(4),
            "enrichment_payload": payload,
        }
        if draw.once_in(3):
            row["has_no_leads"] = draw.once_in(4)
        if kind == _LIST:
            row["auto_update"] = draw.once_in(2)
            row["is_evergreen"] = draw.once_in(5)
            row["search_filters"] = {"locations": [{"country": "Germany"}]}
        return row

    def _under_way(self, call: Call) -> list[Row]:
        """Answer with the AI enrichments that are running."""
        identity, kind = self._kind(call)
        draw, known = self._draw("ai enrichment", identity)
        count = draw.below(3) if known > 1 else 0
        wordy = draw.once_in(2)
        return [
            {
                "id": self._workspace.draw("ai enrichment", identity, number).uuid4(),
                "organization_id": self._workspace.organization,
                "resource_id": identity,
                "resource_type": _WORDS[kind] if wordy else kind,
                "output_column": _COLUMNS[(draw.below(2) + number) % len(_COLUMNS)],
                "status": draw.of((1, 2)),
            }
            for number in range(count)
        ]

    def _history(self, call: Call) -> list[Row]:
        """Answer with past runs, newest first, as objects without documented form."""
        identity, kind = self._kind(call)
        draw, known = self._draw("history", identity)
        if identity in self._workspace.campaign_ids[:1]:
            count = LONGEST_HISTORY
        else:
            count = draw.below(6) if known > 1 else 0
        first = _number(call.one("offset"), 0)
        last = min(count, first + _number(call.one("limit"), DEFAULT_LIMIT))
        return [self._run(identity, kind, number) for number in range(first, last)]

    def _run(self, identity: str, kind: int, number: int) -> Row:
        draw = self._workspace.draw("run", identity, number)
        row: Row = {
            "resource_id": identity,
            "resource_type": kind,
            "type": draw.of(_ENRICHMENTS),
            "status": draw.of(_STATES),
            "leads": draw.below(500),
            "timestamp_created": timestamps.write(
                NEWEST
                - number * timestamps.DAY
                - draw.below(20 * 3600) * timestamps.SECOND
            ),
        }
        if not draw.once_in(4):
            row["id"] = draw.uuid4()
        return row


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default
