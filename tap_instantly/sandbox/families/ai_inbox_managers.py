"""AI inbox managers: how they are guided, what they replied and recovered."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.ai_agent_family import (
    FEW,
    GUIDANCE_TEXTS,
    INBOX_MANAGER,
    AgentFamily,
)
from tap_instantly.sandbox.families.email_analytics import percent
from tap_instantly.sandbox.families.filters import equals, is_true
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import BadRequestError, Call, Endpoint, Row
from tap_instantly.sandbox.store.draws import NEWEST, Draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.sandbox.families.workspace import Tables, Workspace

_ASKED = ("Wants the price list", "Asks for a reference", "Which countries?")
_GUIDED = {"tone": "friendly", "length": "concise"}
_REPLY, _FOLLOW_UP, _NO_SHOW = 1, 2, 3
_ERRORS = ("SEND_FAILED", "ACCOUNT_INACTIVE", "OUT_OF_CREDITS")


class AiInboxManagers(AgentFamily):
    """Inbox managers and their replies."""

    def _new_tables(self) -> Tables:
        flags = ("requires_hitl", "information_requested", "action_pending")
        self._replies = self._workspace.new_table(
            self._rows_of((INBOX_MANAGER,), "reply", self._reply),
            end="absent",
            filters={name: is_true(name) for name in flags},
        )
        return {
            "ai_inbox_managers": self._workspace.new_table(
                self._inbox_managers, order="id-desc"
            ),
            "ai_inbox_manager_guidances": self._workspace.new_table(
                self._guidances,
                order="id-desc",
                end="absent",
                filters={"status": equals("status")},
            ),
            "ai_inbox_manager_replies": self._replies,
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        base = "/ai-agents/inbox-manager/{id}"
        guidances, replies = self.tables["ai_inbox_manager_guidances"], self._replies
        return [
            api.get(base, self._manager, with_metadata=api.FLAG),
            api.get(
                f"{base}/guidances",
                self._page(guidances, "agent_id", INBOX_MANAGER),
                **guidances.paging,
                status=api.one_of("0", "1", kind="number"),
            ),
            api.get(
                f"{base}/replies",
                self._page(replies, "agent_id", INBOX_MANAGER),
                **replies.paging,
                **dict.fromkeys(replies.filters, api.FLAG),
            ),
            api.get(
                f"{base}/analytics/activity",
                self._activity,
                **replies.paging,
                action_pending=api.FLAG,
                activity_type=api.one_of("reply", "followup", "recovery"),
                job_type=api.one_of("1", "2", "3", kind="number"),
            ),
            api.get(f"{base}/analytics/summary", self._summary, **api.DAYS),
            api.get(f"{base}/analytics/summary-by-date", self._daily, **api.DAYS),
        ]

    def _manager(self, call: Call) -> Row:
        agent = self._agent(call, INBOX_MANAGER)
        row = self.tables["ai_inbox_managers"].found(agent["id"])
        if call.one("with_metadata") == "true":
            tags = (
                self._workspace.tables["custom_tags"].get(tag)
                for tag in row["payload"].get("tags", [])
            )
            row["metadata"] = {
                "tags": {
                    tag["id"]: {"id": tag["id"], "label": tag["label"]}
                    for tag in tags
                    if tag
                },
                "integrations": {},
            }
        return row

    def _activity(self, call: Call) -> Row:
        """Answer with replies, follow-ups and recoveries in one feed."""
        agent = self._agent(call, INBOX_MANAGER)["id"]
        if call.one("activity_type") and call.one("job_type"):
            message = "job_type cannot be combined with activity_type"
            raise BadRequestError(message)
        if call.one("activity_type") == "recovery" and call.one("action_pending"):
            message = "action_pending cannot be combined with activity_type=recovery"
            raise BadRequestError(message)
        feed = self._workspace.new_table(
            actions_of(self._workspace, agent),
            end="absent",
            default_limit=25,
            filters={
                "action_pending": is_true("action_pending"),
                "activity_type": equals("activity_type"),
                "job_type": equals("job_type"),
            },
        )
        page = feed.page(call)
        return {**page, "has_more": "next_starting_after" in page}

    def _within(self, call: Call) -> list[Row]:
        """Return what the inbox manager did on the days asked for."""
        agent = self._agent(call, INBOX_MANAGER)["id"]
        first, last = call.one("from"), call.one("to", "9999-12-31")
        return [
            row
            for row in actions_of(self._workspace, agent)
            if first <= row["timestamp_created"][:10] <= last
        ]

    def _summary(self, call: Call) -> Row:
        rows = self._within(call)
        counts = count_actions(rows)
        acts, helped = counts["total_actions"], counts["human_intervention"]
        answered = filter(None, (self._replies.get(row["id"]) for row in rows))
        scores = [reply["confidence_score"] for reply in answered]
        average = round(sum(scores) / len(scores), 2) if scores else 0
        saved: Counter[bool] = Counter()
        for row in rows:
            no_show = row["job_type"] == _NO_SHOW
            saved[no_show] += row.get("estimated_time_saved_seconds") or 0
        followed = counts["no_show_follow_ups_generated"]
        recovered = counts["no_show_total_leads_recovered"]
        return {
            **counts,
            "time_saved": saved[False],
            "average_confidence_score": average,
            "involvement_rate": percent(helped, acts),
            "resolution_rate": percent(acts - helped, acts),
            "no_show_total_revenue_recovered": sum(
                row.get("revenue_recovered", 0) for row in rows
            ),
            "no_show_time_saved": saved[True],
            "no_show_recovery_rate": percent(recovered, followed) if followed else None,
        }

    def _daily(self, call: Call) -> list[Row]:
        days: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._within(call):
            days[row["timestamp_created"][:10]].append(row)
        return [
            {"date": day, **count_actions(rows)} for day, rows in sorted(days.items())
        ]

    def _inbox_managers(self) -> Iterator[Row]:
        interests = self._workspace.interests
        for agent in self._of(INBOX_MANAGER):
            draw = self._workspace.draw("inbox manager", agent["id"])
            payload: Row = {
                "configuration_type": draw.of((1, 2)),
                "tags": self._workspace.tag_ids[:2],
                "handle_followup": draw.once_in(2),
                "respond_to_automatic_emails": False,
                "integrations": {},
                "monthly_credit_budget": draw.of((None, 500)),
            }
            if self._workspace.mailboxes and draw.once_in(2):
                payload["no_show"] = {
                    "enabled": True,
                    "max_followups": 3,
                    "fallback_sending_accounts": {
                        "accounts": [draw.of(self._workspace.mailboxes)],
                        "tag_ids": [],
                    },
                }
            if draw.once_in(2):
                payload["trigger_on_labels_enabled"] = True
                payload["trigger_on_labels_mode"] = "include"
                payload["trigger_on_labels"] = [draw.of(interests)]
            yield {**self._described(agent), "payload": payload}

    def _guidances(self) -> Iterator[Row]:
        for agent in self._of(INBOX_MANAGER):
            for number in range(FEW):
                draw = self._workspace.draw("guidance", agent["id"], number)
                label, instruction = GUIDANCE_TEXTS[number % len(GUIDANCE_TEXTS)]
                created = (
                    timestamps.read(agent["timestamp_created"])
                    + number * timestamps.DAY // 4
                )
                updated = created + draw.below(4 * 24 * 3600) * timestamps.SECOND
                category = draw.below(5)
                row: Row = {
                    "id": draw.uuid4(),
                    "organization_id": self._workspace.organization,
                    "agent_id": agent["id"],
                    "label": label,
                    "instruction": instruction,
                    "status": int(not draw.once_in(4)),
                    "category": category,
                    "timestamp_created": timestamps.write(min(NEWEST, created)),
                    "timestamp_updated": timestamps.write(min(NEWEST, updated)),
                }
                if category == 0:
                    row["basic_guidance_options"] = dict(_GUIDED)
                yield row

    def _reply(self, agent: Row, identity: str, created: int, draw: Draw) -> Row:
        addresses = self._addresses
        row: Row = {
            "id": identity,
            "organization_id": self._workspace.organization,
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": timestamps.write(
                min(NEWEST, created + draw.below(3600) * timestamps.SECOND)
            ),
            "agent_id": agent["id"],
            "thread_id": f"t{draw.below(1 << 40):x}-Qw",
            "lead": draw.of(addresses) if addresses else None,
            "html": "<p>Thank you, Thursday suits us.</p>",
            "requires_hitl": draw.once_in(5),
            "generation_lag_seconds": 4 + draw.below(60),
            "confidence_score": draw.below(100) / 100,
            "estimated_time_saved_seconds": 60 * draw.below(8),
            "action_pending": draw.once_in(6),
            "sending_status": draw.of((1, 1, 1, 2, -1)),
        }
        if row["requires_hitl"]:
            row["requires_hitl_reason"] = "Asks for a discount."
        if row["sending_status"] < 0:
            row["error_code"] = draw.of(_ERRORS)
        if draw.once_in(3):
            row["is_followup"] = not draw.once_in(4)
        if draw.once_in(4):
            row["is_automatic_email"] = draw.once_in(9)
            row["calendly_tool_used"] = draw.once_in(2)
        if draw.once_in(5):
            row["information_requested"] = draw.of(_ASKED)
        if draw.once_in(6):
            row["feedback_positive"] = draw.once_in(2)
            row["feedback_text"] = "A little long."
            row["in_reply_to"] = None
            row["usage_metadata"] = {"tokens": draw.below(4000)}
        return row


def actions_of(workspace: Workspace, agent: str) -> list[Row]:
    """Return what an inbox manager did: its replies and the leads it recovered."""
    rows = []
    for reply in workspace.tables["ai_inbox_manager_replies"].each():
        if reply["agent_id"] != agent:
            continue
        draw = workspace.draw("activity of reply", reply["id"])
        follows = bool(reply.get("is_followup"))
        no_show = follows and draw.once_in(3)
        row: Row = {
            "id": reply["id"],
            "timestamp_created": reply["timestamp_created"],
            "activity_type": "followup" if follows else "reply",
            "job_type": _NO_SHOW if no_show else 1 + follows,
            "lead_email": reply["lead"],
            "is_followup": follows,
        }
        for name in (
            "thread_id",
            "requires_hitl",
            "action_pending",
            "sending_status",
            "error_code",
            "estimated_time_saved_seconds",
            "information_requested",
        ):
            if name in reply:
                row[name] = reply[name]
        if follows:
            row["followup_number"] = 1 + draw.below(3)
        rows.append(row)
        if no_show and draw.once_in(2):
            later = timestamps.read(reply["timestamp_created"]) + timestamps.DAY // 8
            rows.append(
                {
                    "id": draw.uuid4(),
                    "timestamp_created": timestamps.write(min(NEWEST, later)),
                    "activity_type": "recovery",
                    "job_type": None,
                    "lead_email": reply["lead"],
                    "thread_id": reply.get("thread_id"),
                    "recovery_method": draw.of(("calendly_meeting", "lead_reply")),
                    "revenue_recovered": 400 * draw.below(4),
                }
            )
    return rows


def count_actions(rows: Iterable[Row]) -> Row:
    """Count what both summaries of an inbox manager show."""
    acts = [row for row in rows if row["activity_type"] != "recovery"]
    recovered = [row for row in rows if row["activity_type"] == "recovery"]
    return {
        "total_actions": len(acts),
        "replies_count": sum(row["job_type"] == _REPLY for row in acts),
        "follow_ups_count": sum(row["job_type"] == _FOLLOW_UP for row in acts),
        "human_intervention": sum(bool(row.get("requires_hitl")) for row in acts),
        "info_requested": sum("information_requested" in row for row in acts),
        "unique_conversations": len({row["lead_email"] for row in acts}),
        "no_show_follow_ups_generated": sum(
            row["job_type"] == _NO_SHOW for row in acts
        ),
        "no_show_total_leads_recovered": len(recovered),
    }
