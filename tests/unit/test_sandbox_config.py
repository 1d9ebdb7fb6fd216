"""What the operator sets through the environment."""

import stat
import threading
from pathlib import Path

import pytest

from sandbox.client import connect
from sandbox.config import PROXY_NAMES, Config, from_environment, instance_of
from sandbox.errors import BadRequest, EngineUnavailable


def test_an_empty_environment_has_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without any variable the state is below the user's home, and the engine's runtime is used."""
    monkeypatch.setenv("HOME", str(tmp_path))
    state = tmp_path / ".local" / "state" / "sealed"
    assert from_environment({}) == Config(
        home=state,
        socket=state / "sandbox.sock",
        agent_image="sealed-agent",
        scorer_image="sealed-scorer",
        runtime="",
        gpus=None,
        ca_bundle=None,
        proxies={},
    )


def test_reading_the_configuration_writes_nothing(tmp_path: Path) -> None:
    """Folders are made by who needs them."""
    from_environment({"SEALED_HOME": str(tmp_path / "home")})
    assert list(tmp_path.iterdir()) == []


def test_each_variable_sets_its_field(tmp_path: Path) -> None:
    """Every `SEALED_*` variable is where its field's documentation says."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    config = from_environment(
        {
            "SEALED_HOME": str(tmp_path / "home"),
            "SEALED_SOCKET": "/run/sealed/s.sock",
            "SEALED_AGENT_IMAGE": "mine/agent",
            "SEALED_SCORER_IMAGE": "mine/scorer",
            "SEALED_RUNTIME": "runsc",
            "SEALED_GPUS": "GPU-a, GPU-b,",
            "SEALED_CA_BUNDLE": str(bundle),
            "PIP_INDEX_URL": "https://mirror.example/simple",
        }
    )
    assert config == Config(
        home=tmp_path / "home",
        socket=Path("/run/sealed/s.sock"),
        on_demand=False,
        agent_image="mine/agent",
        scorer_image="mine/scorer",
        runtime="runsc",
        gpus=("GPU-a", "GPU-b"),
        ca_bundle=bundle,
        package_index="https://mirror.example/simple",
        proxies={},
    )


@pytest.mark.parametrize(
    "name",
    ["SEALED_HOME", "SEALED_SOCKET", "SEALED_AGENT_IMAGE", "SEALED_SCORER_IMAGE", "SEALED_RUNTIME",
     "SEALED_CA_BUNDLE", "XDG_STATE_HOME", "PIP_INDEX_URL", "http_proxy"],
)  # fmt: skip
def test_an_empty_variable_is_none(name: str) -> None:
    """Compose files set variables to nothing: that is the default."""
    assert from_environment({name: ""}) == from_environment({})


def test_what_the_machine_trusts_is_trusted(tmp_path: Path) -> None:
    """Where its programs are told of certificates, `prepare` needs them too, unless it is said."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    told = {"SSL_CERT_FILE": "/none", "REQUESTS_CA_BUNDLE": str(bundle)}
    assert from_environment(told).ca_bundle == bundle
    assert from_environment(told | {"SEALED_CA_BUNDLE": ""}).ca_bundle is None


def test_no_gpus_can_be_said() -> None:
    """`SEALED_GPUS` that is empty gives none of the engine's; unset, the engine is asked."""
    assert from_environment({"SEALED_GPUS": ""}).gpus == ()
    assert from_environment({}).gpus is None


def test_the_state_follows_xdg(tmp_path: Path) -> None:
    """`XDG_STATE_HOME` moves the default, `SEALED_HOME` overrides it, and the socket follows."""
    config = from_environment({"XDG_STATE_HOME": str(tmp_path)})
    assert (config.home, config.socket) == (tmp_path / "sealed", tmp_path / "sealed/sandbox.sock")
    both = {"XDG_STATE_HOME": str(tmp_path), "SEALED_HOME": str(tmp_path / "h")}
    assert from_environment(both).socket == tmp_path / "h" / "sandbox.sock"


def test_a_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is started from another folder finds the same state."""
    monkeypatch.chdir(tmp_path)
    assert from_environment({"SEALED_HOME": "here"}).home == tmp_path / "here"


def test_proxies_are_taken_as_they_are() -> None:
    """Exactly the six proxy variables are handed on; no other variable is."""
    environment = {name: f"http://{n}" for n, name in enumerate(PROXY_NAMES)}
    more = {"OPENAI_API_KEY": "sk-x", "all_proxy": "x", "PATH": "/bin", "LD_PRELOAD": "/x"}
    assert dict(from_environment(environment | more).proxies) == environment


@pytest.mark.parametrize("place", ["nowhere.pem", "."])
def test_a_bundle_that_is_no_file_is_refused(tmp_path: Path, place: str) -> None:
    """A certificate bundle that is missing, or a folder, is told at once, not at the download."""
    with pytest.raises(BadRequest, match="SEALED_CA_BUNDLE") as fault:
        from_environment({"SEALED_CA_BUNDLE": str(tmp_path / place)})
    assert fault.value.next_step


# ---- the instance -----------------------------------------------------------------------------


def test_an_instance_is_named_once(tmp_path: Path) -> None:
    """The random name of a home is the same for every later process, and another elsewhere."""
    name = instance_of(tmp_path / "a")
    assert len(name) == 12
    assert set(name) <= set("0123456789abcdef")
    assert instance_of(tmp_path / "a") == name
    assert instance_of(tmp_path / "b") != name
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["instance"]


def test_two_that_name_it_at_once_agree(tmp_path: Path) -> None:
    """Whoever is first has named it for both."""
    barrier = threading.Barrier(8)
    names: list[str] = []

    def name() -> None:
        barrier.wait()
        names.append(instance_of(tmp_path))

    threads = [threading.Thread(target=name) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1


def test_a_sandbox_that_others_run_is_not_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where SEALED_SOCKET names one that does not answer, that is said, and nothing is begun."""
    monkeypatch.setenv("SEALED_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setenv("SEALED_HOME", str(tmp_path / "home"))
    with pytest.raises(EngineUnavailable, match=r"No sandbox answers at .*none\.sock"), connect():
        pass
    assert not (tmp_path / "home").exists()
