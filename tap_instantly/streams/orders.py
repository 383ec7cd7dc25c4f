"""Domains and mailboxes that Instantly sets up, done for you."""

from __future__ import annotations

from tap_instantly.api.pages import OBJECT
from tap_instantly.reading.stream import InstantlyStream
from tap_instantly.reading.substream import ParentStreamConfig, SubstreamStream


class DFYEmailAccountOrdersStream(InstantlyStream):
    """Domains and mailboxes that Instantly has been asked to set up."""

    name = "dfy_email_account_orders"
    path = "/dfy-email-account-orders"
    required_scope = "dfy_email_account_orders:read"
    primary_keys = ("workspace_id", "domain", "timestamp_created")
    replication_key = "timestamp_created"
    full_table_by_default = True
    selected_by_default = False


class DFYEmailAccountOrderAccountsStream(InstantlyStream):
    """Mailboxes that Instantly has set up."""

    name = "dfy_email_account_order_accounts"
    path = "/dfy-email-account-orders/accounts"
    required_scope = "dfy_email_account_orders:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    secret_fields = ("password", "app_password")
    full_table_by_default = True
    selected_by_default = False


class DomainForwardingStream(SubstreamStream):
    """Where visitors of an ordered domain are sent."""

    name = "domain_forwarding"
    path = "/domains/{domain}/forwarding"
    required_scope = "dfy_email_account_orders:read"
    primary_keys = ("domain",)
    data_selector = OBJECT
    parents = (ParentStreamConfig(DFYEmailAccountOrdersStream, "domain", key="domain"),)


STREAMS = (
    DFYEmailAccountOrdersStream,
    DFYEmailAccountOrderAccountsStream,
    DomainForwardingStream,
)
