"""What the queries of `docs/dbt.md` ought to return, by the sandbox's rows."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

from tap_instantly.sandbox.families.email_plan import outcome
from tests.contacts import AUTOMATIC, BUILT_IN, RECEIVED, SENT, percent

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warehouse import Result, Workspace


def leads_by_label(workspace: Workspace) -> Result:
    """Count the leads of each campaign with each label."""
    campaigns = workspace.names("campaigns")
    labels = {
        row["interest_status"]: row["label"] for row in workspace.rows("lead_labels")
    } | BUILT_IN
    leads = Counter(
        (lead.get("campaign"), lead.get("lt_interest_status"))
        for lead in workspace.rows("leads")
    )
    return [
        (campaigns.get(campaign or ""), status, labels.get(status), count)
        for (campaign, status), count in leads.items()
    ]


def reply_rates(workspace: Workspace) -> Result:
    """Count, of the leads first written to in each week, those who replied."""
    campaigns = workspace.names("campaigns")
    first: dict[tuple[str, str], datetime] = {}
    replied = set()
    for mail in workspace.rows("emails"):
        lead = (mail.get("campaign_id", ""), mail["lead"])
        created = datetime.fromisoformat(
            mail["timestamp_created"].replace("Z", "+00:00")
        )
        if mail["ue_type"] == SENT:
            first[lead] = min(created, first.get(lead, created))
        if mail["ue_type"] == RECEIVED and mail.get("i_status") != AUTOMATIC:
            replied.add(lead)
    weeks: dict[tuple[str, date], list[bool]] = defaultdict(list)
    for lead, created in first.items():
        monday = created.date() - timedelta(days=created.weekday())
        weeks[lead[0], monday].append(lead in replied)
    return [
        (
            campaigns[campaign],
            monday,
            len(leads),
            sum(leads),
            percent(sum(leads), len(leads)),
        )
        for (campaign, monday), leads in weeks.items()
    ]


def mailboxes_without_a_campaign(workspace: Workspace) -> Result:
    """List the mailboxes that no campaign names."""
    used = {*workspace.used_mailboxes}
    return [
        (row["email"], row["status"], row.get("daily_limit"))
        for row in workspace.rows("accounts")
        if row["email"] not in used
    ]


def verification_of_lists(workspace: Workspace) -> Result:
    """Count the leads of each list by the result of their verification."""
    results: dict[str, Counter[int | None]] = defaultdict(Counter)
    for lead in workspace.rows("leads"):
        results[lead.get("list_id", "")][lead.get("verification_status")] += 1
    return [
        (
            name,
            (total := sum(results[key].values())),
            results[key][1],
            results[key][-1],
            results[key][-2],
            percent(results[key][1], total) if total else None,
        )
        for key, name in workspace.names("lead_lists").items()
    ]


def bounce_rates(workspace: Workspace) -> Result:
    """Count the e-mails that each mailbox sent, and those that bounced."""
    mails: dict[str, list[bool]] = defaultdict(list)
    for mail in workspace.rows("emails"):
        if mail["ue_type"] == SENT:
            mails[mail["eaccount"]].append(outcome(mail["id"]).bounced)
    return [
        (mailbox, len(bounced), sum(bounced), percent(sum(bounced), len(bounced)))
        for mailbox, bounced in mails.items()
    ]


EXPECTED: dict[str, Callable[[Workspace], Result]] = {
    "Leads by label and campaign": leads_by_label,
    "Reply rate by campaign and week": reply_rates,
    "Mailboxes without a campaign": mailboxes_without_a_campaign,
    "Lists with their verification figures": verification_of_lists,
    "Bounce rate by mailbox": bounce_rates,
}
