"""Tags, and what carries them."""

from __future__ import annotations

from tap_instantly.reading.stream import InstantlyStream


class CustomTagsStream(InstantlyStream):
    """Tags for mailboxes and campaigns."""

    name = "custom_tags"
    path = "/custom-tags"
    required_scope = "custom_tags:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class CustomTagMappingsStream(InstantlyStream):
    """Mailboxes and campaigns that carry a tag."""

    name = "custom_tag_mappings"
    path = "/custom-tag-mappings"
    required_scope = "custom_tag_mappings:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    full_table_by_default = True


STREAMS = (
    CustomTagsStream,
    CustomTagMappingsStream,
)
