"""The command `instantly-sandbox`: an Instantly API for trying the tap."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from tap_instantly.sandbox.families.workspace import Sizes
from tap_instantly.sandbox.store.switches import CHOICES, DuplicateEntries

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tap_instantly.sandbox.http.server import Sandbox

URL = "TAP_INSTANTLY_API_URL"
KEY = "TAP_INSTANTLY_API_KEY"
NOT_FOUND = 127
NOT_EXECUTABLE = 126

_KEY_IN_DOTENV = re.compile(
    rf"^[ \t]*(?:export[ \t]+)?{KEY}[ \t]*=[ \t]*['\"]?[^'\"\s#]", re.MULTILINE
)

F = TypeVar("F", bound="Callable[..., object]")
_SWITCHES = {
    "order": "The order of the rows.",
    "cursor": "What the cursor names of the last row.",
    "comparison": "Whether rows at the cursor come again (inclusive).",
    "end": "The cursor of the last page that has rows.",
    "encoding": "How cursors are written: a time with Z or +00:00, or with symbols "
    "appended that need percent-encoding.",
    "timestamps": "How rows write their time of creation.",
    "unknown_id": "What answers a cursor that is the id of no row, on lists by id: the "
    "rows after it (compare), a refusal, no rows or the first page.",
}
_WRITING = {
    "duplicate-names": (True, "Let several labels, or lists, have the same name."),
    "trimmed-tags": (True, "Store the labels of tags without blanks around them."),
    "renumber-labels": (False, "Renumber a label whose interest status label changes."),
    "reassignment-required": (
        False,
        "Fail to delete labels without reassigned_status.",
    ),
    "empty-patches": (False, "Accept a PATCH of no field."),
    "omits-nulls": (True, "Leave fields that are null out of answers."),
}
_IN_WORDS = {
    "labels": "lead labels",
    "lists": "lead lists",
    "blocked": "block list entries",
    "workspaces": "members of the group",
}
_COUNT = click.IntRange(min=0)
_AT_LEAST_ONE = click.IntRange(min=1)

_OPTIONS = (
    click.option(
        "--seed", type=int, default=1, help="What all data and the key follow from."
    ),
    *(
        click.option(
            f"--{size.name}",
            type=_COUNT,
            default=size.default,
            help=f"Number of {_IN_WORDS.get(size.name, size.name)}.",
        )
        for size in fields(Sizes)
    ),
    click.option(
        "--ties",
        type=_AT_LEAST_ONE,
        default=1,
        help="How many consecutive rows share one millisecond.",
    ),
    *(
        click.option(
            f"--{name.replace('_', '-')}", type=click.Choice(CHOICES[name]), help=text
        )
        for name, text in _SWITCHES.items()
    ),
    click.option(
        "--short-pages",
        type=int,
        metavar="SEED",
        help="Pages of random size from 1 to the limit.",
    ),
    click.option(
        "--strict/--no-strict",
        default=False,
        help="Refuse unknown parameters and limits out of range.",
    ),
    *(
        click.option(f"--{name}/--no-{name}", default=default, help=text)
        for name, (default, text) in _WRITING.items()
    ),
    click.option(
        "--duplicate-entries",
        type=click.Choice(get_args(DuplicateEntries)),
        default="existing",
        help="What becomes of a value that is on the block list already.",
    ),
    click.option(
        "--hidden-reads",
        type=_COUNT,
        default=0,
        help="How many times a list is read before it has a row just created.",
    ),
    click.option(
        "--hidden-seconds",
        type=click.FloatRange(min=0),
        default=0,
        help="Seconds for which lists hide a row just created.",
    ),
    click.option(
        "--latency",
        type=click.FloatRange(min=0),
        default=0,
        help="Seconds that every answer takes longer.",
    ),
    click.option("--requests-per-second", type=_AT_LEAST_ONE, help="429 beyond."),
    click.option("--requests-per-minute", type=_AT_LEAST_ONE, help="429 beyond."),
    click.option(
        "--emails-per-minute",
        type=_AT_LEAST_ONE,
        help="429 beyond, for the list of e-mails (the real API: 20).",
    ),
    click.option("--retry-after", help="The Retry-After header of a 429."),
    click.option(
        "--fault",
        "faults",
        multiple=True,
        metavar="[METHOD:]PATH:KIND[+][@AFTER][xTIMES]",
        help="What goes wrong, e.g. lead-labels:503@2x1: after 2 good requests, once. "
        "KIND is a status, html403, not-json, no-items, items-null, not-object, "
        "reset, truncate or hang. A write changes nothing then, or with + after KIND "
        "is carried out all the same: POST:lead-labels:hang+. May be given several "
        "times.",
    ),
    click.option(
        "--port", type=click.IntRange(0, 65535), default=0, help="0: a free port."
    ),
)


def _options(command: F) -> F:
    """Add the options that shape the data and the server's behaviour."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _started(*, faults: tuple[str, ...], **options: Any) -> Sandbox:
    """Start a sandbox, or say in one sentence what is in the way."""
    try:
        from tap_instantly.sandbox.http.faults import Fault  # noqa: PLC0415 (slow)
        from tap_instantly.sandbox.http.server import Sandbox  # noqa: PLC0415 (slow)
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        message = "The sandbox needs aiohttp: pip install 'tap-instantly[sandbox]'."
        raise click.ClickException(message) from None
    try:
        plan = [Fault.parse(text) for text in faults]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    sandbox = Sandbox(**options)
    sandbox.faults.extend(plan)
    try:
        sandbox.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        message = f"Cannot listen on port {sandbox.port}: {reason}."
        raise click.ClickException(message) from None
    return sandbox


