"""What loaders of warehouses without an account make of the tap's schemas.

Each program runs in an environment of its own, with the loader and nothing of the tap:

    python -m scripts.warehouses.schemas > schemas.jsonl
    python -m venv snowflake
    snowflake/bin/pip install meltanolabs-target-snowflake
    snowflake/bin/python scripts/warehouses/snowflake_statements.py < schemas.jsonl
    python -m venv bigquery
    bigquery/bin/pip install z3-target-bigquery 'setuptools<81'
    bigquery/bin/python scripts/warehouses/bigquery_columns.py < schemas.jsonl
"""
