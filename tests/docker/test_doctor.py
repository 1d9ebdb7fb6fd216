"""What the doctor asks of a real engine, beside the policy's settings."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox import doctor
from sandbox.api import Advisory, Verdict
from sandbox.containers.host import Host
from sandbox.containers.reaper import reap
from sandbox.doctor import channels, leftovers
from sandbox.doctor.around import Around
from sandbox.engine import Engine

pytestmark = pytest.mark.docker


def test_an_engine_tells_its_versions(engine: Engine) -> None:
    """Engine, containerd and runc are told where the version gate looks for them."""
    around = Around.of(engine, "")
    for name in ("Engine", "containerd", "runc"):
        version, _ = around.component(name)
        assert version[:1].isdigit(), name
    assert around.info["Runtimes"]


def test_the_toolkit_is_asked_where_the_engine_is_this_machines(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its own tool; behind an engine elsewhere, this machine's tool says nothing of it."""
    tool = tmp_path / "nvidia-ctk"
    tool.write_text("#!/bin/sh\necho NVIDIA Container Toolkit CLI version 1.17.7\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "1.17.7" in Around.of(engine, "").toolkit
    monkeypatch.setattr(Engine, "is_local", False)
    assert Around.of(engine, "").toolkit == ""


def test_a_gpu_that_is_not_given_is_found(host: Host) -> None:
    """Where the engine seems to have NVIDIA's runtime, a container has to see a GPU."""
    if "nvidia" in host.runtimes:
        pytest.skip("this engine has GPUs")
    claims = replace(host, runtimes=host.runtimes | {"nvidia"})
    assert "gives a container no GPU" in doctor.gpu(claims)
    named = replace(claims, config=replace(host.config, gpus=("GPU-0",)))
    assert "GPU-0" in doctor.gpu(named)


@pytest.mark.parametrize(("arrives", "verdict"), [(True, Verdict.warning), (False, Verdict.passed)])
def test_a_note_in_the_image_is_told_where_it_comes_through(
    host: Host, monkeypatch: pytest.MonkeyPatch, arrives: bool, verdict: Verdict
) -> None:
    """The receiver hears what was sent, or, in its place, bits that nobody sent."""
    note, sent = leftovers._note, list[int]()

    def heard(host: Host, *arguments: object) -> dict[str, Any]:
        told = note(host, *arguments)
        if arguments[0] == "send":
            sent[:] = told["bits"]
        else:
            assert len(told["bits"]) == len(sent), "the receiver looks where the sender was"
            told["bits"] = sent if arrives else [secrets.randbits(1) for _ in sent]
        return told

    monkeypatch.setattr(leftovers, "_note", heard)
    assert channels.page_cache(host).verdict is verdict


def test_looking_for_held_out_data_leaves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is done, nor, once the reaper has been there, when it was killed."""
    ours = {"sealed.instance": host.instance}
    before = {volume["Name"] for volume in host.engine.volumes(ours)}
    assert doctor.TRIED_CHECKS["held_out"](host) == ""
    assert {volume["Name"] for volume in host.engine.volumes(ours)} == before
    with monkeypatch.context() as killed:
        killed.setattr(Engine, "remove_volume", lambda *_: None)
        doctor.TRIED_CHECKS["held_out"](host)
    assert {volume["Name"] for volume in host.engine.volumes(ours)} > before
    reap(host.engine, host.instance)
    assert {volume["Name"] for volume in host.engine.volumes(ours)} == before


def test_a_check_that_cannot_be_tried_warns(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice that nobody could look for is no pass."""
    monkeypatch.setattr("sandbox.doctor.measured.PYTHON", "/bin/false")
    found = doctor._advised(Advisory.page_cache, lambda: channels.page_cache(host))
    assert (found.verdict, found.measured) == (Verdict.warning, False)
    assert found.next_step
