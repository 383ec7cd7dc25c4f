"""Personal data: the stream map leaves none of it, and the joins work all the same."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import duckdb
import pytest
import yaml

from scripts import personal_data
from scripts.personal_data import (
    KEYWORD,
    KINDS,
    fields,
    personal_columns,
    schemas,
    stream_maps,
)
from tap_instantly.sandbox import Sandbox
from tap_instantly.tap import TapInstantly
from tests.conftest import (
    Json,
    catalog_of,
    environment_for,
    remove_waits,
    sync,
)
from tests.test_meltano import REPOSITORY, clone_into, needs_old_duckdb

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Command

PAGE = (REPOSITORY / "docs" / "personal-data.md").read_text(encoding="utf-8")
MAP = (REPOSITORY / "examples" / "personal_data.yml").read_text(encoding="utf-8")
[PLUGIN] = yaml.safe_load(MAP)["plugins"]["extractors"]

HASHED = [kind for kind in KINDS if KINDS[kind].startswith("hashed")]

CANARY = "canary-of-a-person"


def printed(capsys: pytest.CaptureFixture[str], part: str) -> str:
    """Return what the script prints."""
    getattr(personal_data, f"print_{part}")()
    return capsys.readouterr().out


def test_the_page_and_the_map_follow_from_the_schemas(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`python -m scripts.personal_data` prints both."""
    assert printed(capsys, "columns") in PAGE
    assert printed(capsys, "map") == MAP
    assert PLUGIN["config"]["stream_maps"] == {
        stream: {column: made or "__NULL__" for column, made in columns.items()}
        for stream, columns in stream_maps().items()
    }


def planted(schema: Json, *, is_marked: bool = False) -> t.Any:
    """Return a value of a schema, with a canary wherever it may hold personal data."""
    kind, types = schema.get(KEYWORD), schema.get("type", ["string"])
    is_marked = is_marked or kind is not None
    if "object" in types:
        value = {
            name: planted(inner, is_marked=is_marked)
            for name, inner in schema.get("properties", {}).items()
        }
        if is_marked or personal_data.is_personal(schema):
            value["unknown"] = [CANARY, {CANARY: CANARY}]
        return value
    if "array" in types:
        return [planted(schema.get("items", {}), is_marked=is_marked), None]
    if "string" not in types:
        return 1
    if not is_marked:
        return "what may stay"
    return f"{CANARY}@example.com" if kind == "address or other" else CANARY


def test_what_the_map_leaves() -> None:
    """Nothing of a marked column comes through, nor a new field beside it."""
    tap = TapInstantly(
        config=PLUGIN["config"] | {"stream_map_config": {"salt": "pepper"}},
        catalog=catalog_of(),
        validate_config=False,
    )
    for name, schema in schemas().items():
        columns = schema["properties"]
        record = {column: planted(inner) for column, inner in columns.items()}
        [stream_map] = tap.streams[name].stream_maps
        kept = json.dumps(stream_map.transform(record))
        assert CANARY not in kept, name
        assert (CANARY in json.dumps(record)) == (name in stream_maps()), name


@pytest.mark.parametrize("config", [{}, {"salt": ""}, {"salt": None}], ids=str)
def test_no_salt(tap: Command, sandbox: Sandbox, config: Json) -> None:
    """Without one, whoever knows an address could look it up: nothing is read."""
    settings = PLUGIN["config"] | {"stream_map_config": config}
    output = tap(sandbox=sandbox, config=settings)
    assert output.exit_code == 1
    assert "Setting `stream_map_config.salt` is missing" in output.stderr
    assert not sandbox.requests


Tables = dict[str, list[Json]]

