"""`python -m scripts.drift`, against documents made from the tap's own schemas."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.sandbox.families.registry import endpoints_of
from tap_instantly.sandbox.families.workspace import Sizes, Workspace
from tap_instantly.sandbox.store.switches import Switches
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.reading.stream import InstantlyStream
    from tap_instantly.sandbox.store.api import Endpoint, Parameter
    from tests.conftest import Json

EXPLAINED = Path(__file__).parents[1] / "scripts" / "drift" / "explained.json"
NOTHING = "0 unexplained, 0 explained"
ONE = "1 unexplained, 0 explained"


def documented(stream: InstantlyStream) -> Json:
    """Return the OpenAPI operation of an endpoint, exactly as the tap has it."""
    row = {"type": "object", "properties": stream.schema["properties"]}
    names = {*dict(stream.params), *dict(stream.newest_update_first)}
    if stream.data_selector.is_paged:
        names |= stream.paginator_class.page_params("0").keys()
    if stream.datetime_filter:
        names |= {stream.datetime_filter.start_param, stream.datetime_filter.end_param}
    if isinstance(stream, SubstreamStream):
        names |= {p.request_param for p in stream.parents if p.request_param}
    if stream.name == "warmup_analytics":
        day = {"type": "object", "additionalProperties": row}
        days = {"type": "object", "additionalProperties": day}
        response = having(email_date_data=days, aggregate_data=day)
    else:
        response = {"type": "array", "items": row} if stream.data_selector.many else row
    if stream.data_selector.field:
        response = having(**{stream.data_selector.field: response})
    if stream.data_selector.has_cursor:
        response["properties"]["next_starting_after"] = {"type": "string"}
    operation: Json = {"responses": {"200": of_json(response)}}
    if stream.http_method == "POST":
        operation["requestBody"] = of_json(having(**{name: {} for name in names}))
    else:
        operation["parameters"] = [{"name": name, "in": "query"} for name in names]
    return operation


def having(**properties: Json) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "properties": properties}


def of_json(schema: Json) -> Json:
    """Return the OpenAPI description of a JSON body."""
    return {"content": {"application/json": {"schema": schema}}}


STREAMS = t.cast(
    "list[InstantlyStream]",
    list(TapInstantly(config={"api_key": "none"}).streams.values()),
)


def documented_body(endpoint: Endpoint) -> Json:
    """Return the OpenAPI operation of a write, exactly as the sandbox has it."""
    if not endpoint.body:
        return {"requestBody": of_json({"type": "null"}), "responses": {}}
    body = having(**{name: property_of(field) for name, field in endpoint.body.items()})
    body["required"] = [name for name, field in endpoint.body.items() if field.required]
    return {"requestBody": of_json(body), "responses": {}}


def property_of(field: Parameter) -> Json:
    """Return the schema of a field of a body."""
    schema: Json = {"type": [field.kind, *["null"] * field.nullable]}
    if field.choices:
        schema["enum"] = [*field.choices]
    if not field.many:
        return schema
    limits = {"minItems": field.least, "maxItems": field.most}
    given = {word: limit for word, limit in limits.items() if limit}
    return {"type": "array", "items": schema, **given}


def paths() -> Json:
    """Return the paths of an API that is exactly as tap and sandbox have it."""
    found: Json = {
        f"/api/v2{stream.path.replace('_id}', '}')}": {
            stream.http_method.lower(): documented(stream)
        }
        for stream in STREAMS
    }
    for endpoint in endpoints_of(Workspace(1, Sizes(), 1, Switches())):
        if endpoint.writes:
            item = found.setdefault(f"/api/v2{endpoint.path}", {})
            item[endpoint.method.lower()] = documented_body(endpoint)
    return found


DOCUMENT = json.dumps(
    {"openapi": "3.1.0", "paths": paths(), "components": {"schemas": {}}}
)


@pytest.fixture
def document() -> Json:
    """Return a document from which the tap does not differ."""
    content: Json = json.loads(DOCUMENT)
    return content


def operation(document: Json, path: str) -> Json:
    """Return the operation that reads a path."""
    found, *_ = document["paths"][f"/api/v2{path}"].values()
    return t.cast("Json", found)


def response_schema(document: Json, path: str) -> Json:
    """Return the schema of a path's response."""
    content = operation(document, path)["responses"]["200"]["content"]
    return t.cast("Json", content["application/json"]["schema"])


def body(document: Json, method: str, path: str) -> Json:
    """Return the schema of what a request sends."""
    content = document["paths"][f"/api/v2{path}"][method]["requestBody"]["content"]
    return t.cast("Json", content["application/json"]["schema"])


def labels(document: Json) -> Json:
    """Return the schema of a label."""
    items = response_schema(document, "/lead-labels")["properties"]["items"]
    return t.cast("Json", items["items"])


