"""`sealed selftest`: the attacks of the catalogue on this machine's own sandbox."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from controller.cli.connection import connected
from controller.cli.exits import Exit
from controller.cli.output import print_items, print_table, say
from controller.cli.screen import Screen
from controller.errors import Failed, Unusable
from controller.selftest import Attack, Control, Item, Selftest, chosen, read_attacks
from controller.selftest.catalogue import ROOT

CONTROL = "tests.support.control"
"""The module that takes defences out. It is no part of this program, and is never imported."""


def attack_sandbox(
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="NAME", help="Only this one; repeatable."),
    ] = None,
    control: Annotated[
        bool,
        typer.Option("--control", help="Instead: flip each defence, on a second engine."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Attack this sandbox. Beside each attack: what it gains in a loop as commonly built.

    Exit code 1: an attack gained something, or could not be told to gain nothing.
    """
    attacks = chosen(read_attacks(ROOT), attack or ())
    if control:
        _tell_flipped(_flipped(attacks), json=json)
        return
    items = []
    with connected() as sandbox, Screen("attacks", quiet=json) as screen:
        runtime = sandbox.info().runtime
        attacks = chosen([one.under(runtime) for one in read_attacks(ROOT)], attack or ())
        selftest = Selftest(sandbox, screen.progress, ROOT)
        try:
            for number, one in enumerate(attacks):
                screen.subject(f"{number + 1} of {len(attacks)}: {one.name}")
                items.append(selftest.item(one))
        except KeyboardInterrupt:
            if not json:
                _tell(items)  # what was found so far; the exit code tells that it is not all
            raise
        finally:
            selftest.close()
    if json:
        print_items(items)
    else:
        _tell(items)
    if not all(item.gained is False and item.control_gained is not False for item in items):
        raise typer.Exit(Exit.failed)


def _tell(items: Sequence[Item]) -> None:
    group = ""
    rows = []
    for item in items:
        if item.group != group:
            group = item.group
            rows.append((f"{group}:", "", "", "", ""))
        gained = {True: "SOMETHING", False: "nothing", None: "unclear"}[item.gained]
        rows.append((item.attack, item.expected, item.seen, gained, item.control))
    columns = ("attack", "expected", "seen", "gained", "in a loop as commonly built")
    print_table(columns, rows)
    nothing = sum(item.gained is False for item in items)
    say(f"{nothing} of {len(items)} gained nothing")
    if still := [item.attack for item in items if item.control_gained is False]:
        say(f"Gained nothing in the other loop either, and so show little: {', '.join(still)}")


# ---- control arms -----------------------------------------------------------------------------


def _flipped(attacks: Sequence[Attack]) -> list[Item]:
    """Run the control arms in a program of its own. Raises `Unusable`, `Failed`."""
    flips = [one.name for one in attacks if one.header.control is Control.flip]
    if not flips:
        raise Unusable(
            "No defence of these attacks is flipped: where they gain is measured beside them.",
            "Leave --control out.",
        )
    if not (ROOT / "tests" / "support" / "control.py").exists():
        raise Unusable(
            "Control arms weaken the policy, which only a checkout's tests can do.",
            "In a checkout, as root on Linux: make venv; .venv/bin/sealed selftest --control",
        )
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unusable(
            "Control arms run on a second engine, which takes root on Linux to start.",
            "Run it with sudo, or on a machine of which you are root.",
        )
    paths = os.pathsep.join((str(ROOT), str(ROOT / "images" / "common")))
    running = subprocess.Popen(
        [sys.executable, "-m", CONTROL, *flips],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        start_new_session=True,  # an interrupt reaches it once, from here
    )
    try:
        items, _ = running.communicate()
    except KeyboardInterrupt:
        running.send_signal(signal.SIGINT)  # its engine ends with it
        running.wait()
        raise
    if running.returncode != 0:
        raise Failed("The control arms did not come to their end.", "The lines above say why.")
    return msgspec.json.decode(items, type=list[Item])


def _tell_flipped(items: Sequence[Item], *, json: bool) -> None:
    if json:
        print_items(items)
    else:
        rows = [(item.attack, ", ".join(item.defences), item.control) for item in items]
        print_table(("attack", "taken out", "gained"), rows)
        gained = sum(item.control_gained is True for item in items)
        say(f"{gained} of {len(items)} gained without their defence")
    if not all(item.control_gained for item in items):
        raise typer.Exit(Exit.failed)