RECIPE = PAGE.partition("\n```sh\n")[2].partition("```")[0]
QUERY = PAGE.partition("\n```sql\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def sandbox_with_canaries() -> Iterator[Sandbox]:
    """Return a workspace in whose rows people have left more than they should."""
    with Sandbox(labels=9, lists=8, leads=120, emails=90, strict=True) as sandbox:
        for stream, table in sandbox.tables.items():
            personal = personal_columns().get(stream, {})
            columns = schemas()[stream]["properties"]
            values = {
                name: planted(columns[name])
                for name in stream_maps().get(stream, {})
                if name in columns and personal.get(name) not in HASHED
            }
            for key in table.keys[:1]:
                table.edit(key, **values, a_new_field=CANARY)
        leads, mails = sandbox.tables["leads"].rows, sandbox.tables["emails"]
        for mail in mails.rows[::3]:
            mails.edit(mail["id"], lead=mail["lead"].upper())
        jobs, blocked = (
            sandbox.tables["background_jobs"],
            sandbox.tables["block_list_entries"],
        )
        moved = [lead["email"] for lead in leads[5:15]]
        jobs.edit(jobs.keys[1], data={"moved_lead_emails": moved})
        blocked.edit(blocked.keys[1], bl_value=leads[3]["email"].upper())
        blocked.edit(blocked.keys[2], bl_value=leads[4]["email"].partition("@")[2])
        yield sandbox


@pytest.fixture(scope="module")
def plain(sandbox_with_canaries: Sandbox) -> Tables:
    """Return all records as they are without the map."""
    with pytest.MonkeyPatch.context() as patch:
        remove_waits(patch)
        output = sync(sandbox_with_canaries, catalog=catalog_of())
    return {stream: output.records(stream) for stream in schemas()}


@pytest.fixture(scope="module")
def database(
    sandbox_with_canaries: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return the database that the page's commands leave."""
    project = clone_into(tmp_path_factory.mktemp("clone"))
    path = Path(sys.executable).parent, os.environ["PATH"]
    done = subprocess.run(
        ["/bin/sh", "-ec", RECIPE],
        cwd=project,
        env=environment_for(sandbox_with_canaries)
        | {
            "PATH": os.pathsep.join(map(str, path)),
            "TAP_INSTANTLY_HASHED__SELECT": '["*.*"]',
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(project / "output" / "hashed.duckdb")) as connection:
        yield connection


@pytest.fixture(scope="module")
def hashed(database: duckdb.DuckDBPyConnection) -> Tables:
    """Return the tables of that database."""
    tables = {}
    for stream in schemas():
        table = database.table(stream)
        tables[stream] = [
            dict(zip(table.columns, row, strict=True)) for row in table.fetchall()
        ]
    return tables


def decoded(value: t.Any) -> t.Any:
    """Return a value, read as JSON if it is some: DuckDB returns it as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def texts(value: t.Any) -> Iterator[str]:
    """Yield all texts in a value, the names of fields included."""
    value = decoded(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for each in inner:
            yield from texts(each)


def values_at(value: t.Any, path: str) -> Iterator[str]:
    """Yield the texts at a path in a record or a row."""
    value = decoded(value)
    name, _, rest = path.partition(".")
    if isinstance(value, list):
        for each in value:
            yield from values_at(each, path)
    elif isinstance(value, dict):
        yield from values_at(value.get(name.removesuffix("[]")), rest)
    elif isinstance(value, str):
        yield value


@needs_old_duckdb
def test_nothing_personal_is_loaded(plain: Tables, hashed: Tables) -> None:
    """No value of a marked column, no address and no canary is in the database."""
    columns = [
        (stream, path, kind)
        for stream, marked in personal_columns().items()
        for path, kind in marked.items()
    ]
    personal = {
        text
        for stream, path, kind in columns
        for record in plain[stream]
        for value in values_at(record, path)
        for text in texts(value)
        if text and kind != "details" and ("@" in text or kind != "address or other")
    }
    loaded = {
        text
        for rows in hashed.values()
        for row in rows
        for text in texts([*row.values()])
    }
    assert len(personal) > 500
    assert personal & loaded == set()
    assert not [text for text in loaded if "@" in text or CANARY in text]
    assert CANARY in json.dumps(plain)


def joins() -> Iterator[tuple[str, str, str, str]]:
    """Yield what the descriptions of hashed columns say that they join to."""
    known = schemas()
    for stream, schema in known.items():
        for path, inner in fields(schema):
            if inner.get(KEYWORD) in HASHED:
                targets = re.split(r"joins? to ", inner.get("description", ""))[1:]
                for table, key in re.findall(r"\b(\w+)\.(\w+)\b", " ".join(targets)):
                    if table in known:
                        yield stream, path, table, key
    yield "block_list_entries", "bl_value", "leads", "email_domain"


def matches(tables: Tables, stream: str, path: str, keys: set[str]) -> int:
    """Count the values of a column that are among some keys, in any case of letters."""
    return sum(
        value.lower() in keys
        for row in tables[stream]
        for value in values_at(row, path)
    )


@needs_old_duckdb
def test_the_joins_still_work(plain: Tables, hashed: Tables) -> None:
    """Hashes find as many rows as the addresses do, in whatever case of letters."""
    for lead in plain["leads"]:
        lead["email_domain"] = lead["email"].partition("@")[2]
    found = {}
    for stream, path, table, key in joins():
        found[f"{stream}.{path} = {table}.{key}"] = [
            matches(
                tables, stream, path, {str(row[key]).lower() for row in tables[table]}
            )
            for tables in (plain, hashed)
        ]
    assert not {name: counts for name, counts in found.items() if len({*counts}) > 1}
    without = {
        name.partition(" ")[0] for name, (count, _) in found.items() if not count
    }
    assert without <= {
        "ai_deliverability_agent.payload.ai_sdr_config.outreach_settings.email_list",
        "ai_deliverability_agent.payload.no_show.fallback_sending_accounts.accounts",
    }
    assert len(found) > 20


@needs_old_duckdb
def test_the_query_of_the_page(
    plain: Tables, database: duckdb.DuckDBPyConnection
) -> None:
    """It finds the leads whose address or domain is on the block list."""
    blocked = {entry["bl_value"].lower() for entry in plain["block_list_entries"]}
    expected = {
        (lead["id"], lead.get("campaign"))
        for lead in plain["leads"]
        if {lead["email"], lead["email"].partition("@")[2]} & blocked
    }
    assert expected
    assert {*database.execute(QUERY).fetchall()} == expected
