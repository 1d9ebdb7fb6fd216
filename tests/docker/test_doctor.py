"""What the doctor asks of a real engine, beside the policy's settings."""

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import doctor
from sandbox.api import Advisory, Verdict
from sandbox.doctor import channels
from sandbox.doctor.around import Around
from sandbox.engine import Engine
from sandbox.host import Host
from sandbox.reaper import reap

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


def test_the_page_cache_carries_what_was_sent(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits that arrive are the sender's own; with others it would be no channel."""
    pages = channels._pages
    sent = pages(host, "send", 16)
    if sent is None:
        pytest.skip("this runtime has no view of the page cache")
    assert pages(host, "receive", *sent["windows"]) == {"bits": sent["bits"]}
    assert channels.page_cache(host).verdict is Verdict.warning

    def other_bits(host: Host, *arguments: object) -> dict[str, list[int]] | None:
        told = pages(host, *arguments)
        if told and arguments[0] == "send":
            told["bits"] = [1 - bit for bit in told["bits"]]
        return told

    monkeypatch.setattr(channels, "_pages", other_bits)
    found = channels.page_cache(host)
    assert found.verdict is Verdict.passed or "was not tried" in found.detail


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
