"""The workspace itself: its keys, members, phone numbers and plan."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import contains, is_true
from tap_instantly.sandbox.families.words import WORDS
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Endpoint, NotFoundError, Row
from tap_instantly.sandbox.store.draws import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

API_KEYS = 5
INVITED = 3
"""Members who have not accepted yet, beside the workspace's users."""
PHONE_NUMBERS = 3

CANARY_KEY = "canary-api-key"
"""Begins every secret key but the sandbox's own; none may ever be emitted."""

_NAME = "Harbor & Sons Outreach"
_DOMAIN = "agency.example.com"
_PEOPLE = WORDS["members"]
_PURPOSES = ("Reporting", "Zapier", "CRM sync", "Old dashboard", "Staging")
_SCOPES = (
    ("all:all",),
    ("all:read",),
    ("leads:read", "campaigns:read"),
    ("accounts:all",),
)
_ROLES = ("owner", "admin", "editor", "editor", "view", "client")
_PERMISSIONS = ("dashboard.view", "campaigns.view", "analytics.view", "unibox.all")
_STATES = {1: "pending", 3: "rejected"}
_CLIENTS = ("Northwind", "Bäckerei Lang", "Harbor & Sons", "Quill Freight")
_PLACES = (("US", "Denver", "+1303"), ("US", "Austin", "+1512"), ("GB", "Leeds", "+44"))

# Billing counts seconds since 1970; everything else writes text.
_PERIOD_END = (NEWEST + 17 * timestamps.DAY) // timestamps.SECOND


