"""Personal data: each column that holds some is marked, and the marks are passed on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from scripts.personal_data import KEYWORD, KINDS, fields, personal_columns, schemas
from tap_instantly.tap import TapInstantly
from tests.conftest import UNLIMITED, Json, Output, captured, catalog_of

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox

SUSPICIOUS_NAME = re.compile(
    r"mail|address|name|phone|body|subject|(^|_)ip|linkedin|lead|person|user|sender"
    r"|recipient|title|text|content|html|message|signature|(^|_)cc|reply|payload|data"
    r"|from|to$|url|domain|description|label|reason|words|note|input|variable"
)
SUSPICIOUS_DESCRIPTION = re.compile(
    r"\b([Aa]ddress(es)?|[Pp]erson|[Pp]eople|[Tt]elephone|IP|[Ww]ords?)\b"
)

NOT_PERSONAL = {
    "what people call a thing of the workspace": [
        "*.campaign_name",
        "*agent*.name",
        "*_name",
        "*label",
        "ai_inbox_managers.name",
        "ai_sales_agent_guidance_rules.title",
        "api_keys.name",
        "campaigns.name",
        "inbox_placement_tests.name",
        "lead_lists.name",
        "subsequences.name",
        "webhooks.name",
        "workspace.name",
        "*schedules[[]].name",
    ],
    "an id, which says nothing without Instantly": [
        "*_id",
        "webhook_event_types.id",
        "workspace.plan_id_*",
        "leads.assigned_to",
        "leads.uploaded_by_user",
    ],
    "a word out of a short list": [
        "*_code",
        "*.kind",
        "*.recovery_method",
        "*.role",
        "*.type",
        "*_type",
        "*status",
        "*tracking_domain_status",
        "ai_sales_agent_activities.action_*",
        "workspace_billing_plan_details.addons.*.purchase_blocked_reason",
        "workspace_members.permissions",
    ],
    "a domain or a server of the workspace or of its providers": [
        "*.domain",
        "*.forwarding_domain",
        "*.tracking_domain_name",
        "inbox_placement_analytics.smtp_ip_blacklist_report",
        "inbox_placement_reports.blacklist_report.address",
        "inbox_placement_reports.blacklist_report.ip",
        "inbox_placement_reports.domain_ip",
        "inbox_placement_reports.spam_assassin_report*",
        "inbox_placement_tests.automations[[]].then.webhook_url",
        "webhook_events.webhook_url",
        "webhooks.target_hook_url",
        "workspace.org_*",
        "workspace_whitelabel_domain.*",
    ],
    "figures": [
        "*.diagnostics.*",
        "*_per_day",
        "leads.pl_value_lead",
    ],
    "how something is set": [
        "campaigns.core_variables",
        "campaigns.custom_variables",
        "campaigns.email_tag_list",
        "campaigns.limit_emails_per_company_override",
        "campaigns.provider_routing_rules*",
        "inbox_placement_tests.recipients_labels",
        "inbox_placement_tests.schedule.*",
        "subsequences.conditions.*",
        "*.timing.*",
        "*_mode",
        "account*.warmup.warmup_custom_ftag",
        "ai_inbox_managers.metadata.tags",
    ],
    "the ends of a stretch of time": [
        "inbox_placement_deliverability_insights.*",
    ],
}
"""Columns that sound as if they were about people, and why they are not marked."""


def is_covered(path: str, marked: set[str]) -> bool:
    """Tell whether a column is marked, in one that is, or around one that is."""
    return path in marked or any(
        path.startswith((f"{each}.", f"{each}[]"))
        or each.startswith((f"{path}.", f"{path}[]"))
        for each in marked
    )


def is_suspicious(path: str, schema: Json) -> bool:
    """Tell whether a column may be about people, by its name, words or openness."""
    kinds = {*schema["type"]} if isinstance(schema["type"], list) else {schema["type"]}
    if not kinds & {"string", "array", "object"} or "format" in schema:
        return False
    is_open = "object" in kinds and not schema.get("properties")
    return is_open or bool(
        SUSPICIOUS_NAME.search(path.rpartition(".")[2])
        or SUSPICIOUS_DESCRIPTION.search(schema.get("description", ""))
    )


def test_every_column_is_marked_or_explained() -> None:
    """What sounds as if it were about people is marked, or it is said why not."""
    patterns = [pattern for each in NOT_PERSONAL.values() for pattern in each]
    unexplained, needed = [], set()
    for stream, schema in schemas().items():
        columns = dict(fields(schema))
        marked = {path for path, inner in columns.items() if KEYWORD in inner}
        for path, inner in columns.items():
            if is_suspicious(path, inner) and not is_covered(path, marked):
                name = f"{stream}.{path}"
                found = {each for each in patterns if fnmatchcase(name, each)}
                needed |= found
                if not found:
                    unexplained.append(name)
    assert not unexplained
    assert needed == {*patterns}, "an exception has become needless"


def test_kinds() -> None:
    """Each mark is of a known kind, and each kind is in use."""
    used = {
        kind for columns in personal_columns().values() for kind in columns.values()
    }
    assert used == KINDS.keys()


def marks_in(schema: Json) -> dict[str, str]:
    """Return the kind of each marked column but `additional_fields`."""
    assert schema["properties"].pop("additional_fields")[KEYWORD] == "details"
    return {path: inner[KEYWORD] for path, inner in fields(schema) if KEYWORD in inner}


@pytest.mark.usefixtures("no_waits")
def test_the_mark_is_passed_on(sandbox: Sandbox) -> None:
    """SCHEMA messages have it, unless they follow a catalog: the SDK's have not."""
    config = {"api_key": sandbox.key, "api_url": sandbox.url}
    with captured() as stdout:
        TapInstantly(config=config | {"max_requests_per_minute": UNLIMITED}).sync_all()
    passed_on = {
        message["stream"]: marks_in(message["schema"])
        for message in Output(stdout.getvalue().decode()).of("SCHEMA")
    }
    marked = personal_columns()
    assert passed_on == {stream: marked.get(stream, {}) for stream in passed_on}
    assert KEYWORD not in json.dumps(catalog_of("lead_labels"))


def test_the_mark_reaches_airbyte(tmp_path: Path) -> None:
    """`source-instantly discover` prints it."""
    config = tmp_path / "config.json"
    config.write_text('{"api_key": "made-up"}', encoding="utf-8")
    command = Path(sys.executable).with_name("source-instantly")
    done = subprocess.run(
        [command, "discover", "--config", config],
        capture_output=True,
        check=True,
        timeout=60,
    )
    messages = map(json.loads, done.stdout.splitlines())
    [catalog] = [each["catalog"] for each in messages if each["type"] == "CATALOG"]
    marked = personal_columns()
    for stream in catalog["streams"]:
        assert marks_in(stream["json_schema"]) == marked.get(stream["name"], {})
