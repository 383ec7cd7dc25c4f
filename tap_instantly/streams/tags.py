"""Tags, and what carries them."""

from __future__ import annotations

from tap_instantly.stream import InstantlyStream


class CustomTagsStream(InstantlyStream):
    """Tags for mailboxes and campaigns."""

    name = "custom_tags"
    path = "/custom-tags"
    scope = "custom_tags:read"
    primary_keys = ("id",)
    replication_key = "timestamp_updated"


class CustomTagMappingsStream(InstantlyStream):
    """Mailboxes and campaigns that carry a tag."""

    name = "custom_tag_mappings"
    path = "/custom-tag-mappings"
    scope = "custom_tag_mappings:read"
    primary_keys = ("id",)
    replication_key = "timestamp_created"
    is_edited = True
