"""Domains and mailboxes that Instantly sets up, done for you."""

from __future__ import annotations

from tap_instantly.fan_out import FanOutStream, Parent
from tap_instantly.pages import OBJECT
from tap_instantly.stream import InstantlyStream


class DFYEmailAccountOrdersStream(InstantlyStream):
    """Domains and mailboxes that Instantly has been asked to set up."""

    name = "dfy_email_account_orders"
    path = "/dfy-email-account-orders"
    scope = "dfy_email_account_orders:read"
    primary_keys = ("workspace_id", "domain", "timestamp_created")
    replication_key = "timestamp_created"
    is_edited = True
    selected_by_default = False


class DFYEmailAccountOrderAccountsStream(InstantlyStream):
    """Mailboxes that Instantly has set up."""

    name = "dfy_email_account_order_accounts"
    path = "/dfy-email-account-orders/accounts"
    scope = "dfy_email_account_orders:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    never_emitted = ("password", "app_password")
    is_edited = True
    selected_by_default = False


class DomainForwardingStream(FanOutStream):
    """Where visitors of an ordered domain are sent."""

    name = "domain_forwarding"
    path = "/domains/{domain}/forwarding"
    scope = "dfy_email_account_orders:read"
    primary_keys = ("domain",)
    answer = OBJECT
    parents = (Parent(DFYEmailAccountOrdersStream, key="domain"),)
    stamp = "domain"
