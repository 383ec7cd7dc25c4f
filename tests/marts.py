"""What the marts of `examples/dbt` ought to hold, counted from the sandbox's rows."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from datetime import timedelta

import requests

from tap_instantly.sandbox.families.email_plan import outcome
from tests.contacts import (
    BOUNCED,
    BUILT_IN,
    MANUAL,
    RECEIVED,
    SENT,
    Contact,
    created,
    is_automatic,
    is_reply,
    percent,
    timestamp,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json

MOST_BOUNCES = 3
"""Percent of a mailbox's e-mails that may come back."""
RESULTS = {
    1: "verified",
    -1: "invalid",
    -2: "risky",
    -3: "catch_all",
    -4: "job_change",
    11: "pending",
    12: "pending",
    None: "not_verified",
}

Key = tuple[str, str]
"""A campaign and the address of a lead."""


class Marts:
    """The marts of a workspace: rows with the columns that are compared."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Read the sandbox's rows as they are now."""
        tables = sandbox.tables
        self._sandbox = sandbox
        self._emails = tables["emails"].rows
        self._leads = tables["leads"].rows
        self._campaigns = {row["id"]: row for row in tables["campaigns"].rows}
        self._accounts = tables["accounts"].rows
        self._lists = sandbox.lists.rows
        self._subsequences = {
            row["id"]: row["name"] for row in tables["subsequences"].rows
        }
        self._statuses = {
            number: (label, _sentiment(number)) for number, label in BUILT_IN.items()
        } | {
            row["interest_status"]: (row["label"], row["interest_status_label"])
            for row in sandbox.labels.rows
        }
        self._by_key: dict[Key, Json] = {}
        for lead in sorted(self._leads, key=lambda row: str(row["timestamp_updated"])):
            if "campaign" in lead:
                self._by_key[lead["campaign"], lead["email"]] = lead
        self._contacts: dict[Key, Contact] = {}
        for mail in sorted(
            self._emails, key=lambda row: (created(row), row["ue_type"], row["id"])
        ):
            if mail["ue_type"] in (SENT, RECEIVED) and mail.get("campaign_id"):
                key = mail["campaign_id"], mail["lead"]
                contact = Contact(self._by_key.get(key))
                self._contacts.setdefault(key, contact).mails.append(mail)

    def _is_positive(self, mail: Json, lead: Json | None) -> bool:
        status = mail.get("i_status", (lead or {}).get("lt_interest_status"))
        return is_reply(mail) and self._statuses.get(status, (0, 0))[1] == "positive"

    def _name(self, campaign: str | None) -> str | None:
        return self._campaigns[campaign]["name"] if campaign else None

    def _api(self, method: str, path: str, body: Json | None = None) -> t.Any:
        return requests.request(
            method,
            f"{self._sandbox.url}{path}",
            headers={"Authorization": f"Bearer {self._sandbox.key}"},
            json=body,
            timeout=10,
        ).json()

    def label_funnel(self) -> list[Json]:
        """Count the leads by campaign, week and label."""
        weeks: dict[tuple[str, t.Any], list[Contact]] = defaultdict(list)
        for (campaign, _), contact in self._contacts.items():
            if contact.sent:
                day = created(contact.sent[0]).date()
                monday = day - timedelta(days=day.weekday())
                weeks[campaign, monday].append(contact)
        rows = []
        for (campaign, monday), contacts in weeks.items():
            labels = defaultdict(list)
            for contact in contacts:
                status = (contact.lead or {}).get("lt_interest_status")
                labels[status].append(contact.replied)
            for status, replied in labels.items():
                label, sentiment = self._statuses.get(status, (None, None))
                unnamed = "No label" if status is None else "Unknown label"
                rows.append(
                    {
                        "campaign_id": campaign,
                        "campaign_name": self._name(campaign),
                        "week": monday,
                        "interest_status": status,
                        "label": label or unnamed,
                        "sentiment": sentiment,
                        "leads": len(replied),
                        "replied": sum(replied),
                        "leads_of_week": len(contacts),
                        "share": percent(len(replied), len(contacts)),
                    }
                )
        return rows

    def campaign_performance(self) -> list[Json]:
        """Count e-mails and those who replied by campaign, step and variant."""
        figures: dict[tuple[t.Any, ...], Counter[str]] = defaultdict(Counter)
        for (campaign, _), contact in self._contacts.items():
            once = set()
            for mail in contact.mails:
                key = (campaign, *contact.step(mail))
                is_sent = mail["ue_type"] == SENT
                figures[key]["sent"] += is_sent
                figures[key]["replies"] += is_reply(mail)
                figures[key]["automatic_replies"] += is_automatic(mail)
                figures[key]["bounced"] += mail is contact.bounced
                once |= {
                    (name, key)
                    for name, counts in (
                        ("leads", is_sent),
                        ("replied", is_reply(mail)),
                        ("replied_positively", self._is_positive(mail, contact.lead)),
                    )
                    if counts
                }
            for name, key in once:
                figures[key][name] += 1
        return [
            {
                "campaign_id": campaign,
                "campaign_name": self._name(campaign),
                "subsequence_id": subsequence,
                "subsequence_name": self._subsequences.get(subsequence),
                "step": step,
                "variant": variant,
                **_rates(counts),
                "replies": counts["replies"],
            }
            for (campaign, subsequence, step, variant), counts in figures.items()
        ]

    def campaign_totals(self) -> list[Json]:
        """Count the same for each campaign, and see what Instantly reports."""
        reported = {
            row["campaign_id"]: {
                "reported_sent": row["emails_sent_count"],
                "reported_leads": row["new_leads_contacted_count"],
                "reported_replied": row["reply_count_unique"],
                "reported_automatic_replies": row["reply_count_automatic"],
            }
            for row in self._api("GET", "/campaigns/analytics")
        }
        nothing = dict.fromkeys(next(iter(reported.values())))
        rows = []
        for campaign in self._campaigns:
            counts: Counter[str] = Counter()
            for (found, _), contact in self._contacts.items():
                if found == campaign:
                    automatic = sum(map(is_automatic, contact.mails))
                    counts["sent"] += len(contact.sent)
                    counts["leads"] += bool(contact.sent)
                    counts["received"] += len(contact.mails) - len(contact.sent)
                    counts["automatic_replies"] += automatic
                    counts["replied_automatically"] += bool(automatic)
                    counts["replied"] += contact.replied
                    counts["replied_positively"] += any(
                        self._is_positive(mail, contact.lead) for mail in contact.mails
                    )
                    counts["bounced"] += contact.bounced is not None
            rows.append(
                {
                    "campaign_id": campaign,
                    "campaign_name": self._name(campaign),
                    **_rates(counts),
                    "received": counts["received"],
                    "replied_automatically": counts["replied_automatically"],
                    **reported.get(campaign, nothing),
                }
            )
        return rows

    def mailbox_health(self) -> list[Json]:
        """Count what each mailbox sent and what came back."""
        mails = defaultdict(list)
        for mail in self._emails:
            if mail["ue_type"] in (SENT, RECEIVED):
                day = timestamp(mail["timestamp_email"]).date()
                mails[mail["eaccount"]].append((day, mail))
        known = [row["email"] for row in self._accounts]
        last_day = max((day for one in known for day, _ in mails[one]), default=None)
        warmup = self._api("POST", "/accounts/warmup-analytics", {"emails": known})
        used = Counter(
            email
            for row in self._campaigns.values()
            for email in row.get("email_list", [])
        )
        rows = []
        for account in self._accounts:
            email = account["email"]
            sent = [(day, one) for day, one in mails[email] if one["ue_type"] == SENT]
            late = [one for day, one in sent if last_day and (last_day - day).days < 28]
            bounced = sum(outcome(one["id"]).bounced for one in late)
            week = [day for _, day in sorted(warmup["email_date_data"][email].items())]
            inbox = sum(day["landed_inbox"] for day in week[-7:])
            spam = sum(day.get("landed_spam", 0) for day in week[-7:])
            rate = percent(bounced, len(late))
            rows.append(
                {
                    "mailbox": email,
                    "is_broken": account["status"] < 0,
                    "campaigns": used[email],
                    "last_sent_on": max((day for day, _ in sent), default=None),
                    "sent_28_days": len(late),
                    "bounced_28_days": bounced,
                    "bounce_rate_28_days": rate,
                    "sent_ever": len(sent),
                    "bounced_ever": sum(outcome(one["id"]).bounced for _, one in sent),
                    "replies_ever": _leads_by_day(mails[email], is_reply),
                    "automatic_replies_ever": _leads_by_day(mails[email], is_automatic),
                    "warmup_inbox_rate_7_days": percent(inbox, inbox + spam),
                    "problem": _problem(account, rate),
                }
            )
        return rows

    def list_quality(self) -> list[Json]:
        """Count the leads of each list by the result of their verification."""
        campaigns = defaultdict(list)
        for (_, address), lead in self._by_key.items():
            campaigns[address].append(lead.get("status") == BOUNCED)
        rows = []
        for one in self._lists:
            leads = [lead for lead in self._leads if lead.get("list_id") == one["id"]]
            found = Counter(RESULTS[lead.get("verification_status")] for lead in leads)
            addresses = [lead["email"] for lead in leads]
            rows.append(
                {
                    "list_id": one["id"],
                    "list_name": one["name"],
                    "created_at": timestamp(one["timestamp_created"]),
                    "leads": len(leads),
                    "duplicates": len(leads) - len({*addresses}),
                    **{name: found[name] for name in RESULTS.values()},
                    "in_campaigns": sum(bool(campaigns[one]) for one in addresses),
                    "bounced_in_campaigns": sum(
                        any(campaigns[one]) for one in addresses
                    ),
                    "verified_rate": percent(found["verified"], len(leads)),
                    "invalid_rate": percent(found["invalid"], len(leads)),
                }
            )
        return rows

    def conversations(self) -> list[Json]:
        """See of each thread who wrote last."""
        threads = defaultdict(list)
        for mail in self._emails:
            if mail["ue_type"] in (SENT, RECEIVED, MANUAL):
                threads[mail["thread_id"]].append(mail)
        newest = max(map(created, self._emails), default=None)
        rows = []
        for thread, mails in threads.items():
            replies = [mail for mail in mails if is_reply(mail)]
            answers = [mail for mail in mails if mail["ue_type"] == MANUAL]
            of_campaigns = [mail for mail in mails if mail.get("campaign_id")]
            last = max(
                replies or of_campaigns or mails,
                key=lambda mail: (created(mail), mail["id"]),
            )
            campaign = last.get("campaign_id")
            lead = self._by_key.get((campaign or "", last["lead"]), {})
            status = last.get("i_status", lead.get("lt_interest_status"))
            label, sentiment = self._statuses.get(status, (None, None))
            replied = max(map(created, replies), default=None)
            answered = max(map(created, answers), default=None)
            waits = bool(replied and (answered is None or answered < replied))
            rows.append(
                {
                    "conversation_id": thread,
                    "campaign_id": campaign,
                    "campaign_name": self._name(campaign),
                    "mailbox": last["eaccount"],
                    "lead_email": last["lead"],
                    "last_name": lead.get("last_name"),
                    "label": label,
                    "sentiment": sentiment,
                    "replies": len(replies),
                    "automatic_replies": sum(map(is_automatic, mails)),
                    "answers": len(answers),
                    "last_reply_at": replied,
                    "last_answer_at": answered,
                    "has_replied": bool(replies),
                    "awaits_answer": waits,
                    "days_waiting": (newest.date() - replied.date()).days
                    if waits and newest and replied
                    else None,
                }
            )
        return rows

    def unanswered_replies(self) -> list[Json]:
        """Leave the conversations that wait for an answer."""
        dropped = {"has_replied", "awaits_answer", "automatic_replies", "answers"}
        return [
            {name: value for name, value in row.items() if name not in dropped}
            for row in self.conversations()
            if row["awaits_answer"]
        ]

    def all(self) -> dict[str, list[Json]]:
        """Return the rows of each mart."""
        return {
            mart.__name__: mart()
            for mart in (
                self.label_funnel,
                self.campaign_performance,
                self.campaign_totals,
                self.mailbox_health,
                self.list_quality,
                self.conversations,
                self.unanswered_replies,
            )
        }


def _sentiment(status: int) -> str:
    return "positive" if status > 0 else "negative" if status else "neutral"


def _rates(counts: Counter[str]) -> Json:
    return {
        **{
            name: counts[name]
            for name in (
                "sent",
                "leads",
                "automatic_replies",
                "replied",
                "replied_positively",
                "bounced",
            )
        },
        "reply_rate": percent(counts["replied"], counts["leads"]),
        "positive_reply_rate": percent(counts["replied_positively"], counts["leads"]),
        "bounce_rate": percent(counts["bounced"], counts["sent"]),
    }


def _leads_by_day(
    mails: Iterable[tuple[t.Any, Json]], counts: t.Callable[[Json], bool]
) -> int:
    return len(
        {
            (day, one.get("campaign_id"), one["lead"])
            for day, one in mails
            if counts(one)
        }
    )


def _problem(account: Json, bounce_rate: float | None) -> str | None:
    if account["status"] < 0:
        return "no connection"
    if account["warmup_status"] < 0:
        return "warm-up: banned"
    return "bounces" if (bounce_rate or 0) > MOST_BOUNCES else None
