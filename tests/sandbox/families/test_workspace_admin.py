"""The workspace itself, and its secrets."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.workspace_admin import CANARY_KEY
from tests.sandbox.requesting import answer, get, pages, walk

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


class TestWorkspace:
    def test_secrets(self, sandbox: Sandbox) -> None:
        keys = {row["key"]: row["id"] for row in walk(sandbox, "/api-keys")}
        opens = keys.pop(sandbox.key)
        assert base64.b64decode(sandbox.key).decode().startswith(opens)
        assert all(key.startswith(CANARY_KEY) for key in keys)

    def test_block_list(self, sandbox: Sandbox) -> None:
        path = "/block-lists-entries"
        rows = walk(sandbox, path)
        domains = walk(sandbox, path, domains_only="true")
        assert domains == [row for row in rows if row["is_domain"]]
        assert all(("@" in row["bl_value"]) != row["is_domain"] for row in rows)
        assert list(map(len, pages(sandbox, path))) == [100, 100, 30]

    def test_workspace(self, sandbox: Sandbox) -> None:
        row = answer(sandbox, "/workspaces/current")
        lists = walk(sandbox, "/lead-lists")
        assert {one["organization_id"] for one in lists} == {row["id"]}
        owners = [
            one for one in walk(sandbox, "/workspace-members") if one["role"] == "owner"
        ]
        assert [one["user_id"] for one in owners] == [row["owner"]]

    def test_whitelabel_domain(self, own: Sandbox) -> None:
        path = "/workspaces/current/whitelabel-domain"
        row = answer(own, path)
        own.tables["workspace_whitelabel_domain"].delete(row["name"])
        assert get(own, path).status_code == 404

    def test_members(self, sandbox: Sandbox) -> None:
        path = "/workspace-members"
        invited = walk(sandbox, path, accepted="false")
        assert len(invited) == 3
        assert not any("name" in row for row in invited)
        assert len(walk(sandbox, path, search="member1@")) == 1

    def test_phone_numbers_in_a_bare_array(self, sandbox: Sandbox) -> None:
        rows = answer(sandbox, "/crm-actions/phone-numbers")
        assert len({row["phone_number"] for row in rows}) == 3

    def test_billing_counts_seconds(self, sandbox: Sandbox) -> None:
        plan = answer(sandbox, "/workspace-billing/plan-details")
        rows = answer(sandbox, "/workspace-billing/subscription-details")
        outreach = plan["subscriptions"]["outreach"]
        for row in (*rows["subscriptions"], outreach):
            assert 1_790_000_000 < row["current_period_end"] < 1_800_000_000
        assert outreach["current_lead_count"] == len(sandbox.tables["leads"])
