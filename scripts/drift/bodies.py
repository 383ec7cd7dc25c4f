"""The bodies of writes, as documented and as somebody here takes or sends them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from scripts.drift.document import Body, BodyField, endpoint
from tap_instantly.sandbox.families.registry import endpoints_of
from tap_instantly.sandbox.families.workspace import Sizes, Workspace
from tap_instantly.sandbox.store.switches import Switches
from tap_instantly.target.entities import ENTITIES

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.sandbox.store.api import Parameter
    from tap_instantly.target.entities import Field


class Written(t.NamedTuple):
    """The body of one endpoint, as somebody here knows it."""

    by: str
    endpoint: str
    body: Body


def of_sandbox() -> Iterator[Written]:
    """Yield the bodies that the sandbox takes."""
    for one in endpoints_of(Workspace(1, Sizes(), 1, Switches())):
        if one.writes:
            body = {name: _field(parameter) for name, parameter in one.body.items()}
            yield Written("sandbox", endpoint(one.method, one.path), body)


def of_target() -> Iterator[Written]:
    """Yield the bodies that the target sends."""
    for entity in ENTITIES:
        fields = {each.name: _target_field(each) for each in entity.fields}
        if entity.bulk:
            amount = (1, entity.bulk.size)
            for path, name in (
                (entity.bulk.create, entity.bulk.values),
                (entity.bulk.delete, entity.bulk.ids),
            ):
                many = BodyField({"array of string"}, is_required=True, items=amount)
                yield Written("target", endpoint("POST", path), {name: many})
            continue
        yield Written("target", endpoint("POST", entity.path), fields)
        row = f"{entity.path}/{{id}}"
        optional = {
            name: replace(field, is_required=False) for name, field in fields.items()
        }
        yield Written("target", endpoint("PATCH", row), optional)
        if entity.reassigned_by:
            number = BodyField({"number"})
            deleted = {entity.reassigned_by: number}
            yield Written("target", endpoint("DELETE", row), deleted)


def differences(
    written: Iterable[Written], documented: dict[str, Body]
) -> Iterator[str]:
    """Yield a line for everything that differs, endpoint by endpoint."""
    for by, name, ours in written:
        if name not in documented:
            yield f"{by}: {name} is not documented"
            continue
        theirs = documented[name]
        for field in sorted(theirs.keys() - ours.keys()):
            yield f"{by}: {name}: lacks `{field}` ({theirs[field]})"
        for field in sorted(ours.keys() - theirs.keys()):
            yield f"{by}: {name}: `{field}` is not documented"
        for field in sorted(ours.keys() & theirs.keys()):
            there, here = theirs[field], ours[field]
            if there != here:
                yield (
                    f"{by}: {name}: `{field}` is documented as {there}, and {here} here"
                )


def _field(parameter: Parameter) -> BodyField:
    kind = "string" if parameter.kind in _TEXTS else parameter.kind
    return BodyField(
        {
            f"array of {kind}" if parameter.many else kind,
            *["null"] * parameter.nullable,
        },
        parameter.required,
        {*parameter.choices},
        (parameter.least, parameter.most) if parameter.many else (0, 0),
    )


def _target_field(field: Field) -> BodyField:
    kind = {str: "string", bool: "boolean"}[field.kind]
    types = {kind, *["null"] * field.is_nullable}
    return BodyField(types, field.is_required, {*field.choices})


_TEXTS = ("uuid", "date", "date-time")
