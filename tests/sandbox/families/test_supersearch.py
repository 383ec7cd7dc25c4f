"""Enrichments of lists and campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.requesting import Row, answer, get, ids

if TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox


class TestSuperSearch:
    def test_enrichments(self, sandbox: Sandbox) -> None:
        seen = set()
        for identity in self._resources(sandbox):
            response = get(sandbox, f"/supersearch-enrichment/{identity}")
            if response.status_code == 404:
                seen.add("none")
            else:
                row = response.json()
                assert row["resource_id"] == identity
                seen.add(str(row["exists"]))
        assert seen == {"none", "False", "True"}

    def test_under_way(self, sandbox: Sandbox) -> None:
        rows: list[Row] = []
        for identity in self._resources(sandbox):
            path = f"/supersearch-enrichment/ai/{identity}/in-progress"
            found = answer(sandbox, path)
            assert {row["resource_id"] for row in found} <= {identity}
            rows += found
        assert {row["resource_type"] for row in rows} <= {1, 2, "CAMPAIGN", "LIST"}
        assert {type(row["resource_type"]) for row in rows} == {int, str}
        assert len(set(ids(rows))) == len(rows)

    def test_history_by_offset(self, sandbox: Sandbox) -> None:
        campaigns = sandbox.tables["campaigns"].rows
        sizes = {}
        for campaign in campaigns:
            path = f"/supersearch-enrichment/history/{campaign['id']}"
            rows = answer(sandbox, path, limit=1000)
            sizes[path] = len(rows)
        path = max(sizes, key=lambda path: sizes[path])
        assert sizes[path] == 130
        rows = answer(sandbox, path, limit=100)
        rows += answer(sandbox, path, limit=100, offset=100)
        assert rows == answer(sandbox, path, limit=1000)
        assert answer(sandbox, path, offset=130) == []
        assert min(sizes.values()) == 0

    def test_unknown(self, sandbox: Sandbox) -> None:
        assert get(sandbox, "/supersearch-enrichment/unknown").status_code == 404

    def _resources(self, sandbox: Sandbox) -> list[str]:
        campaigns = ids(sandbox.tables["campaigns"].rows)
        return [*campaigns, *ids(sandbox.lists.rows)]
