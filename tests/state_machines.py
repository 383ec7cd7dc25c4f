"""Running a state machine: seldom by default, and much longer every night."""

from __future__ import annotations

import logging
import os
import random
import typing as t

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from hypothesis.stateful import RuleBasedStateMachine


def run_machine(
    machine: type[RuleBasedStateMachine],
    request: pytest.FixtureRequest,
    examples: Mapping[str, int],
    steps: int,
) -> None:
    """Run a state machine without its log, and print how to repeat that.

    Args:
        machine: What is run.
        request: The test that asks for it.
        examples: How often it is run, by what HYPOTHESIS_PROFILE says (else `ci`).
        steps: How many steps a run has at most.
    """
    patch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    patch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    chosen = request.config.getoption("--hypothesis-seed")
    number = int(chosen) if chosen else random.SystemRandom().getrandbits(32)
    print(f"To repeat this: pytest --hypothesis-seed={number}")  # noqa: T201 (for who reads the output)
    profile = settings(
        max_examples=examples[os.environ.get("HYPOTHESIS_PROFILE", "ci")],
        stateful_step_count=steps,
        deadline=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(machine), settings=profile)
