"""The catalogue: every text in `tests/attacks`, with the header that says what it tries.

A header is a block of comments with TOML in it, in the manner of PEP 723. Header and text are read,
and sent to the sandbox as a candidate is; nothing of them is imported or run here.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from controller.errors import NotFound, Unusable
from controller.selftest.canary import parse
from controller.task import read_text
from sandbox.api import Outcome

ROOT = Path(__file__).parents[2]
"""A checkout, or what the controller's image has of one."""
_BLOCK = re.compile(r"\A# /// attack\n((?:#(?: .*)?\n)+?)# ///\n")

Constant = str | int | float


class Group(StrEnum):
    """What an attack is after, in the order in which they are shown."""

    forging = "forging"
    reaching = "reaching"
    time = "time"
    living_on = "living on"
    exhaustion = "exhaustion"
    getting_out = "getting out"
    readers = "readers"


class Control(StrEnum):
    """Where an attack gains, so that gaining nothing means something."""

    loop = "loop"
    """In the loop as it is commonly built; measured beside the attack."""
    rehearsal = "rehearsal"
    """On its own task's rehearsal, whose scorer believes it on purpose; measured likewise."""
    flip = "flip"
    """With its defences taken out: on a second engine, by `sealed selftest --control`."""
    tests = "tests"
    """In tests alone: its task needs a download, or what it gains no client sees."""


class UnderGvisor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields of a header that are others where gVisor's kernel answers, not the host's."""

    because: str
    expected: tuple[Outcome, ...] | None = None
    canaries: tuple[str, ...] | None = None
    budget_seconds: float | None = None
    memory_mib: int | None = None


class Header(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands above an attack. Each field's line here is its documentation."""

    group: Group
    """What it is after."""
    task: str
    """The task that it runs on, by the name of its folder."""
    behind: bool = False
    """It stands behind the text of the task's own `train.py`, and wraps its `load`."""
    variants: tuple[dict[str, Constant], ...] = ({},)
    """Constants of its text, one trial for each; together they are one attack."""
    expected: tuple[Outcome, ...]
    """How its trials may end."""
    tried: str = ""
    """It says `<tried>: …` once it has tried; a trial that never came so far shows nothing."""
    canaries: tuple[str, ...] = ()
    """What shows that it has gained; see `canary`. None: only tests can tell."""
    defences: tuple[str, ...]
    """Settings of the policy, or rules by name, without which it gains."""
    control: Control
    """Where it gains."""
    budget_seconds: float | None = None
    memory_mib: int | None = None
    """What it gets in the place of what its task says."""
    gvisor: UnderGvisor | None = None


class Attack(Struct, frozen=True, kw_only=True):
    """One attack: the file's name, its text with the header, and the header."""

    name: str
    text: str
    header: Header

    def with_constants(self, constants: Mapping[str, object]) -> str:
        """The text with some of its constants replaced. Raises `Unusable` where it has none."""
        text = self.text
        for constant, value in constants.items():
            line = f"{constant} = {value!r}".replace("\\", r"\\")
            text, count = re.subn(rf"^{constant} = .*$", line, text, flags=re.MULTILINE)
            if count != 1:
                raise Unusable(f"The attack {self.name} has no constant {constant}.")
        return text

    def under(self, runtime: str) -> "Attack":
        """As it is to be tried where containers have this OCI runtime, by the engine's name."""
        if self.header.gvisor is None or "runsc" not in runtime:
            return self
        others = msgspec.structs.asdict(self.header.gvisor)
        changed = {name: value for name, value in others.items() if value is not None}
        del changed["because"]
        return replace(self, header=replace(self.header, **changed))

    def candidates(self, honest: str) -> list[str]:
        """A `train.py` for each variant; `honest` is the task's own."""
        texts = [self.with_constants(constants) for constants in self.header.variants]
        return [f"{honest}\n\n{text}" for text in texts] if self.header.behind else texts


def read_attacks(root: Path = ROOT) -> list[Attack]:
    """Every attack, by group and name. Raises `NotFound`, `Unusable`."""
    files = [
        file
        for file in sorted((root / "tests" / "attacks").glob("*.py"))
        if not file.name.startswith(("test_", "conftest", "__"))
    ]
    if not files:
        raise NotFound(
            f"No attacks are at {root / 'tests' / 'attacks'}.",
            "Use a checkout (`make venv`, then `.venv/bin/sealed selftest`), or the controller's "
            "image: docker compose exec controller sealed selftest",
        )
    order = list(Group)
    attacks = [
        Attack(name=f.stem, text=(t := read_text(f)), header=header(f.stem, t)) for f in files
    ]
    return sorted(attacks, key=lambda attack: order.index(attack.header.group))


def header(name: str, text: str) -> Header:
    """What the text's header says. Raises `Unusable` with what is wrong in it."""
    block = _BLOCK.match(text)
    if block is None:
        raise Unusable(f"The attack {name} has no header.", "See controller/selftest/catalogue.py.")
    lines = [line.removeprefix("#").removeprefix(" ") for line in block[1].splitlines()]
    try:
        found = msgspec.convert(tomllib.loads("\n".join(lines)), Header)
        others = found.gvisor.canaries if found.gvisor else None
        for canary in (*found.canaries, *(others or ())):
            parse(canary)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as fault:
        raise Unusable(f"The header of the attack {name} is wrong: {fault}.") from None
    return found


def chosen(attacks: Sequence[Attack], names: Sequence[str]) -> list[Attack]:
    """Those of these names, or all that can be tried here. Raises `NotFound`."""
    known = {attack.name for attack in attacks if attack.header.canaries}
    if strangers := sorted(set(names) - known):
        raise NotFound(
            f"No attack is named {', '.join(strangers)}, or only tests can tell what it gains.",
            f"There are: {', '.join(sorted(known))}.",
        )
    return [attack for attack in attacks if attack.name in (set(names) or known)]
