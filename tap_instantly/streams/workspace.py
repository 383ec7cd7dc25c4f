"""The workspace: its people, plan, keys and logs."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.api.pages import ARRAY, OBJECT, RecordSelector
from tap_instantly.incremental import MILLISECOND, DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream


class WorkspaceStream(InstantlyStream):
    """The workspace that the key belongs to."""

    name = "workspace"
    path = "/workspaces/current"
    required_scope = "workspaces:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    data_selector = OBJECT


class WorkspaceWhitelabelDomainStream(InstantlyStream):
    """The domain under which an agency shows Instantly."""

    name = "workspace_whitelabel_domain"
    path = "/workspaces/current/whitelabel-domain"
    required_scope = "workspaces:read"
    primary_keys = ("name",)
    data_selector = OBJECT
    optional_404 = True
    selected_by_default = False


class WorkspaceMembersStream(InstantlyStream):
    """People who may use the workspace."""

    name = "workspace_members"
    path = "/workspace-members"
    required_scope = "workspace_members:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    full_table_by_default = True


class WorkspaceGroupMembersStream(InstantlyStream):
    """Workspaces of a group, for the one that administers it."""

    name = "workspace_group_members"
    path = "/workspace-group-members"
    required_scope = "workspace_group_members:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    selected_by_default = False


class WorkspaceBillingPlanDetailsStream(InstantlyStream):
    """What the workspace's plan allows."""

    name = "workspace_billing_plan_details"
    path = "/workspace-billing/plan-details"
    required_scope = "workspace_billing:read"
    primary_keys = ("organization_id",)
    data_selector = OBJECT


class WorkspaceBillingSubscriptionsStream(InstantlyStream):
    """What the workspace pays for."""

    name = "workspace_billing_subscriptions"
    path = "/workspace-billing/subscription-details"
    required_scope = "workspace_billing:read"
    primary_keys = ("workspace_id", "product_id", "price_id")
    data_selector = RecordSelector("subscriptions")


class APIKeysStream(InstantlyStream):
    """Keys of the API, without what makes them keys."""

    name = "api_keys"
    path = "/api-keys"
    required_scope = "api_keys:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"
    secret_fields = ("key",)


class AuditLogsStream(InstantlyStream):
    """What has been done in the workspace, and by whom."""

    name = "audit_logs"
    path = "/audit-logs"
    required_scope = "audit_logs:read"
    primary_keys = ("id",)
    replication_key = "timestamp"
    datetime_filter = DatetimeFilter("start_date", "end_date", MILLISECOND)
    lookback_window = timedelta(days=1)
    limited_retention = True


class BackgroundJobsStream(InstantlyStream):
    """Imports, exports and other work that takes its time."""

    name = "background_jobs"
    path = "/background-jobs"
    required_scope = "background-jobs:read"  # with a hyphen, unlike most
    primary_keys = ("id",)
    replication_key = "updated_at"
    created_key = "created_at"
    newest_update_first = (("sort_column", "updated_at"), ("sort_order", "desc"))


class BlockListEntriesStream(InstantlyStream):
    """Addresses and domains that nobody writes to."""

    name = "block_list_entries"
    path = "/block-lists-entries"
    required_scope = "block_list_entries:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    full_table_by_default = True


class CRMPhoneNumbersStream(InstantlyStream):
    """Phone numbers for calls and texts."""

    name = "crm_phone_numbers"
    path = "/crm-actions/phone-numbers"
    required_scope = "crm_actions:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    data_selector = ARRAY
    full_table_by_default = True
    selected_by_default = False


STREAMS = (
    WorkspaceStream,
    WorkspaceWhitelabelDomainStream,
    WorkspaceMembersStream,
    WorkspaceGroupMembersStream,
    WorkspaceBillingPlanDetailsStream,
    WorkspaceBillingSubscriptionsStream,
    APIKeysStream,
    AuditLogsStream,
    BackgroundJobsStream,
    BlockListEntriesStream,
    CRMPhoneNumbersStream,
)
