"""E-mails."""

from __future__ import annotations

from datetime import timedelta

from tap_instantly.incremental import MILLISECOND, DatetimeFilter
from tap_instantly.reading.stream import InstantlyStream


class EmailsStream(InstantlyStream):
    """Sent and received e-mails: https://developer.instantly.ai/api-reference/email/list-email."""

    name = "emails"
    path = "/emails"
    required_scope = "emails:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    params = (("sort_order", "asc"),)
    datetime_filter = DatetimeFilter(
        "min_timestamp_created", "max_timestamp_created", MILLISECOND
    )
    lookback_window = timedelta(minutes=2)
    checkpoints_in_order = True


STREAMS = (EmailsStream,)
