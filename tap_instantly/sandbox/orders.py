"""Domains and mailboxes ordered through Instantly."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw, Row
from tap_instantly.sandbox.endpoints import (
    BadRequestError,
    Endpoint,
    Parameter,
)
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox.endpoints import Call
    from tap_instantly.sandbox.world import World

FURTHER_DOMAINS = 6
"""Domains that were ordered beside those of the world's mailboxes."""
MAILBOXES_PER_DOMAIN = 3
"""Ordered mailboxes on each of the further domains."""

CANARY_PASSWORD = "canary-mailbox-password"  # noqa: S105 - it opens nothing
"""Ends the passwords shown with `with_passwords=true`, which is never to be sent."""

_DOMAIN = re.compile(r"\s*\S+\.[a-zA-Z]{2,}\s*")
_CURSOR = re.compile(r"([^:]+):(.+)")
_PEOPLE = (("Nora", "Lang"), ("Theo", "Brandt"), ("Zoë", "Kerr"), ("Amir", "Said"))
_PROVIDERS = {2: 1, 3: 3}
"""What the provider code of a mailbox means here; 2 is AirMail."""


class OrderedMailboxes(Table):
    """Ordered mailboxes, whose cursor is `uuid:timestamp`."""

    def _written(self, place: tuple[int, str]) -> str:
        instant, key = place
        return f"{key}:{instants.write(instant)}"

    def _span(self, text: str) -> tuple[tuple[int, str], tuple[int, str]]:
        if parts := _CURSOR.fullmatch(text):
            text = f"{parts[2]}&{parts[1]}"
        return super()._span(text)


class Orders:
    """Orders of domains, the mailboxes on them, and where the domains lead."""

    def __init__(self, world: World) -> None:
        """Belong to `world`, some of whose mailboxes were ordered."""
        self.world = world
        orders = Table(self._orders, key="timestamp_created", cursor="opaque")
        orders.end = "empty"
        self.tables = {
            "dfy_email_account_orders": orders,
            "dfy_email_account_order_accounts": OrderedMailboxes(
                self._mailboxes, cursor="composite"
            ),
            "domain_forwarding": Table(
                self._destinations, key="domain", order="id-asc"
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        orders, mailboxes, _ = self.tables.values()
        return [
            orders.endpoint("/dfy-email-account-orders"),
            Endpoint(
                "GET",
                "/dfy-email-account-orders/accounts",
                self._mailboxes_page,
                {**mailboxes.paging, "with_passwords": Parameter("boolean")},
            ),
            Endpoint("GET", "/domains/{domain}/forwarding", self._forwarding),
        ]

    # What is answered

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

    # The rows

    @property
    def _accounts(self) -> dict[str, list[Row]]:
        """The world's mailboxes by domain."""
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for mailbox in self.world.tables["accounts"].each():
            found[mailbox["email"].rpartition("@")[2]].append(mailbox)
        return found

    def _orders(self) -> Iterator[Row]:
        """Invent orders: domains in use, further ones, and one ordered again."""
        further = [f"order{number}.example.com" for number in range(FURTHER_DOMAINS)]
        domains = [*sorted(self._accounts), *further, further[0]]
        for number, domain in enumerate(domains):
            draw = Draw(self.world.seed, "order", number)
            age = (number + 1) * 9 * 24 * 3600 + draw.below(9 * 24 * 3600)
            created = NEWEST - age * instants.SECOND
            row: Row = {
                "workspace_id": self.world.organization,
                "domain": domain,
                "timestamp_created": instants.write(created),
            }
            if number == len(domains) - 1 or domain == further[1]:
                cancelled = created + 5 * DAY
                row["timestamp_cancelled"] = instants.write(cancelled)
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
            created = instants.read(order["timestamp_created"])
            for person in accounts.get(domain, people):
                draw = Draw(self.world.seed, "ordered mailbox", person["email"])
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
                    "timestamp_created": instants.write(
                        created + later * instants.SECOND
                    ),
                }
