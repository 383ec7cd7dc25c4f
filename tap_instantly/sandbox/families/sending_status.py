"""Why a campaign or a subsequence sends, or does not."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.store import timestamps
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from tap_instantly.sandbox.store.api import Row

_WORDS = {
    -99: "campaign_account_suspended",
    -2: "campaign_bounce_protect",
    -1: "campaign_accounts_unhealthy",
    0: "campaign_draft",
    2: "campaign_paused",
    3: "campaign_completed",
    4: "campaign_running_subsequences",
}
_OUT_OF_SCHEDULE = "out_of_schedule"


def sending_status(
    campaign: Row, *, subsequence: Row | None = None, with_summary: bool
) -> Row:
    """Return the answer about a campaign, or about one of its subsequences.

    A draft has no diagnostics, and outside the schedule several blocks are missing.
    """
    status = (subsequence or campaign)["status"]
    word = _WORDS.get(status, _OUT_OF_SCHEDULE if subsequence else "healthy")
    if word == "campaign_draft":
        return {"diagnostics": None, "summary": None}
    mailboxes = len(campaign.get("email_list", []))
    limit = campaign.get("daily_limit", 40)
    diagnostics: Row = {
        "campaign_id": campaign["id"],
        "last_updated": timestamps.write(NEWEST),
        "status": word,
        "issue_tracking": {
            "current_status_code": None if word == "healthy" else word,
            "issue_first_seen_at": None,
            "consecutive_loops_with_issue": 0,
            "last_healthy_send_at": timestamps.write(NEWEST),
        },
        "schedule_status": {"in_schedule": word != _OUT_OF_SCHEDULE},
    }
    if subsequence:
        diagnostics["subsequence_id"] = subsequence["id"]
    if word != _OUT_OF_SCHEDULE:
        diagnostics |= copy.deepcopy(WORDS["diagnostics"])
        connected = {"total_connected": mailboxes, "available": mailboxes}
        diagnostics["accounts_summary"] |= connected
        diagnostics["campaign_daily_limit"]["limit"] = limit
    summary: Row = {"status": word, "status_message": f"The status is {word}."}
    if with_summary:
        summary["ai_summary"] = "All mailboxes are connected."
    return {"diagnostics": diagnostics, "summary": summary}
