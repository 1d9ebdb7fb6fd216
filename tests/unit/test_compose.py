"""compose.yaml, read as text: what it promises of its services, and the settings it reads."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import enter

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
LONG_LIVED = ["controller", "sandbox"]
IMAGES_ALONE = ["agent", "scorer"]
SOCKET = "/var/run/docker.sock"

services = pytest.mark.parametrize("name", sorted(SERVICES))
long_lived = pytest.mark.parametrize("name", LONG_LIVED)


def targets(name: str) -> dict[str, dict[str, Any] | str]:
    """A service's mounts by their place in the container."""
    found: dict[str, dict[str, Any] | str] = {}
    for mount in SERVICES[name].get("volumes", []):
        if isinstance(mount, dict):
            found[mount["target"]] = mount
        else:
            # `${NAME:-default}:/place` has colons of its own.
            place = re.sub(r"\$\{[^}]*\}", "x", mount).split(":")[1]
            found[place] = mount
    return found


def read_variables() -> dict[str, str | None]:
    """Variables that compose.yaml reads, with their defaults."""
    found: dict[str, str | None] = {}
    for name, default in re.findall(
        r"\$\{([A-Za-z_]+)(?::?-([^}]*))?\}", (ROOT / "compose.yaml").read_text()
    ):
        assert found.setdefault(name, default) == default, f"{name} has two defaults"
    for service in SERVICES.values():
        passed_on = service.get("environment", {}).items()
        found |= {name: None for name, value in passed_on if value is None}
    return found


def documented() -> dict[str, str]:
    """Variables of .env.example, with the defaults it shows."""
    return dict(re.findall(r"^#([A-Za-z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


# ---- settings ---------------------------------------------------------------------------------


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    """Both ways; what Compose does not read, the scripts do."""
    scripts = "".join(path.read_text() for path in (ROOT / "scripts").glob("*.sh"))
    read = set(read_variables())
    assert read - set(documented()) == set()
    for name in set(documented()) - read:
        assert f"{name}:" in scripts or f"{name}+" in scripts or f"{name}-" in scripts, name


def test_documented_defaults_are_the_true_ones() -> None:
    """And each setting has its line of words above it."""
    for name, default in read_variables().items():
        assert documented()[name] == (default or ""), name
        if name.startswith("SEALED_"):
            above = EXAMPLE.split(f"\n#{name}=")[0].rsplit("\n", 1)[-1]
            assert above.startswith("# "), name
            assert len(above.split()) >= 4, name


def test_an_example_changes_nothing() -> None:
    """Copied as it is, it sets nothing."""
    assert all(not line or line.startswith("#") for line in EXAMPLE.splitlines())


def test_torch_has_one_default() -> None:
    """Dockerfile and Compose agree; the images' script reads the Dockerfile."""
    (version,) = re.findall(
        r"^ARG TORCH=(.+)$", (ROOT / "images/agent/Dockerfile").read_text(), re.MULTILINE
    )
    assert read_variables()["SEALED_TORCH"] == version
    index = read_variables()["SEALED_TORCH_INDEX"]
    assert index
    assert f"echo {index}" in (ROOT / "scripts/images.sh").read_text()


def test_every_build_argument_is_one_of_its_dockerfile() -> None:
    """A name that no Dockerfile knows would be ignored without a word."""
    proxies = {"http_proxy", "https_proxy", "no_proxy"}  # builders know these
    for name, service in SERVICES.items():
        file = ROOT / service["build"]["dockerfile"]
        assert file.parent.name == name
        arguments = set(re.findall(r"^ARG ([A-Z_]+)=", file.read_text(), re.MULTILINE))
        assert set(service["build"]["args"]) - proxies == arguments


# ---- hardening --------------------------------------------------------------------------------


@pytest.mark.claim("services-are-hardened")
@services
def test_every_service_is_hardened(name: str) -> None:
    """Read-only, without privileges to gain, bounded, and with a bounded log."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 512
    assert service["mem_limit"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    for forbidden in ("privileged", "devices", "pid", "ipc", "userns_mode", "extra_hosts", "links"):
        assert forbidden not in service


@pytest.mark.claim("services-are-hardened")
def test_only_the_sandbox_begins_as_root_and_only_to_change_its_user() -> None:
    """Two capabilities for one instant; tests/e2e holds that none is left after it."""
    for name, service in SERVICES.items():
        if name == "sandbox":
            assert service["user"] == f"0:{enter.API_GROUP}"
            assert service["cap_add"] == ["SETUID", "SETGID"]
        else:
            assert "cap_add" not in service
            user = re.sub(r"\$\{[A-Z_]+:-([^}]+)\}", r"\1", service["user"])
            assert not user.startswith("0")
    assert SERVICES["controller"]["group_add"] == [str(enter.API_GROUP)]


@pytest.mark.claim("sandbox-has-no-network")
def test_only_the_controller_has_a_network() -> None:
    """And its page is published on this machine's own address alone."""
    for name, service in SERVICES.items():
        if name == "controller":
            assert "network_mode" not in service
            assert service["ports"] == ["127.0.0.1:${SEALED_PORT:-8000}:8000"]
        else:
            assert service["network_mode"] == "none"
            assert "ports" not in service


@pytest.mark.claim("controller-has-no-engine")
def test_only_the_sandbox_has_the_engine() -> None:
    """And the controller reads, of all that the sandbox has, the API's socket alone."""
    for name in SERVICES:
        sources = [m["source"] if isinstance(m, dict) else m for m in targets(name).values()]
        assert (SOCKET in targets(name)) == (name == "sandbox")
        assert any("docker.sock" in source for source in sources) == (name == "sandbox")
    assert set(targets("controller")) == {
        "/var/lib/sealed/tasks",
        "/var/lib/sealed/runs",
        "/run/sealed",
    }
    assert targets("controller")["/run/sealed"] == "api:/run/sealed:ro"
    assert str(enter.ENGINE) == SOCKET
    assert str(enter.BUNDLE.parent) in targets("sandbox")
    assert str(enter.HOME) in targets("sandbox")


def test_what_comes_from_this_machine_is_read_only_and_never_made_up() -> None:
    """A path that is missing is an error, not an empty folder of root's."""
    for name in SERVICES:
        for place, mount in targets(name).items():
            if isinstance(mount, dict):
                assert mount["type"] == "bind"
                assert mount["bind"] == {"create_host_path": False}
                assert mount.get("read_only") is True or place == SOCKET


# ---- life -------------------------------------------------------------------------------------


@long_lived
def test_services_are_watched_restarted_and_given_time_to_end(name: str) -> None:
    """SIGTERM ends the trial at hand and removes its containers within the grace period."""
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 60
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["healthcheck"]["start_period"].endswith("m")


def test_the_sandbox_waits_for_both_role_images() -> None:
    """Each is held by a service that does nothing."""
    wanted = {"condition": "service_completed_successfully"}
    assert SERVICES["sandbox"]["depends_on"] == dict.fromkeys(IMAGES_ALONE, wanted)
    for name in IMAGES_ALONE:
        assert SERVICES[name]["command"] == ["/bin/true"]
        assert SERVICES[name]["restart"] == "no"
        assert not targets(name)


def test_all_state_is_in_named_volumes() -> None:
    """None is external, none has a driver: `docker compose down` keeps them."""
    assert COMPOSE["volumes"] == {"state": None, "api": None, "runs": None}
    assert COMPOSE["name"] == "sealed"
