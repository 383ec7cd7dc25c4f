"""Print the columns that z3-target-bigquery would create if `denormalized` is set.

It reads SCHEMA messages, and ends with 1 if BigQuery would refuse the name of a column.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t

from target_bigquery.core import (
    BigQueryTable,
    IngestionStrategy,
    SchemaResolverVersion,
)
from target_bigquery.target import TargetBigQuery

if t.TYPE_CHECKING:
    from collections.abc import Iterator

TRANSFORMS = {"add_underscore_when_invalid": True}
CONFIG = {
    "project": "project",
    "dataset": "instantly",
    "credentials_json": "{}",
    "denormalized": True,
    "upsert": True,
    "dedupe_before_upsert": True,
    "method": "batch_job",
    "column_name_transforms": TRANSFORMS,
    "schema_resolver_version": 2,
}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")


def columns(fields: list[t.Any], path: str = "") -> Iterator[tuple[str, t.Any]]:
    """Yield the path and the definition of each column, nested ones included."""
    for field in fields:
        yield path + field.name, field
        yield from columns(field.fields, f"{path}{field.name}.")


def main() -> int:
    """Print the columns, and return how many names are refused."""
    TargetBigQuery(config=CONFIG)
    refused = 0
    for line in sys.stdin:
        message = json.loads(line)
        table = BigQueryTable(
            name=message["stream"],
            dataset=CONFIG["dataset"],
            project=CONFIG["project"],
            jsonschema=message["schema"],
            ingestion_strategy=IngestionStrategy.DENORMALIZED,
            transforms=TRANSFORMS,
            schema_resolver_version=SchemaResolverVersion.V2,
        )
        for path, field in columns(table.get_schema(apply_transforms=True)):
            is_refused = not NAME.fullmatch(field.name)
            refused += is_refused
            remark = " REFUSED" if is_refused else ""
            print(f"{message['stream']}.{path} {field.field_type} {field.mode}{remark}")
    return refused


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
