"""Fingerprints of candidates, by a parser in a throw-away container."""

import time

import pytest

from sandbox import limits
from sandbox.containers.host import Host
from sandbox.service import Service
from tests.conftest import TINY

pytestmark = pytest.mark.docker

TRAIN = (TINY / "train.py").read_text()


@pytest.mark.claim("candidates-are-parsed-in-containers")
def test_the_way_of_writing_makes_no_other_program(service: Service) -> None:
    """Quotes, brackets, numbers, line breaks and the length of an indent are layout."""
    written = "def train(a):\n    x = {'a': (1e-3), 'b': 0x10}\n    return x\n"
    other = 'def train( a ) :\n  x = { "a" : 0.001 ,  # remark\n "b": 16, }; return x'
    assert service.fingerprint(written) == service.fingerprint(other)
    assert service.fingerprint(written) != service.fingerprint(written.replace("0x10", "16.0"))


@pytest.mark.claim("candidates-are-parsed-in-containers")
@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "x = " + "-" * 60_000 + "1",
        "x = " + "+".join(["1"] * 15_000),
        "x = a" + ".b" * 30_000,
        "x = 0x" + "f" * 60_000,
        "x = " + "9" * 60_000,
        "if a:\n x\n" + "elif a:\n x\n" * 2500,
        "x = '\\ud800'",
        "# coding: utf-7\nx = 1",
        "\ufeffx = 1",
    ],
    ids=["brackets", "minuses", "sum", "attributes", "hex", "digits", "elif", "surrogate",
         "coding", "mark"],
)  # fmt: skip
def test_no_text_stops_the_fingerprint(service: Service, host: Host, text: str) -> None:
    """However deep or large: there is one, the same again, and no container is left."""
    began = time.monotonic()
    assert service.fingerprint(text) == service.fingerprint(text)
    assert time.monotonic() - began < 2 * (limits.FINGERPRINT + 10)
    assert host.engine.containers({"sealed.instance": host.instance, "sealed.role": "probe"}) == []
