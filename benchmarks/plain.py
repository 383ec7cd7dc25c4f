"""The tap that the SDK's template gives, for labels and campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT, TIME = th.StringType, th.DateTimeType
NUMBER, YES, TEXTS = th.NumberType, th.BooleanType, th.ArrayType(th.StringType)


def fields(**types: Any) -> th.ObjectType:
    """Return an object with some fields."""
    return th.ObjectType(*(th.Property(name, types[name]) for name in types))


OPEN = th.ObjectType(additional_properties=True)
TIMING = fields(**{"from": TEXT, "to": TEXT})
SCHEDULE = fields(name=TEXT, timing=TIMING, days=OPEN, timezone=TEXT)
VARIANT = fields(subject=TEXT, body=TEXT, v_disabled=YES)
STEP = fields(type=TEXT, delay=NUMBER, variants=th.ArrayType(VARIANT))


class PlainStream(RESTStream[str]):
    """A list of the API."""

    primary_keys = ("id",)
    records_jsonpath = "$.items[*]"
    next_page_token_jsonpath = "$.next_starting_after"  # noqa: S105 - a path

    @property
    def url_base(self) -> str:
        """The address that all paths follow."""
        return str(self.config["api_url"])

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """What signs the requests."""
        return BearerTokenAuthenticator(token=self.config["api_key"])

    def get_url_params(
        self,
        context: Any,  # noqa: ANN401, ARG002 - as the SDK calls it
        next_page_token: str | None,
    ) -> dict[str, Any]:
        """Return the query of a page."""
        params: dict[str, Any] = {"limit": 100}
        if next_page_token:
            params["starting_after"] = next_page_token
        return params


class LeadLabels(PlainStream):
    """Labels."""

    name = "lead_labels"
    path = "/lead-labels"
    replication_key = "timestamp_created"
    schema = fields(
        **dict.fromkeys(("id", "created_by", "organization_id", "label"), TEXT),
        **dict.fromkeys(("interest_status_label", "description"), TEXT),
        timestamp_created=TIME,
        interest_status=NUMBER,
        use_with_ai=YES,
        access_grants=th.ArrayType(fields(user_id=TEXT, role=TEXT)),
    ).to_dict()


class Campaigns(PlainStream):
    """Campaigns."""

    name = "campaigns"
    path = "/campaigns"
    replication_key = "timestamp_updated"
    schema = fields(
        **dict.fromkeys(("id", "name", "organization", "owned_by", "ai_sdr_id"), TEXT),
        **dict.fromkeys(("timestamp_created", "timestamp_updated"), TIME),
        **dict.fromkeys(("pl_value", "status", "email_gap", "daily_limit"), NUMBER),
        **dict.fromkeys(("random_wait_max", "not_sending_status"), NUMBER),
        **dict.fromkeys(("daily_max_leads",), th.IntegerType),
        **dict.fromkeys(("is_evergreen", "text_only", "stop_on_reply"), YES),
        **dict.fromkeys(("first_email_text_only", "link_tracking"), YES),
        **dict.fromkeys(("open_tracking", "stop_on_auto_reply"), YES),
        **dict.fromkeys(("prioritize_new_leads", "match_lead_esp"), YES),
        **dict.fromkeys(("stop_for_company", "insert_unsubscribe_header"), YES),
        **dict.fromkeys(("allow_risky_contacts", "disable_bounce_protect"), YES),
        **dict.fromkeys(("email_list", "email_tag_list", "cc_list", "bcc_list"), TEXTS),
        **dict.fromkeys(("core_variables", "custom_variables"), OPEN),
        campaign_schedule=fields(
            start_date=TEXT, end_date=TEXT, schedules=th.ArrayType(SCHEDULE)
        ),
        sequences=th.ArrayType(fields(steps=th.ArrayType(STEP))),
        auto_variant_select=fields(trigger=TEXT),
        limit_emails_per_company_override=fields(
            mode=TEXT, daily_limit=NUMBER, scope=TEXT
        ),
        provider_routing_rules=th.ArrayType(
            fields(action=TEXT, recipient_esp=TEXTS, sender_esp=TEXTS)
        ),
    ).to_dict()


class TapPlain(Tap):
    """The tap."""

    name = "tap-plain"
    config_jsonschema = fields(api_url=TEXT, api_key=TEXT).to_dict()

    def discover_streams(self) -> Sequence[PlainStream]:
        """Return both streams."""
        return [LeadLabels(self), Campaigns(self)]


if __name__ == "__main__":
    TapPlain.cli()
