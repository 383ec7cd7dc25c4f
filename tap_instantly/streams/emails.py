"""E-mails."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.incremental import TimeFilter
from tap_instantly.stream import InstantlyStream


class EmailsStream(InstantlyStream):
    """Sent and received e-mails: https://developer.instantly.ai/api-reference/email/list-email."""

    name = "emails"
    path = "/emails"
    scope = "emails:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    parameters = (("sort_order", "asc"),)
    time_filter = TimeFilter(
        "min_timestamp_created", "max_timestamp_created", by_day=False
    )
    lookback = timedelta(minutes=2)
    is_resumable = True