class WorkspaceAdmin(Family):
    """The workspace of the key and what belongs to it as a whole."""

    def _new_tables(self) -> Tables:
        return {
            "api_keys": self._workspace.new_table(self._api_keys, order="id-desc"),
            "workspace_group_members": self._workspace.new_table(
                self._group_members, order="id-desc"
            ),
            "workspace_members": self._workspace.new_table(
                self._members,
                order="id-desc",
                filters={
                    "accepted": is_true("accepted"),
                    "search": contains("email", "name", "nickname"),
                },
            ),
            "workspace": self._workspace.new_table(self._own_row),
            "workspace_whitelabel_domain": self._workspace.new_table(
                self._whitelabel, key="name", order="id-asc", dated_by=""
            ),
            "crm_phone_numbers": self._workspace.new_table(
                self._phone_numbers, order="id-asc"
            ),
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        tables = self.tables
        group, members = tables["workspace_group_members"], tables["workspace_members"]
        current, billing = "/workspaces/current", "/workspace-billing"
        domain = self._only("workspace_whitelabel_domain")
        return [
            tables["api_keys"].endpoint("/api-keys"),
            api.get(current, self._only("workspace")),
            api.get(f"{current}/whitelabel-domain", domain),
            group.endpoint("/workspace-group-members"),
            group.detail("/workspace-group-members/{id}"),
            members.endpoint("/workspace-members", accepted=api.FLAG, search=api.TEXT),
            members.detail("/workspace-members/{id}"),
            api.get(
                "/crm-actions/phone-numbers", lambda _: tables["crm_phone_numbers"].rows
            ),
            api.get(f"{billing}/plan-details", self._plan),
            api.get(f"{billing}/subscription-details", self._subscriptions),
        ]

    def _only(self, name: str) -> Callable[[Call], Row]:
        """Return what answers with the one row of a table, if it has one."""

        def answer(_: Call) -> Row:
            for row in self.tables[name].rows:
                return row
            raise NotFoundError

        return answer

    def _plan(self, _: Call) -> Row:
        plan: Row = copy.deepcopy(WORDS["plan"])
        plan["organization_id"] = self._workspace.organization
        subscriptions = plan["subscriptions"]
        for subscription in subscriptions.values():
            subscription["current_period_end"] = _PERIOD_END
        outreach, credit = subscriptions["outreach"], subscriptions["credits"]
        outreach["current_lead_count"] = len(self._workspace.tables["leads"])
        credit["available_credits"] = self._workspace.draw("plan").below(2000)
        credit["cancel_at_time"] = _PERIOD_END
        return plan

    def _subscriptions(self, _: Call) -> Row:
        rows = (
            ("pid_hg_v1", "prt_outreach", "plt_primary", 1, 97, None),
            ("pid_addon_25kl_v1", "prt_outreach", "plt_addon", 1, 30, None),
            ("pid_gic_v1", "prt_leadfinder", "plt_primary", 1, 47, _PERIOD_END),
        )
        return {
            "subscriptions": [
                {
                    "workspace_id": self._workspace.organization,
                    "interval": "month",
                    "product_id": product,
                    "product_type": kind,
                    "plan_type": plan,
                    "quantity": quantity,
                    "price_in_dollars": price,
                    "price_id": f"price_{product[4:]}_month",
                    "current_period_end": _PERIOD_END,
                    "cancel_at_time": cancelled,
                }
                for product, kind, plan, quantity, price, cancelled in rows
            ],
            "all_subs_cancelled": False,
        }

    def _own_row(self) -> Iterator[Row]:
        yield {
            "id": self._workspace.organization,
            "timestamp_created": timestamps.write(NEWEST - 1400 * timestamps.DAY),
            "timestamp_updated": timestamps.write(NEWEST - 3 * timestamps.DAY),
            "scheduled_for_removal_at": None,
            "owner": self._workspace.users[0],
            "name": _NAME,
            "plan_id": "pid_hg_v1",
            "plan_id_bundle": None,
            "plan_id_website_visitor": None,
            "plan_id_crm": "pid_crm_g",
            "plan_id_inbox_placement": "pid_ip_g",
            "plan_id_leadfinder": "pid_gic_v1",
            "plan_id_verification": {
                "quantity": 10000,
                "product_id": "pid_verify_v1_monthly",
                "timestamp_updated": timestamps.write(NEWEST - 40 * timestamps.DAY),
            },
            "add_unsub_to_block": True,
            "default_opportunity_value": 1200,
            "org_logo_url": None,
            "org_client_domain": _DOMAIN,
        }

    def _whitelabel(self) -> Iterator[Row]:
        yield {
            "name": _DOMAIN,
            "verified": False,
            "verification": [
                {
                    "type": "TXT",
                    "domain": f"_check.{_DOMAIN}",
                    "value": "token-of-the-domain",
                    "reason": "pending_domain_verification",
                }
            ],
        }

    def _api_keys(self) -> Iterator[Row]:
        """Invent keys, the first of which is the one that opens the sandbox."""
        for number in range(API_KEYS):
            draw = self._workspace.draw("api key", number)
            identity = self._workspace.draw("api key", number, "id").uuid4()
            secret = f"{CANARY_KEY}-{number}-{draw.below(10**12):012d}"
            if number == 0:
                identity, secret = self._workspace.key_parts[0], self._workspace.key
            created = NEWEST - (20 + draw.below(900)) * timestamps.DAY
            yield {
                "id": identity,
                "name": _PURPOSES[number % len(_PURPOSES)],
                "scopes": list(draw.of(_SCOPES)) if number else ["all:read"],
                "key": secret,
                "organization_id": self._workspace.organization,
                "timestamp_created": timestamps.write(created),
                "timestamp_updated": timestamps.write(
                    created + draw.below(20) * timestamps.DAY
                ),
            }

    def _group_members(self) -> Iterator[Row]:
        for number in range(self._workspace.sizes.workspaces):
            draw = self._workspace.draw("group member", number)
            created = NEWEST - (50 + draw.below(500)) * timestamps.DAY
            row: Row = {
                "id": self._workspace.draw("group member", number, "id").uuid4(),
                "admin_workspace_id": self._workspace.organization,
                "sub_workspace_id": self._workspace.member(number).organization,
                "status": _STATES.get(number, "accepted"),
                "timestamp_created": timestamps.write(created),
                "timestamp_updated": timestamps.write(
                    created + draw.below(50) * timestamps.DAY
                ),
            }
            if row["status"] == "accepted":
                row["sub_workspace_name"] = _CLIENTS[number % len(_CLIENTS)]
                row["admin_workspace_name"] = _NAME
            yield row

    def _members(self) -> Iterator[Row]:
        """Invent a member for each of the workspace's users, and some invited ones."""
        owner, *others = self._workspace.users
        invited = [
            self._workspace.draw("invited", number).uuid4() for number in range(INVITED)
        ]
        for number, user in enumerate([owner, *others, *invited]):
            draw = self._workspace.draw("member", number)
            first, last = _PEOPLE[number % len(_PEOPLE)]
            accepted = user not in invited
            row: Row = {
                "id": self._workspace.draw("member", number, "id").uuid4(),
                "email": f"member{number}@example.com",
                "user_id": user,
                "role": _ROLES[number % len(_ROLES)] if accepted else "view",
                "timestamp_created": timestamps.write(
                    NEWEST - (10 * number + draw.below(900)) * timestamps.DAY
                ),
                "workspace_id": self._workspace.organization,
                "accepted": accepted,
            }
            if accepted:
                row["name"] = {"first": first, "last": last}
                row["user_email"] = row["email"]
            if user != owner:
                row["issuer_id"] = owner
                row["permissions"] = list(_PERMISSIONS[: draw.below(5)]) or None
            if draw.once_in(3):
                row["nickname"] = f"{first} (DACH)"
            yield row

    def _phone_numbers(self) -> Iterator[Row]:
        for number in range(PHONE_NUMBERS):
            draw = self._workspace.draw("phone number", number)
            country, place, prefix = _PLACES[number % len(_PLACES)]
            created = NEWEST - (30 + draw.below(300)) * timestamps.DAY
            yield {
                "id": self._workspace.draw("phone number", number, "id").uuid4(),
                "timestamp_created": timestamps.write(created),
                "organization_id": self._workspace.organization,
                "phone_number": f"{prefix}5550{100 + draw.below(100)}",
                "country": country,
                "locality": place,
                "subscription_id": f"sub_{draw.below(10**9):09d}",
                "twilio_sid": f"PN{draw.below(10**16):032d}",
                "renewal_date": timestamps.write(
                    NEWEST + (number + 4) * timestamps.DAY
                )[:10],
                "price": 3.5,
            }