@click.group(invoke_without_command=True)
@_options
@click.pass_context
def main(context: click.Context, /, **options: object) -> None:
    """Run an imitation of the Instantly API on this machine.

    Without a subcommand it serves. The options of both subcommands may also stand
    before the subcommand's name.
    """
    context.default_map = {"serve": options, "run": options}
    if context.invoked_subcommand is None:
        context.invoke(serve, **options)


@main.command()
@_options
def serve(**options: Any) -> None:
    """Print the sandbox's URL and key, and serve until Ctrl-C."""
    sandbox = _started(**options)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        click.echo(f"{URL}={sandbox.url}\n{KEY}={sandbox.key}")
        sandbox.wait()
    finally:
        sandbox.stop()


@main.command(context_settings={"allow_interspersed_args": False})
@_options
@click.option(
    "--unless-key",
    is_flag=True,
    help=f"Without a sandbox if {KEY} is set here or in .env.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    command: tuple[str, ...],
    unless_key: bool,
    **options: Any,
) -> None:
    """Run COMMAND against a sandbox and exit as it does.

    COMMAND finds the sandbox through TAP_INSTANTLY_API_URL and
    TAP_INSTANTLY_API_KEY, a target through TARGET_INSTANTLY_API_URL and
    TARGET_INSTANTLY_API_KEY. MELTANO_ENVIRONMENT becomes `sandbox` unless it is
    set, which keeps state and tables apart from those of real data.
    """
    if unless_key:
        if place := _place_of_key():
            click.echo(f"Using the Instantly key in {place}, no sandbox.", err=True)
            context.exit(_execute(command, dict(os.environ)))
        click.echo(f"Using the sandbox, as {KEY} is not set.", err=True)
    sandbox = _started(**options)
    environment = {"MELTANO_ENVIRONMENT": "sandbox", **os.environ}
    for name, value in ((URL, sandbox.url), (KEY, sandbox.key)):
        environment |= {name: value, name.replace("TAP", "TARGET"): value}
    try:
        code = _execute(command, environment)
    finally:
        sandbox.stop()
    context.exit(code)


def _place_of_key() -> str | None:
    """Say where a key of the user's own is, if anywhere."""
    if os.environ.get(KEY):
        return "the environment"
    try:
        text = Path(".env").read_text(encoding="utf-8")
    except OSError:
        return None
    return ".env" if _KEY_IN_DOTENV.search(text) else None


def _execute(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command to its end, pass signals on, and return a shell's exit code."""
    try:
        child = subprocess.Popen(command, env=environment)  # noqa: S603 - the user's own
    except FileNotFoundError:
        click.echo(f"Error: The command {command[0]} does not exist.", err=True)
        return NOT_FOUND
    except OSError as error:
        click.echo(f"Error: Cannot run {command[0]}: {error.strerror}.", err=True)
        return NOT_EXECUTABLE

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the child as well; twice would be once too many.
        if number != signal.SIGINT or not os.isatty(0):
            child.send_signal(number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _leave(_number: int, _: FrameType | None) -> None:
    sys.exit()


if __name__ == "__main__":
    main()
