"""The settings of tap-attention and target-attention."""

from __future__ import annotations

from singer_sdk import typing as th

from tap_instantly.attention.vendor import ATTENTION
from tap_instantly.settings import (
    READING,
    api_key,
    api_url,
    max_requests_per_minute,
    user_agent,
)
from tap_instantly.target.settings import POLICY, RUN, match_by, renames

API = (
    api_key("Key of the Attention API v2, with or without `Bearer` before it."),
    th.Property(
        "auth_prefix",
        th.StringType(allowed_values=["Bearer", ""]),
        default="Bearer",
        title="Prefix of the key",
        description=(
            "What goes before the key in the header `Authorization`: `Bearer`, as "
            "Attention's guide has it, or nothing."
        ),
    ),
    api_url(ATTENTION),
    max_requests_per_minute(
        300,
        "How many requests a minute a run may make. Attention does not say how many it "
        "allows.",
    ),
)

TAP_SETTINGS = th.PropertiesList(
    *API, user_agent("tap-attention"), *READING, additional_properties=False
)

OWN = (
    match_by("label", "uuid"),
    renames(
        ", in scorecards and collections, too. Without it no label is renamed, not "
        "even one that is matched by `uuid`."
    ),
    th.Property(
        "delete",
        th.StringType,
        default="never",
        title="Delete",
        description=(
            "What is deleted: nothing (`never`), because Attention does not document "
            "how a label is deleted."
        ),
    ),
)
"""The settings that differ from those of target-instantly."""

NOT_NEEDED = {"reassigned_status", "allow_enrichment", *(each.name for each in OWN)}

TARGET_SETTINGS = th.PropertiesList(
    *API,
    user_agent("target-attention"),
    *OWN,
    *(each for each in (*POLICY, *RUN) if each.name not in NOT_NEEDED),
    additional_properties=False,
)