class Drift(t.Protocol):
    """Runs the command."""

    def __call__(
        self, source: Json | str, *options: str, explained: Json | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Compare the tap with a document, or with what a file or URL holds."""


@pytest.fixture
def drift(tmp_path: Path) -> Drift:
    """Return a function that runs the command, by default with nothing explained."""

    def run(
        source: Json | str, *options: str, explained: Json | None = None
    ) -> subprocess.CompletedProcess[str]:
        if not isinstance(source, str):
            file = tmp_path / "document.json"
            file.write_text(json.dumps(source), encoding="utf-8")
            source = str(file)
        reasons = tmp_path / "explained.json"
        reasons.write_text(json.dumps(explained or {}), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "scripts.drift", source]
            + (list(options) or [f"--explained={reasons}"]),
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def check(done: subprocess.CompletedProcess[str], *lines: str) -> None:
    """Expect these lines, and the exit code that belongs to the last one."""
    assert done.stderr == ""
    assert done.stdout.splitlines() == list(lines)
    assert done.returncode == (not lines[-1].startswith("0 "))


def test_nothing_to_report(document: Json, drift: Drift) -> None:
    """The document may use other names for path parameters."""
    assert "/api/v2/campaigns/{campaign}/sending-status" in document["paths"]
    check(drift(document), NOTHING)


def test_paths_without_their_prefix(document: Json, drift: Drift) -> None:
    """`servers` may hold the prefix instead."""
    document["paths"] = {
        path.removeprefix("/api/v2"): item for path, item in document["paths"].items()
    }
    check(drift(document), NOTHING)


def test_fields_that_the_tap_lacks(document: Json, drift: Drift) -> None:
    """Of a field with fields of its own, only the outermost is reported."""
    colour = having(name={"type": ["string", "null"]}, shades={"type": "array"})
    labels(document)["properties"]["colour"] = colour
    campaigns = response_schema(document, "/campaigns")["properties"]["items"]["items"]
    sequence = campaigns["properties"]["sequences"]["items"]
    sequence["properties"]["edited_at"] = {"type": "string", "format": "date-time"}
    per_day = response_schema(document, "/accounts/warmup-analytics")["properties"]
    rows = per_day["email_date_data"]["additionalProperties"]["additionalProperties"]
    rows["properties"]["opened"] = {"type": "integer"}
    check(
        drift(document),
        "lead_labels: lacks `colour` (object)",
        "campaigns: lacks `sequences[].edited_at` (date-time)",
        "warmup_analytics: lacks `opened` (integer)",
        "3 unexplained, 0 explained",
    )


def test_field_that_is_not_documented(document: Json, drift: Drift) -> None:
    """A field that only the tap has is reported."""
    del labels(document)["properties"]["use_with_ai"]
    check(drift(document), "lead_labels: `use_with_ai` is not documented", ONE)


@pytest.mark.parametrize(
    ("field", "schema", "words"),
    [
        ("label", {"type": ["integer", "null"]}, "integer, and string here"),
        ("interest_status", {"type": "integer"}, "integer, and number here"),
        ("timestamp_created", {"type": "string"}, "string, and date-time here"),
        (
            "label",
            {"oneOf": [{"type": "string"}, {"type": "array"}, {"type": "null"}]},
            "array or string, and string here",
        ),
    ],
    ids=["type", "kind of number", "format", "several"],
)
def test_type_that_differs(
    document: Json, drift: Drift, field: str, schema: Json, words: str
) -> None:
    """Types are compared, and the formats of dates and date-times."""
    labels(document)["properties"][field] = schema
    check(drift(document), f"lead_labels: `{field}` is documented as {words}", ONE)


def test_schema_in_other_words(document: Json, drift: Drift) -> None:
    """References, unions, null, enums and other formats make no difference."""
    label = labels(document)
    first, *others = label["properties"].items()
    parts = {
        "Label": {
            "allOf": [
                {"$ref": "#/components/schemas/Identified"},
                {"anyOf": [{"properties": dict(others)}, {"type": "null"}]},
            ],
        },
        "Identified": having(**dict([first])) | {"nullable": True},
        "Word": {"type": "string", "enum": ["yes"], "format": "uuid"},
    }
    label["properties"]["label"] = {"$ref": "#/components/schemas/Word"}
    parts["Label"]["allOf"][1]["anyOf"][0]["properties"]["label"] = {
        "oneOf": [{"$ref": "#/components/schemas/Word"}, {"type": "null"}]
    }
    document["components"]["schemas"] = parts
    label.clear()
    label["$ref"] = "#/components/schemas/Label"
    check(drift(document), NOTHING)


def test_schema_that_holds_itself(document: Json, drift: Drift) -> None:
    """A recursive schema is followed once."""
    tree = having(twigs={"items": {"$ref": "#/components/schemas/Tree"}})
    document["components"]["schemas"]["Tree"] = tree
    labels(document)["properties"]["tree"] = {"$ref": "#/components/schemas/Tree"}
    check(drift(document), "lead_labels: lacks `tree` (object)", ONE)


def test_endpoint_that_no_stream_reads(document: Json, drift: Drift) -> None:
    """Every new GET is reported, but a new POST is not: it may not be for reading."""
    new = {"responses": {"200": of_json(having())}}
    document["paths"]["/api/v2/moods/{mood}"] = {"get": new, "post": new}
    check(drift(document), "GET /moods/{}: no stream reads it", ONE)


def test_endpoint_that_is_not_documented(document: Json, drift: Drift) -> None:
    """Its stream is reported once."""
    del document["paths"]["/api/v2/leads/list"]
    check(drift(document), "leads: POST /leads/list is not documented", ONE)


def test_parameters(document: Json, drift: Drift) -> None:
    """Parameters that are unknown, or required and not sent, are reported."""
    emails = operation(document, "/emails")["parameters"]
    emails[:] = [p for p in emails if p["name"] != "min_timestamp_created"]
    emails.append({"name": "mood", "in": "query", "required": True})
    leads = operation(document, "/leads/list")["requestBody"]
    del leads["content"]["application/json"]["schema"]["properties"]["starting_after"]
    check(
        drift(document),
        "leads: sends `starting_after`, which is not documented",
        "emails: sends `min_timestamp_created`, which is not documented",
        "emails: does not send `mood`, which is required",
        "3 unexplained, 0 explained",
    )


def test_write_that_is_not_documented(document: Json, drift: Drift) -> None:
    """It is reported, but a write that only the document has is not."""
    label = document["paths"]["/api/v2/lead-labels/{id}"]
    label["put"] = label.pop("patch")
    check(
        drift(document),
        "sandbox: PATCH /lead-labels/{} is not documented",
        "target: PATCH /lead-labels/{} is not documented",
        "2 unexplained, 0 explained",
    )


def test_body_of_other_fields(document: Json, drift: Drift) -> None:
    """Fields that either side lacks are reported."""
    fields = body(document, "post", "/lead-labels")["properties"]
    fields["mood"] = {"type": ["string", "null"], "enum": ["good", "bad", None]}
    del fields["use_with_ai"]
    body(document, "delete", "/lead-lists/{id}").update(having(force={}))
    check(
        drift(document),
        "sandbox: POST /lead-labels: lacks `mood` (null or string, one of bad, good)",
        "sandbox: POST /lead-labels: `use_with_ai` is not documented",
        "sandbox: DELETE /lead-lists/{}: lacks `force` (anything)",
        "target: POST /lead-labels: lacks `mood` (null or string, one of bad, good)",
        "target: POST /lead-labels: `use_with_ai` is not documented",
        "5 unexplained, 0 explained",
    )


@pytest.mark.parametrize(
    ("path", "name", "changes", "there", "here"),
    [
        (
            "/lead-labels",
            "label",
            {"type": "number"},
            "required number",
            "required string",
        ),
        (
            "/lead-labels",
            "description",
            {"type": "string"},
            "string",
            "null or string",
        ),
        (
            "/custom-tags/toggle-resource",
            "resource_type",
            {"enum": [1, 2, 3]},
            "required number, one of 1, 2, 3",
            "required number, one of 1, 2",
        ),
        (
            "/block-lists-entries/bulk-delete",
            "ids",
            {"maxItems": 500},
            "required array of string, at least 1, at most 500",
            "required array of string, at least 1, at most 1000",
        ),
        (
            "/block-lists-entries/bulk-create",
            "bl_values",
            {"items": {"type": "object"}, "minItems": 0},
            "required array of object, at most 1000",
            "required array of string, at least 1, at most 1000",
        ),
    ],
    ids=["type", "null", "choices", "most items", "items"],
)
def test_field_of_a_body_that_differs(  # noqa: PLR0913 - a line of the table above
    *,
    document: Json,
    drift: Drift,
    path: str,
    name: str,
    changes: Json,
    there: str,
    here: str,
) -> None:
    """Types, null, choices and numbers of items are compared, through references."""
    fields = body(document, "post", path)["properties"]
    document["components"]["schemas"]["Field"] = fields[name] | changes
    fields[name] = {"$ref": "#/components/schemas/Field"}
    line = f"POST {path}: `{name}` is documented as {there}, and {here} here"
    if path == "/custom-tags/toggle-resource":  # which the target never asks for
        check(drift(document), f"sandbox: {line}", ONE)
    else:
        sum_up = "2 unexplained, 0 explained"
        check(drift(document), f"sandbox: {line}", f"target: {line}", sum_up)


def test_field_that_need_not_be_sent(document: Json, drift: Drift) -> None:
    """Whether a field is required is compared."""
    body(document, "post", "/lead-lists")["required"] = ["owned_by"]
    check(
        drift(document),
        "sandbox: POST /lead-lists: `name` is documented as string, "
        "and required string here",
        "sandbox: POST /lead-lists: `owned_by` is documented as required null or "
        "string, and null or string here",
        "target: POST /lead-lists: `name` is documented as string, "
        "and required string here",
        "target: POST /lead-lists: `owned_by` is documented as required null or "
        "string, and null or string here",
        "4 unexplained, 0 explained",
    )


def test_response_of_another_form(document: Json, drift: Drift) -> None:
    """Rows at another place are reported once, and not field by field."""
    properties = response_schema(document, "/lead-labels")["properties"]
    properties["labels"] = properties.pop("items")
    del response_schema(document, "/lead-lists")["properties"]["next_starting_after"]
    check(
        drift(document),
        "lead_labels: the answer has no `.items[]`",
        "lead_labels: the answer has `.labels` beside the rows",
        "lead_lists: the answer has no `.next_starting_after`",
        "3 unexplained, 0 explained",
    )


def test_explanations(document: Json, drift: Drift) -> None:
    """Explained differences are only counted; outdated explanations are reported."""
    labels(document)["properties"]["colour"] = {"type": "string"}
    line = "lead_labels: lacks `colour` (string)"
    check(drift(document, explained={"Odd.": [line]}), "0 unexplained, 1 explained")
    check(
        drift(document, explained={"Odd.": ["lead_labels: lacks `mood` (string)"]}),
        line,
        "explained.json: there is no longer: lead_labels: lacks `mood` (string)",
        "2 unexplained, 0 explained",
    )


def test_all(document: Json, drift: Drift, tmp_path: Path) -> None:
    """`--all` shows the explained differences with their reasons."""
    labels(document)["properties"]["colour"] = {"type": "string"}
    line = "lead_labels: lacks `colour` (string)"
    reasons = tmp_path / "reasons.json"
    reasons.write_text(json.dumps({"Odd.": [line]}), encoding="utf-8")
    done = drift(document, "--all", f"--explained={reasons}")
    check(done, f"{line} [Odd.]", "0 unexplained, 1 explained")


def test_reviewed_list(document: Json, drift: Drift) -> None:
    """It is the default, each reason is a sentence, and no line stands there twice."""
    reasons = json.loads(EXPLAINED.read_text(encoding="utf-8"))
    lines = [line for lines in reasons.values() for line in lines]
    assert all(reason.endswith(".") for reason in reasons)
    assert len(lines) == len(set(lines))
    check(
        drift(document, "--all"),
        *(f"explained.json: there is no longer: {line}" for line in lines),
        f"{len(lines)} unexplained, 0 explained",
    )


NOT_DOCUMENTS = {
    "empty": "",
    "YAML": "openapi: 3.1.0",
    "an array": "[]",
    "nothing": "{}",
    "another version": '{"openapi": "2.0", "paths": {}}',
    "no paths": '{"openapi": "3.1.0", "paths": []}',
    "a reference to nothing": (
        '{"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/components/x"}}}'
    ),
    "a reference to elsewhere": (
        '{"openapi": "3.1.0", "paths": {"/x": {"$ref": "x.json#/x"}}}'
    ),
    "a reference to itself": (
        '{"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/paths/~1x"}}}'
    ),
}


def check_unreadable(done: subprocess.CompletedProcess[str]) -> None:
    """Expect one sentence."""
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("text", NOT_DOCUMENTS.values(), ids=NOT_DOCUMENTS.keys())
def test_no_document(drift: Drift, tmp_path: Path, text: str) -> None:
    """A file that is not an OpenAPI document is refused."""
    file = tmp_path / "made-up.json"
    file.write_text(text, encoding="utf-8")
    check_unreadable(drift(str(file)))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Return the address of a server for the files of the test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = tmp_path / self.path.strip("/")
            self.send_response(200 if file.exists() else 404)
            self.end_headers()
            if file.exists():
                self.wfile.write(file.read_bytes())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_url(document: Json, drift: Drift, tmp_path: Path, url: str) -> None:
    """A document can be fetched."""
    file = tmp_path / "api.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    check(drift(f"{url}/api.json"), NOTHING)


def test_document_that_cannot_be_had(drift: Drift, url: str) -> None:
    """Missing files and failed downloads are reported."""
    check_unreadable(drift("made-up.json"))
    check_unreadable(drift(f"{url}/made-up.json"))
    check_unreadable(drift("http://127.0.0.1:9/made-up.json"))
