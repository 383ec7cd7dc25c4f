"""What the sandbox does with agents' campaigns and with long windows."""

from __future__ import annotations

import pytest
import requests

from tap_instantly.sandbox import Sandbox


def get(sandbox: Sandbox, path: str, **query: str) -> requests.Response:
    """Return what an endpoint answers."""
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    return requests.get(sandbox.url + path, query, headers=headers, timeout=60)


def test_campaigns_of_agents() -> None:
    """They are listed for their agent, and among the others only if switched on."""
    with Sandbox(campaigns=4, strict=True) as sandbox:
        campaign = sandbox.tables["campaigns"].rows[1]["id"]
        sandbox.tables["campaigns"].edit(campaign, ai_sdr_id="an-agent")
        for is_listed in (False, True):
            sandbox.lists_agents_campaigns = is_listed
            rows = get(sandbox, "/campaigns").json()["items"]
            assert (campaign in {row["id"] for row in rows}) is is_listed
            assert len(rows) == 3 + is_listed
            for agent, count in (("an-agent", 1), ("another", 0)):
                answer = get(sandbox, "/campaigns", ai_sales_agent_id=agent).json()
                assert len(answer["items"]) == count


@pytest.mark.parametrize("ends_inclusive", [False, True])
def test_windows_of_campaigns(*, ends_inclusive: bool) -> None:
    """More than 31 days are refused in Instantly's words."""
    with Sandbox(campaigns=2, ends_inclusive=ends_inclusive) as sandbox:
        for start, end, status in (
            ("2026-01-01", "2026-01-31", 200),
            ("2026-01-01", "2026-02-02", 400),
            ("2026-09-25", "", 400),
            ("2026-10-01", "", 200),
        ):
            query = {"start_date": start} | ({"end_date": end} if end else {})
            answer = get(sandbox, "/campaigns/analytics/daily", **query)
            assert answer.status_code == status
            if status == 400:
                message = answer.json()["message"]
                assert message == "Analytics date range cannot exceed 31 days"
