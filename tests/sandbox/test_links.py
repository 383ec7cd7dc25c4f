"""Rows point to rows that exist, and figures are sums of rows."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_instantly.sandbox import Sandbox
from tests.sandbox.requesting import read_timestamp
from tests.sandbox.served import send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.sandbox.requesting import Row

STEP_FIGURES = ("sent", "opened", "replies", "replies_automatic", "clicks")
TOTALS = {
    "emails_sent_count": "sent",
    "new_leads_contacted_count": "new_leads_contacted",
    "open_count": "opened",
    "reply_count": "replies",
    "reply_count_automatic": "replies_automatic",
    "link_click_count": "clicks",
}


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """A sandbox of the usual size, which tests only read."""
    with Sandbox() as running:
        yield running


def figures(sandbox: Sandbox, path: str, /, **fields: Any) -> Any:
    """Return what an endpoint answers."""
    response = send(sandbox, "GET", path, **fields)
    assert response.status_code == 200, response.text
    return response.json()


def total(rows: Iterable[Row], name: str) -> int:
    """Return the sum over rows."""
    return sum(row[name] for row in rows)


def day(row: Row) -> str:
    """Return the day on which an e-mail was sent."""
    text: str = row["timestamp_email"]
    return text[:10]


class TestLinks:
    def test_leads(self, world: Sandbox) -> None:
        campaigns = {row["id"] for row in world.tables["campaigns"].rows}
        lists = {row["id"] for row in world.lists.rows}
        interests = {row["interest_status"] for row in world.labels.rows}
        leads = world.tables["leads"].rows
        containers: Counter[str] = Counter()
        for row in leads:
            assert ("campaign" in row) != ("list_id" in row)
            assert row.get("campaign") in {None, *campaigns}
            assert row.get("list_id") in {None, *lists}
            containers[row.get("campaign") or row["list_id"]] += 1
            interest = row.get("lt_interest_status")
            assert interest is None or interest in {*range(-4, 5), *interests}
        assert campaigns <= set(containers)
        assert len(set(containers) - campaigns) > 5
        assert {row.get("lt_interest_status") for row in leads} & interests

    def test_mailboxes_send_for_campaigns(self, world: Sandbox) -> None:
        mailboxes = {row["email"] for row in world.tables["accounts"].rows}
        campaigns = world.tables["campaigns"].rows
        listed = Counter(email for row in campaigns for email in row["email_list"])
        assert mailboxes - set(listed)
        assert set(listed) - mailboxes == {"left.the.company@team.example.com"}
        for email in mailboxes:
            body = figures(world, f"/account-campaign-mappings/{email}", limit=100)
            assert {row["campaign_id"] for row in body["items"]} == {
                row["id"] for row in campaigns if email in row["email_list"]
            }

    def test_tags(self, world: Sandbox) -> None:
        tags = {row["id"] for row in world.tables["custom_tags"].rows}
        campaigns = {row["id"] for row in world.tables["campaigns"].rows}
        mailboxes = {row["email"] for row in world.tables["accounts"].rows}
        mappings = world.tables["custom_tag_mappings"].rows
        for row in mappings:
            assert row["tag_id"] in tags
            known = {1: mailboxes, 2: campaigns}[row["resource_type"]]
            assert row["resource_id"] in known
        assert {row["resource_type"] for row in mappings} == {1, 2}
        tag = mappings[0]["tag_id"]
        bearing = {row["resource_id"] for row in mappings if row["tag_id"] == tag}
        body = figures(world, "/accounts", limit=100, tag_ids=tag, include_tags="true")
        assert {row["email"] for row in body["items"]} == bearing & mailboxes
        assert all(tag in {t["id"] for t in row["tags"]} for row in body["items"])
        body = figures(world, "/campaigns", limit=100, tag_ids=tag)
        assert {row["id"] for row in body["items"]} == bearing & campaigns

    def test_emails(self, world: Sandbox) -> None:
        leads = {row["id"]: row for row in world.tables["leads"].rows}
        campaigns = {row["id"]: row for row in world.tables["campaigns"].rows}
        subsequences = {row["id"]: row for row in world.tables["subsequences"].rows}
        emails = world.tables["emails"].rows
        sent_in: dict[str, Row] = {}
        for row in reversed(emails):
            lead, campaign = leads[row["lead_id"]], campaigns[row["campaign_id"]]
            assert lead["email"] == row["lead"]
            assert lead["campaign"] == campaign["id"]
            assert campaign["status"] != 0
            assert row["eaccount"] in campaign["email_list"]
            if "subsequence_id" in row:
                parent = subsequences[row["subsequence_id"]]["parent_campaign"]
                assert parent == campaign["id"]
            if row["ue_type"] == 1:
                sent_in.setdefault(row["thread_id"], row)
            else:
                first = sent_in[row["thread_id"]]
                assert first["lead_id"] == row["lead_id"]
                assert read_timestamp(first["timestamp_email"]) < read_timestamp(
                    row["timestamp_email"]
                )
                assert row["subject"] == f"Re: {first['subject']}"
        assert Counter(row["ue_type"] for row in emails) == {1: 775, 2: 100, 3: 25}

    def test_histories_of_leads(self, world: Sandbox) -> None:
        emails = world.tables["emails"].rows
        replies = Counter(row["lead_id"] for row in emails if row["ue_type"] == 2)
        written_to = {row["lead_id"] for row in emails}
        for row in world.tables["leads"].rows:
            assert row["email_reply_count"] == replies[row["id"]]
            assert ("timestamp_last_contact" in row) == (row["id"] in written_to)
            assert row["timestamp_created"] <= row["timestamp_updated"]

    def test_subsequences(self, world: Sandbox) -> None:
        campaigns = {row["id"] for row in world.tables["campaigns"].rows}
        rows = world.tables["subsequences"].rows
        parents = Counter(row["parent_campaign"] for row in rows)
        assert set(parents) < campaigns
        for campaign in campaigns:
            body = figures(world, "/subsequences", parent_campaign=campaign)
            assert len(body["items"]) == parents[campaign]
            assert body["items"] or "next_starting_after" not in body


class TestRows:
    def test_emails_are_like_real_ones(self, world: Sandbox) -> None:
        emails = world.tables["emails"].rows
        ids = [row["id"] for row in emails]
        assert ids == sorted(ids, reverse=True)
        assert {identity[14] for identity in ids} == {"7"}
        created = [read_timestamp(row["timestamp_created"]) for row in emails]
        assert created != sorted(created, reverse=True)
        sent = [row["timestamp_created"] for row in emails if row["ue_type"] == 1]
        assert len(sent) > 2 * len(set(sent))
        assert all(text.endswith(".000Z") for text in sent)
        for row in emails:
            late = read_timestamp(row["timestamp_created"]) - read_timestamp(
                row["timestamp_email"]
            )
            limit = 31 if row["ue_type"] == 2 else 0
            assert timedelta() <= late <= timedelta(seconds=limit)
            assert None not in row.values()

    def test_campaigns_are_like_real_ones(self, world: Sandbox) -> None:
        rows = world.tables["campaigns"].rows
        assert {row["id"][14] for row in rows} == {"4"}
        drafts = [row for row in rows if row["status"] == 0]
        assert [row["campaign_schedule"] for row in drafts] == [{}, {}]
        assert len({frozenset(row) for row in rows}) > 3

    def test_warmup_is_shown_by_the_detail_alone(self, world: Sandbox) -> None:
        rows = figures(world, "/accounts", limit=100)["items"]
        assert rows == world.tables["accounts"].rows
        for row in rows:
            detail = figures(world, f"/accounts/{row['email']}")
            warmup = detail.pop("warmup")
            assert isinstance(warmup["increment"], str)
            assert detail == row

    def test_numbers_as_text(self, world: Sandbox) -> None:
        leads = world.tables["leads"].rows
        values = [row["pl_value_lead"] for row in leads if "pl_value_lead" in row]
        assert values
        assert all(isinstance(value, str) for value in values)

    def test_same_seed_same_rows(self, world: Sandbox) -> None:
        twin, other = Sandbox(), Sandbox(seed=2)
        for name, table in world.tables.items():
            assert table.rows == twin.tables[name].rows
        emails = {row["id"] for row in world.tables["emails"].rows}
        assert emails.isdisjoint(row["id"] for row in other.tables["emails"].rows)


class TestFigures:
    def test_days_are_counted_from_emails(self, world: Sandbox) -> None:
        emails = world.tables["emails"].rows
        sent = Counter(
            (row["campaign_id"], day(row)) for row in emails if row["ue_type"] == 1
        )
        replies = Counter(
            (row["campaign_id"], day(row)) for row in emails if row["ue_type"] == 2
        )
        found: dict[tuple[str, str], Row] = {}
        for campaign in world.tables["campaigns"].rows:
            identity = campaign["id"]
            rows = figures(world, "/campaigns/analytics/daily", campaign_id=identity)
            found |= {(identity, row["date"]): row for row in rows}
        assert {key: row["sent"] for key, row in found.items() if row["sent"]} == sent
        assert {
            key: row["replies"] for key, row in found.items() if row["replies"]
        } == replies
        for row in figures(world, "/campaigns/analytics/daily"):
            same = [one for (_, when), one in found.items() if when == row["date"]]
            assert set(row) == {*TOTALS.values(), *same[0]}
            for name in row.keys() - {"date"}:
                assert row[name] == total(same, name)

    def test_campaigns_are_sums_of_their_days_and_steps(self, world: Sandbox) -> None:
        rows = figures(world, "/campaigns/analytics")
        launched = [row for row in world.tables["campaigns"].rows if row["status"]]
        assert {row["campaign_id"] for row in rows} == {row["id"] for row in launched}
        leads = Counter(row.get("campaign") for row in world.tables["leads"].rows)
        known: set[str | None] = set()
        for row in rows:
            one = {"campaign_id": row["campaign_id"]}
            days = figures(world, "/campaigns/analytics/daily", **one)
            steps = figures(world, "/campaigns/analytics/steps", **one)
            overview = figures(
                world, "/campaigns/analytics/overview", id=row["campaign_id"]
            )
            for name, daily in TOTALS.items():
                assert row[name] == overview[name] == total(days, daily)
            assert row["emails_sent_count"] > 0
            for name in STEP_FIGURES:
                assert total(steps, name) == total(days, name)
            assert row["leads_count"] == leads[row["campaign_id"]]
            known |= {step["step"] for step in steps}
            keys = [(step["step"], step["variant"]) for step in steps]
            assert len(keys) == len(set(keys))
        assert known == {None, "0", "1", "2"}
        overview = figures(world, "/campaigns/analytics/overview")
        for name in TOTALS:
            assert overview[name] == total(rows, name) > 0

    def test_campaigns_by_id(self, world: Sandbox) -> None:
        some = [row["id"] for row in world.tables["campaigns"].rows if row["status"]][
            :3
        ]
        rows = figures(world, "/campaigns/analytics", ids=some)
        assert {row["campaign_id"] for row in rows} == set(some)
        (row,) = figures(
            world, "/campaigns/analytics", id=some[0], exclude_total_leads_count="true"
        )
        assert row["campaign_id"] == some[0]
        assert "leads_count" not in row

    def test_steps_on_request(self, world: Sandbox) -> None:
        wanted = {"opportunities", "unique_opportunities", "meetings_booked", "won"}
        path = "/campaigns/analytics/steps"
        assert not wanted & set(figures(world, path)[0])
        full = figures(world, path, include_opportunities_count="true")
        assert wanted <= set(full[0])
        assert total(full, "opportunities") > 0

    def test_mailboxes_are_counted_from_emails(self, world: Sandbox) -> None:
        emails = world.tables["emails"].rows
        mailboxes = [row["email"] for row in world.tables["accounts"].rows]
        rows = figures(
            world,
            "/accounts/analytics/daily",
            emails=mailboxes,
            start_date="2026-10-01",
            end_date="2026-10-29",
        )
        for name, kind in (("sent", 1), ("replies", 2)):
            assert {
                (row["email_account"], row["date"]): row[name]
                for row in rows
                if row[name]
            } == Counter(
                (row["eaccount"], day(row))
                for row in emails
                if row["ue_type"] == kind and day(row) >= "2026-10-01"
            )

    def test_subsequences_are_counted_from_emails(self, world: Sandbox) -> None:
        emails = world.tables["emails"].rows
        sent = Counter(
            row["subsequence_id"]
            for row in emails
            if row["ue_type"] == 1 and "subsequence_id" in row
        )
        for row in world.tables["subsequences"].rows:
            identity = row["id"]
            (found,) = (
                one
                for one in figures(
                    world,
                    "/subsequences/analytics",
                    campaign_id=row["parent_campaign"],
                )
                if one["subsequence_id"] == identity
            )
            steps = figures(world, f"/subsequences/{identity}/analytics/steps")
            assert found["emails_sent"] == total(steps, "sent") == sent[identity]
        assert len(sent) > 1

    def test_lists_are_counted_from_leads(self, world: Sandbox) -> None:
        leads = world.tables["leads"].rows
        for row in world.lists.rows[:25]:
            answer = figures(world, f"/lead-lists/{row['id']}/verification-stats")
            own = [lead for lead in leads if lead.get("list_id") == row["id"]]
            statuses = Counter(lead.get("verification_status") for lead in own)
            assert answer["total_leads"] == len(own)
            assert answer["stats"]["verified"] == statuses[1]
            assert answer["stats"]["catch_all"] == statuses[-3]
            known = sum(statuses.values()) - statuses[None]
            assert sum(answer["stats"].values()) == known

    def test_windows(self, sandbox: Sandbox) -> None:
        path = "/campaigns/analytics/daily"
        window = {"start_date": "2026-09-01", "end_date": "2026-09-10"}
        dates = [row["date"] for row in figures(sandbox, path, **window)]
        assert dates == [f"2026-09-{number:02}" for number in range(1, 11)]
        sandbox.ends_inclusive = False
        assert [row["date"] for row in figures(sandbox, path, **window)] == dates[:-1]
        window["end_date"] = "2026-09-11T00:00:00.000Z"
        assert [row["date"] for row in figures(sandbox, path, **window)] == dates
        assert send(sandbox, "GET", path, start_date="soon").status_code == 400

    def test_figures_follow_the_rows(self, sandbox: Sandbox) -> None:
        def sent() -> int:
            rows = figures(sandbox, "/campaigns/analytics")
            return total(rows, "emails_sent_count")

        emails = sandbox.tables["emails"]
        before = sent()
        added = emails.add()
        assert sent() == before + 1
        last = figures(
            sandbox, "/campaigns/analytics/daily", campaign_id=added["campaign_id"]
        )[-1]
        assert last["date"] == day(added) == "2026-10-29"
        emails.edit(added["id"], ue_type=3)
        assert sent() == before
        emails.delete(emails.rows[-1]["id"])
        assert sent() == before - 1


class TestMailboxLimits:
    @pytest.mark.parametrize(
        ("count", "start", "end", "status"),
        [
            (0, "2026-10-01", "2026-10-02", 413),
            (200, "2026-10-01", "2026-10-31", 200),
            (201, "2026-10-01", "2026-10-02", 413),
            (1, "2026-10-01", "2026-11-01", 413),
            (1, "2026-01-01", "2026-10-02", 413),
        ],
    )
    def test_daily(
        self, sandbox: Sandbox, count: int, start: str, end: str, status: int
    ) -> None:
        sandbox.strict = True
        emails = [f"number{number}@example.com" for number in range(count)]
        response = send(
            sandbox,
            "GET",
            "/accounts/analytics/daily",
            emails=emails,
            start_date=start,
            end_date=end,
        )
        assert response.status_code == status
        if status == 413:
            assert response.json()["error"] == "Payload Too Large"

    def test_largest_answer(self, sandbox: Sandbox) -> None:
        emails = [row["email"] for row in sandbox.tables["accounts"].rows]
        window = {"start_date": "2026-10-01", "end_date": "2026-10-10"}
        path = "/accounts/analytics/daily"
        sandbox.largest_answer = 50
        for count, status in ((6, 413), (5, 200)):
            response = send(sandbox, "GET", path, emails=emails[:count], **window)
            assert response.status_code == status

    def test_warmup(self, sandbox: Sandbox) -> None:
        path = "/accounts/warmup-analytics"
        emails = [row["email"] for row in sandbox.tables["accounts"].rows]
        body = send(sandbox, "POST", path, emails=[*emails, "no@example.com"]).json()
        assert set(body["email_date_data"]) == set(body["aggregate_data"]) == {*emails}
        days = body["email_date_data"][emails[0]]
        assert list(days)[-1] == "2026-10-29"
        assert len(days) == 30
        first = date.fromisoformat(next(iter(days)))
        assert first == date(2026, 10, 29) - timedelta(days=29)
        assert any("landed_spam" not in one for one in days.values())
        assert all(one.get("landed_spam") != 0 for one in days.values())
        sent = body["aggregate_data"][emails[0]]["sent"]
        assert sent == total(days.values(), "sent")
        many = [f"number{number}@example.com" for number in range(101)]
        assert send(sandbox, "POST", path, emails=many).status_code == 400
        assert send(sandbox, "POST", path, emails=many[:100]).status_code == 200
