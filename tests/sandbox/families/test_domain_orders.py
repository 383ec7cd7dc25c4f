"""Domains and mailboxes ordered through Instantly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.domain_orders import CANARY_PASSWORD
from tests.sandbox.requesting import get, ids, page, walk

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


class TestOrders:
    def test_orders_end_with_an_empty_cursor(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders"
        first = page(sandbox, path, limit=4)
        assert first["next_starting_after"]
        assert page(sandbox, path)["next_starting_after"] == ""
        rows = walk(sandbox, path, limit=4)
        assert not any("id" in row for row in rows)
        keys = {(row["domain"], row["timestamp_created"]) for row in rows}
        assert len(keys) == len(rows) == len(sandbox.tables["dfy_email_account_orders"])
        assert len({row["domain"] for row in rows}) == len(rows) - 1

    def test_mailboxes(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders/accounts"
        body = page(sandbox, path, limit=5)
        last = body["items"][-1]
        cursor = f"{last['id']}:{last['timestamp_created']}"
        assert body["next_starting_after"] == cursor
        rows = walk(sandbox, path, limit=5)
        assert len(set(ids(rows))) == len(rows)
        emails = {row["email"] for row in rows}
        assert emails >= {row["email"] for row in sandbox.tables["accounts"].rows}

    def test_passwords_only_if_asked_for(self, sandbox: Sandbox) -> None:
        path = "/dfy-email-account-orders/accounts"
        assert CANARY_PASSWORD not in get(sandbox, path, limit=100).text
        (row,) = page(sandbox, path, limit=1, with_passwords="true")["items"]
        assert CANARY_PASSWORD in row["password"]

    def test_forwarding(self, sandbox: Sandbox) -> None:
        orders = walk(sandbox, "/dfy-email-account-orders")
        found = {}
        for order in orders:
            response = get(sandbox, f"/domains/{order['domain']}/forwarding")
            found[order["domain"]] = response.status_code
            if response.status_code == 200:
                assert response.json().keys() == {
                    "domain",
                    "forwarding_domain",
                    "forwarding_mode",
                }
        assert sorted(found.values()) == [200] * (len(found) - 1) + [404]
        assert get(sandbox, "/domains/none/forwarding").status_code == 400
        assert (
            get(sandbox, "/domains/unknown.example.com/forwarding").status_code == 404
        )
