"""The workspace: its people, plan, keys and logs."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.incremental import TimeFilter
from tap_instantly.pages import ARRAY, OBJECT, Answer
from tap_instantly.stream import InstantlyStream


class WorkspaceStream(InstantlyStream):
    """The workspace that the key belongs to."""

    name = "workspace"
    path = "/workspaces/current"
    scope = "workspaces:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    answer = OBJECT


class WorkspaceWhitelabelDomainStream(InstantlyStream):
    """The domain under which an agency shows Instantly."""

    name = "workspace_whitelabel_domain"
    path = "/workspaces/current/whitelabel-domain"
    scope = "workspaces:read"
    primary_keys = ("name",)
    answer = OBJECT
    is_optional = True
    selected_by_default = False


class WorkspaceMembersStream(InstantlyStream):
    """People who may use the workspace."""

    name = "workspace_members"
    path = "/workspace-members"
    scope = "workspace_members:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True


class WorkspaceGroupMembersStream(InstantlyStream):
    """Workspaces of a group, for the one that administers it."""

    name = "workspace_group_members"
    path = "/workspace-group-members"
    scope = "workspace_group_members:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


class WorkspaceBillingPlanDetailsStream(InstantlyStream):
    """What the workspace's plan allows."""

    name = "workspace_billing_plan_details"
    path = "/workspace-billing/plan-details"
    scope = "workspace_billing:read"
    primary_keys = ("organization_id",)
    answer = OBJECT


class WorkspaceBillingSubscriptionsStream(InstantlyStream):
    """What the workspace pays for."""

    name = "workspace_billing_subscriptions"
    path = "/workspace-billing/subscription-details"
    scope = "workspace_billing:read"
    primary_keys = ("workspace_id", "product_id", "price_id")
    answer = Answer("subscriptions")


class APIKeysStream(InstantlyStream):
    """Keys of the API, without what makes them keys."""

    name = "api_keys"
    path = "/api-keys"
    scope = "api_keys:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    never_emitted = ("key",)


class AuditLogsStream(InstantlyStream):
    """What has been done in the workspace, and by whom."""

    name = "audit_logs"
    path = "/audit-logs"
    scope = "audit_logs:read"
    primary_keys = ("id",)
    replication_key = "timestamp"
    time_filter = TimeFilter("start_date", "end_date", by_day=False)
    lookback = timedelta(days=1)
    is_forgotten = True


class BackgroundJobsStream(InstantlyStream):
    """Imports, exports and other work that takes its time."""

    name = "background_jobs"
    path = "/background-jobs"
    scope = "background-jobs:read"  # with a hyphen, unlike most
    primary_keys = ("id",)
    replication_key = "updated_at"
    dated_by = "created_at"


class BlockListEntriesStream(InstantlyStream):
    """Addresses and domains that nobody writes to."""

    name = "block_list_entries"
    path = "/block-lists-entries"
    scope = "block_list_entries:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True


class CRMPhoneNumbersStream(InstantlyStream):
    """Phone numbers for calls and texts."""

    name = "crm_phone_numbers"
    path = "/crm-actions/phone-numbers"
    scope = "crm_actions:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    answer = ARRAY
    is_edited = True
    selected_by_default = False
