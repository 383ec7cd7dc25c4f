"""The bodies of writes, as documented and as somebody here takes or sends them."""

from __future__ import annotations

import typing as t

from scripts.drift.document import Body, BodyField, endpoint
from tap_instantly.sandbox.families.registry import endpoints_of
from tap_instantly.sandbox.families.workspace import Sizes, Workspace
from tap_instantly.sandbox.store.switches import Switches

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.sandbox.store.api import Parameter


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


_TEXTS = ("uuid", "date", "date-time")
