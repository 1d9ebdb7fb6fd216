"""The catalogue of attacks, the policy and the tests, held to each other: no engine, text alone."""

import re

import pytest

from controller.selftest import Control, Group
from sandbox import doctor
from sandbox.policy import WHY
from tests.docker.test_policy_settings import ELSEWHERE, FLIPS
from tests.support.attacks import ATTACKS
from tests.support.flips import RULES, SETTINGS, TASK_RULES
from tests.support.tasks import ROOT

TESTS = sorted((ROOT / "tests" / "attacks").glob("test_*.py"))
IN_CATALOGUE = {attack.name for attack in ATTACKS.values() if attack.header.canaries}
NUMBERS = {"score", "rehearsal", "seconds", "log_bytes", "attempts", "reaped"}
TEXTS = {"log", "reason", "outcome"}


def test_there_are_fifty_attacks_and_more() -> None:
    """At least fifty are tried by `sealed selftest`, and every group has some."""
    assert len(IN_CATALOGUE) >= 50
    assert {attack.header.group for attack in ATTACKS.values()} == set(Group)


def test_every_text_is_in_the_catalogue() -> None:
    """A file in the folder of attacks is an attack, a test, or what tests share."""
    files = {path.stem for path in (ROOT / "tests" / "attacks").glob("*.py")}
    tests = {path.stem for path in TESTS}
    assert files - tests - {"conftest", "__init__"} == set(ATTACKS)


def test_every_defence_is_there() -> None:
    """An attack names settings of the policy, or rules that the tests know."""
    for attack in ATTACKS.values():
        assert attack.header.defences, attack.name
        assert set(attack.header.defences) <= set(WHY) | set(RULES), attack.name


def test_every_attack_has_a_control_arm() -> None:
    """What `--control` flips can be taken out; what only tests can tell, tests name."""
    known = set(SETTINGS) | set(TASK_RULES)
    known |= {name for name, rule in RULES.items() if rule.flip}
    tests = "".join(path.read_text() for path in TESTS)
    for attack in ATTACKS.values():
        header = attack.header
        if header.control is Control.flip:
            assert set(header.defences) <= known, attack.name
        assert (header.control is Control.tests) == (not header.canaries), attack.name
        assert header.canaries or f'"{attack.name}"' in tests, attack.name


def test_every_rule_is_a_defence() -> None:
    """No rule and no flip of a setting stands there that no attack names."""
    used = {name for attack in ATTACKS.values() for name in attack.header.defences}
    assert (set(RULES) | set(SETTINGS)) - used == set()


@pytest.mark.claim("every-setting-matters")
def test_every_setting_of_the_policy_is_a_defence() -> None:
    """Each is named by an attack, by a check of the doctor, or by a test of its own."""
    attacked = {name for attack in ATTACKS.values() for name in attack.header.defences} & set(WHY)
    probed = {name for names in doctor.SETTINGS.values() for name in names}
    assert attacked | probed | set(ELSEWHERE) == set(WHY)
    assert probed | set(ELSEWHERE) == {name for name, _, _ in FLIPS} | set(ELSEWHERE)


def test_what_an_attack_says_is_what_its_header_reads() -> None:
    """A canary or a sign of life that the text never says could not appear."""
    for attack in ATTACKS.values():
        names = {re.split(r" (?:<|>|=~|beats|spans) ", c)[0] for c in attack.header.canaries}
        for name in (names | {attack.header.tried}) - NUMBERS - TEXTS - {""}:
            assert f"{name}: " in attack.text or f'"{name}"' in attack.text, (attack.name, name)
