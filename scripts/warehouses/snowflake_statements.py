"""Print the statements with which target-snowflake would create and fill tables.

It reads SCHEMA messages; the engine only records what it is to execute.
"""

from __future__ import annotations

import json
import sys
import typing as t

import sqlalchemy
from target_snowflake.connector import SnowflakeConnector
from target_snowflake.sinks import SnowflakeSink
from target_snowflake.target import TargetSnowflake
from typing_extensions import override

CONFIG = {
    "account": "organization-account",
    "user": "loader",
    "password": "made up",
    "database": "analytics",
    "warehouse": "loading",
    "default_target_schema": "instantly",
    "validate_records": False,
}


class RecordingConnector(SnowflakeConnector):  # type: ignore[misc]  # not installed with the tap
    """A connector to a database without tables, which records statements."""

    @override
    def create_engine(self) -> t.Any:
        def record(
            statement: sqlalchemy.ClauseElement, *_: object, **__: object
        ) -> None:
            text = str(statement.compile(dialect=engine.dialect)).strip()
            if not text.startswith("DROP"):  # of a table that is not there
                print(text)

        engine = sqlalchemy.create_mock_engine("snowflake://account", record)
        return engine

    @override
    def table_exists(self, full_table_name: object) -> bool:
        return False

    @override
    def schema_exists(self, schema_name: str) -> bool:
        return True


def main() -> None:
    """Print a CREATE TABLE and a MERGE for each stream."""
    target = TargetSnowflake(config=CONFIG)
    for line in sys.stdin:
        message = json.loads(line)
        connector = RecordingConnector(CONFIG)
        sink = SnowflakeSink(
            target,
            message["stream"],
            message["schema"],
            message["key_properties"],
            connector=connector,
        )
        sink.setup()
        merge, _ = connector._get_merge_from_stage_statement(  # noqa: SLF001 (the loader's own)
            sink.full_table_name,
            sink.conform_schema(sink.schema),
            "stage",
            "format",
            sink.key_properties,
        )
        print(merge)


if __name__ == "__main__":
    main()
