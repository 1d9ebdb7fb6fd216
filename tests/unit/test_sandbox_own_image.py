"""A task's own agent image: what its Dockerfile may say. Building it is in `tests/docker`."""

import pytest

from sandbox.errors import BadTask
from sandbox.own_image import check


def test_steps_are_logical_lines() -> None:
    """Comments and continued lines as Docker reads them."""
    text = "# why\nFROM sealed-agent\n\nRUN pip install \\\n  # which\n  einops==0.8.1\nrun true\n"
    assert check(text) == ["RUN pip install einops==0.8.1", "run true"]


@pytest.mark.parametrize("first", ["FROM sealed-agent", "from sealed-agent:latest"])
def test_it_begins_with_the_agent_image(first: str) -> None:
    """By its name, which the sandbox turns into an id."""
    assert check(f"{first}\nRUN true\n") == ["RUN true"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "RUN true\n",
        "FROM python:3.11\nRUN true\n",
        "FROM sealed-scorer\nRUN true\n",
        "FROM sealed-agent AS build\nRUN true\n",
        "FROM --platform=linux/arm64 sealed-agent\n",
        "ARG BASE=x\nFROM sealed-agent\n",
    ],
)
def test_another_base_is_refused(text: str) -> None:
    """The agent image's runner and its one layer are what the policy is about."""
    with pytest.raises(BadTask, match="does not begin with `FROM sealed-agent`"):
        check(text)


@pytest.mark.claim("own-images-add-packages")
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
def test_other_steps_are_refused(step: str) -> None:
    """Files, other images, environment, users and mounts are not for an agent image."""
    with pytest.raises(BadTask, match="a step that is not for an agent image"):
        check(f"FROM sealed-agent\n{step}\n")


@pytest.mark.parametrize("line", ["# syntax=docker/dockerfile:1", "#escape=`", "#  check=skip=all"])
def test_parser_directives_are_refused(line: str) -> None:
    """One names another parser, another changes what ends a line."""
    with pytest.raises(BadTask, match="parser directive"):
        check(f"{line}\nFROM sealed-agent\nRUN true\n")


def test_a_long_one_is_refused() -> None:
    """A short Dockerfile can be read."""
    with pytest.raises(BadTask, match="over 16 KiB"):
        check("FROM sealed-agent\n" + "# long\n" * 5000)
