"""A task's own images: what their Dockerfiles may say. Building them is in `tests/docker`."""

import pytest

from sandbox.errors import BadTask
from sandbox.images.own import AGENT, SCORER, Kind, check

KINDS = pytest.mark.parametrize("kind", [AGENT, SCORER], ids=["agent", "scorer"])


def test_steps_are_logical_lines() -> None:
    """Comments and continued lines as Docker reads them."""
    text = "# why\nFROM sealed-agent\n\nRUN pip install \\\n  # which\n  einops==0.8.1\nrun true\n"
    assert check(text, AGENT) == ["RUN pip install einops==0.8.1", "run true"]


@KINDS
@pytest.mark.parametrize("first", ["FROM {}", "from {}:latest"])
def test_it_begins_with_its_roles_image(kind: Kind, first: str) -> None:
    """By its name, which the sandbox turns into an id."""
    assert check(f"{first.format(kind.base)}\nRUN true\n", kind) == ["RUN true"]


@KINDS
@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "RUN true\n",
        "FROM python:3.11\nRUN true\n",
        "FROM {other}\nRUN true\n",
        "FROM {base} AS build\nRUN true\n",
        "FROM --platform=linux/arm64 {base}\n",
        "ARG BASE=x\nFROM {base}\n",
    ],
)
def test_another_base_is_refused(kind: Kind, text: str) -> None:
    """A role image's runner and its one layer are what the policy is about."""
    other = AGENT if kind is SCORER else SCORER
    with pytest.raises(BadTask, match=f"{kind.file} does not begin with `FROM {kind.base}`"):
        check(text.format(base=kind.base, other=other.base), kind)


@pytest.mark.claim("own-images-add-packages")
@KINDS
@pytest.mark.parametrize(
    "step",
    [
        "ENV LD_PRELOAD=/x.so",
        "COPY . /",
        "COPY --from=sealed-scorer / /",
        "ADD https://example.org/x /",
        "USER 0",
        "VOLUME /data",
        "HEALTHCHECK CMD true",
        'ENTRYPOINT ["true"]',
        "ONBUILD RUN true",
        "FROM python:3.11",
        "RUN --mount=type=bind,from=sealed-scorer,target=/s cat /s/etc/sealed-image",
        "RUN --network=host true",
        "RUN --security=insecure true",
        "RUN <<EOF\ntrue\nEOF",
        'RUN\ttrue\nSHELL ["/bin/x"]',
        "R\\\nUN true",
    ],
)
def test_other_steps_are_refused(kind: Kind, step: str) -> None:
    """Files, other images, environment, users and mounts are not for a role image."""
    with pytest.raises(BadTask, match="a step that is not for a role image"):
        check(f"FROM {kind.base}\n{step}\n", kind)


@pytest.mark.parametrize("line", ["# syntax=docker/dockerfile:1", "#escape=`", "#  check=skip=all"])
def test_parser_directives_are_refused(line: str) -> None:
    """One names another parser, another changes what ends a line."""
    with pytest.raises(BadTask, match="parser directive"):
        check(f"{line}\nFROM sealed-agent\nRUN true\n", AGENT)


def test_a_long_one_is_refused() -> None:
    """A short Dockerfile can be read."""
    with pytest.raises(BadTask, match="over 16 KiB"):
        check("FROM sealed-agent\n" + "# long\n" * 5000, AGENT)
