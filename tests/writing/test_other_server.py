"""A server that answers otherwise than the sandbox, as far as the facts allow.

Lists come oldest first and in one page; optional fields are null; a creation is answered
with 201, an update with the changed fields alone, a deletion with 204, a batch without
rows and counts; what is not there gets a page of HTML.
"""

from __future__ import annotations

import json
import threading
import typing as t
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.writing.runs import BLOCKED, DELETED, LABELS, LISTS, STATE, TAGS, label
from tests.writing.runs import part, run, table

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Json
    from tests.writing.conftest import Clock

FIELDS = {
    "lead-labels": ("label", "interest_status_label", "description", "use_with_ai"),
    "lead-lists": ("name", "has_enrichment_task", "owned_by"),
    "custom-tags": ("label", "description"),
    "block-lists-entries": ("bl_value",),
}


class Other(BaseHTTPRequestHandler):
    """The server's answers."""

    protocol_version = "HTTP/1.1"
    rows: t.ClassVar[dict[str, dict[str, Json]]]
    writes: t.ClassVar[list[tuple[str, str]]]
    answers_creations: t.ClassVar[bool]

    def do_GET(self) -> None:  # noqa: N802 (named by http.server)
        """Give a list or a row."""
        kind, identity = self._place()
        if not identity:
            self._answer(200, {"items": [*self.rows[kind].values()]})
        elif identity in self.rows[kind]:
            self._answer(200, self.rows[kind][identity])
        else:
            self._answer(404)

    def do_POST(self) -> None:  # noqa: N802 (named by http.server)
        """Create or delete."""
        kind, action = self._place()
        body = self._body()
        if action == "bulk-delete":
            for each in body["ids"]:
                self.rows[kind].pop(each, None)
            self._answer(200, {"status": "success"})
            return
        values = body.get("bl_values", [None])
        made = [body if value is None else {"bl_value": value} for value in values]
        for each in made:
            identity = str(uuid.uuid4())
            row = {"id": identity, **dict.fromkeys(FIELDS[kind]), **each}
            self.rows[kind][identity] = row
        self._answer(201, self.rows[kind][identity] if self.answers_creations else None)

    def do_PATCH(self) -> None:  # noqa: N802 (named by http.server)
        """Change some fields."""
        kind, identity = self._place()
        body = self._body()
        if identity not in self.rows[kind]:
            self._answer(404)
            return
        self.rows[kind][identity] |= body
        self._answer(200, body)

    def do_DELETE(self) -> None:  # noqa: N802 (named by http.server)
        """Delete a row."""
        kind, identity = self._place()
        self._body()
        found = self.rows[kind].pop(identity, None)
        self._answer(204 if found else 404)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _place(self) -> tuple[str, str]:
        path = self.path.split("?")[0].removeprefix("/api/v2/")
        kind, _, rest = path.partition("/")
        if self.command != "GET":
            self.writes.append((self.command, path))
        return kind, rest

    def _body(self) -> Json:
        length = int(self.headers.get("Content-Length") or 0)
        return t.cast("Json", json.loads(self.rfile.read(length) or b"{}"))

    def _answer(self, status: int, content: object = None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        if status == 404:
            body = b"<html><h1>Not Found</h1></html>"
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Address(t.NamedTuple):
    """What a run needs of a server."""

    url: str
    key: str = "made-up-key"


@pytest.fixture(params=[True, False], ids=["rows", "nothing"])
def other(clock: Clock, request: pytest.FixtureRequest) -> Iterator[t.Any]:
    """Return the server's address."""
    del clock
    Other.rows = {kind: {} for kind in FIELDS}
    Other.writes = []
    Other.answers_creations = request.param
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Address(f"http://127.0.0.1:{server.server_port}/api/v2")
        server.shutdown()


def test_life_of_rows(other: t.Any, tmp_path: Path) -> None:
    """All is done, once, and reported as what it is."""
    path = tmp_path / "report.jsonl"
    names = ["b.example.com", "a.example.com"]
    records: dict[str, list[Json]] = {
        LABELS: [label(name) for name in names],
        LISTS: [{"name": name} for name in names],
        TAGS: [{"label": name} for name in names],
        BLOCKED: [{"bl_value": name} for name in names],
    }
    messages = [m for stream, rows in records.items() for m in table(stream, *rows)]
    settings: Json = {"delete": "mirror", "reassigned_status": 1}
    created = run(other, messages, path, **settings)
    assert created.counts == {"created": 8}
    assert all(line["id"] for line in created.report)
    assert len(Other.writes) == 7
    unchanged = run(other, messages, path, **settings)
    assert unchanged.counts == {"unchanged": 8}
    assert len(Other.writes) == 7

    records[LABELS][0]["description"] = "x"
    records[TAGS][1]["description"] = "y"
    messages = [m for stream, rows in records.items() for m in table(stream, *rows)]
    updated = run(other, messages, path, **settings)
    assert updated.counts == {"unchanged": 6, "updated": 2}
    assert all(line["reason"] is None for line in updated.report)
    assert len(Other.writes) == 9

    messages = [m for stream, rows in records.items() for m in table(stream, rows[0])]
    deleted = run(other, messages, path, **settings)
    assert deleted.counts == {"unchanged": 4, "deleted": 4}
    assert (deleted.exit_code, deleted.states) == (0, [STATE])
    assert len(Other.writes) == 13
    assert all(len(rows) == 1 for rows in Other.rows.values())


def test_row_that_is_gone(
    other: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of HTML for a row that others have deleted meanwhile."""
    path = tmp_path / "report.jsonl"
    run(other, part(TAGS, {"label": "A"}, {"label": "B"}), path)
    for method in ("do_DELETE", "do_PATCH"):
        usual = getattr(Other, method)

        def gone(self: Other, usual: t.Any = usual) -> None:
            self.rows["custom-tags"].clear()
            usual(self)

        monkeypatch.setattr(Other, method, gone)
    records = part(
        TAGS,
        {"label": "A", "description": "x"},
        {"label": "B", "_sdc_deleted_at": DELETED},
    )
    result = run(other, records, path, delete="marked")
    assert result.line("A")["outcome"] == "refused"
    assert result.line("B")["outcome"] == "deleted"
    assert (result.exit_code, result.states) == (1, [])
