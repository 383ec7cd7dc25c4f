"""Domains and mailboxes ordered through Instantly."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import BadRequestError, Call, Endpoint, Row
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

FURTHER_DOMAINS = 6
"""Domains that were ordered beside those of the workspace's mailboxes."""
MAILBOXES_PER_DOMAIN = 3
"""Ordered mailboxes on each of the further domains."""

CANARY_PASSWORD = "canary-mailbox-password"  # noqa: S105 - it opens nothing
"""Ends the passwords given with `with_passwords=true`, which is never to be sent."""

_DOMAIN = re.compile(r"\s*\S+\.[a-zA-Z]{2,}\s*")
_PEOPLE = (("Nora", "Lang"), ("Theo", "Brandt"), ("Zoë", "Kerr"), ("Amir", "Said"))
_PROVIDERS = {2: 1, 3: 3}
"""What the provider code of a mailbox means here; 2 is AirMail."""


class DomainOrders(Family):
    """Orders of domains, the mailboxes on them, and where the domains lead."""

    def _new_tables(self) -> Tables:
        return {
            "dfy_email_account_orders": self._workspace.new_table(
                self._orders, key="timestamp_created", cursor="opaque", end="empty"
            ),
            "dfy_email_account_order_accounts": self._workspace.new_table(
                self._mailboxes, cursor="id-and-timestamp"
            ),
            "domain_forwarding": self._workspace.new_table(
                self._destinations, key="domain", order="id-asc", dated_by=""
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        orders, mailboxes, _ = self.tables.values()
        return [
            orders.endpoint("/dfy-email-account-orders"),
            api.get(
                "/dfy-email-account-orders/accounts",
                self._mailboxes_page,
                **mailboxes.paging,
                with_passwords=api.FLAG,
            ),
            api.get("/domains/{domain}/forwarding", self._forwarding),
        ]

    def _mailboxes_page(self, call: Call) -> Row:
        page = self.tables["dfy_email_account_order_accounts"].page(call)
        if call.one("with_passwords") == "true":
            page["items"] = [
                {**row, "password": f"{row['first_name']}-{CANARY_PASSWORD}"}
                for row in page["items"]
            ]
        return page

    def _forwarding(self, call: Call) -> Row:
        domain = call.path["domain"]
        if not _DOMAIN.fullmatch(domain):
            message = "params/domain must match pattern"
            raise BadRequestError(message)
        return self.tables["domain_forwarding"].found(domain.strip())

    @property
    def _accounts(self) -> dict[str, list[Row]]:
        """The workspace's mailboxes by domain."""
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for mailbox in self._workspace.tables["accounts"].each():
            found[mailbox["email"].rpartition("@")[2]].append(mailbox)
        return found

    def _orders(self) -> Iterator[Row]:
        """Invent orders: domains in use, further ones, and one ordered again."""
        further = [f"order{number}.example.com" for number in range(FURTHER_DOMAINS)]
        domains = [*sorted(self._accounts), *further, further[0]]
        for number, domain in enumerate(domains):
            draw = self._workspace.draw("order", number)
            age = (number + 1) * 9 * 24 * 3600 + draw.below(9 * 24 * 3600)
            created = NEWEST - age * timestamps.SECOND
            row: Row = {
                "workspace_id": self._workspace.organization,
                "domain": domain,
                "timestamp_created": timestamps.write(created),
            }
            if number == len(domains) - 1 or domain == further[1]:
                cancelled = created + 5 * timestamps.DAY
                row["timestamp_cancelled"] = timestamps.write(cancelled)
            elif draw.once_in(2):
                row["forwarding_domain"] = "example.com"
                row["forwarding_mode"] = draw.of(("redirect", "redirect", "stealth"))
            if not draw.once_in(3):
                row["is_pre_warmed_up"] = draw.once_in(3)
            yield row

    def _destinations(self) -> Iterator[Row]:
        """Say of all domains with an order that stands where they lead, if anywhere."""
        for order in self.tables["dfy_email_account_orders"].each():
            if "timestamp_cancelled" not in order:
                names = ("domain", "forwarding_domain", "forwarding_mode")
                yield {name: order.get(name) for name in names}

    def _mailboxes(self) -> Iterator[Row]:
        """Invent what was ordered on each domain of an order that is the latest."""
        accounts = self._accounts
        seen = set()
        for order in self.tables["dfy_email_account_orders"].rows:
            domain = order["domain"]
            if domain in seen:
                continue
            seen.add(domain)
            people = [
                {"email": f"{first.casefold()}@{domain}", "first_name": first}
                | {"last_name": last}
                for first, last in _PEOPLE[:MAILBOXES_PER_DOMAIN]
            ]
            created = timestamps.read(order["timestamp_created"])
            for person in accounts.get(domain, people):
                draw = self._workspace.draw("ordered mailbox", person["email"])
                code = person.get("provider_code")
                later = 60 + draw.below(3600)
                yield {
                    "id": draw.uuid4(),
                    "domain": domain,
                    "email": person["email"],
                    "email_provider": _PROVIDERS.get(code or 0, 2),
                    "first_name": person.get("first_name", ""),
                    "last_name": person.get("last_name", ""),
                    "is_pre_warmed_up": order.get("is_pre_warmed_up", False),
                    "timestamp_cancelled": order.get("timestamp_cancelled"),
                    "timestamp_created": timestamps.write(
                        created + later * timestamps.SECOND
                    ),
                }
