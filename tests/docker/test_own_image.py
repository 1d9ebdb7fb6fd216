"""A task that brings packages: its images are built, linted and used; with a real engine."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace as replace_config
from pathlib import Path

import docker.errors
import pytest
from msgspec.structs import replace

from sandbox.api import Outcome, Task, TaskFiles, TrialRequest, task_hash
from sandbox.errors import BadTask, ImageUnfit
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files

pytestmark = pytest.mark.docker

PACKAGE = "/opt/sealed/venv/lib/python3.11/site-packages/own_package.py"
PRELUDE = """\
import os
import stat
import own_package

assert own_package.ANSWER == 42
assert not os.stat("/usr/bin/raises").st_mode & stat.S_ISUID
assert not os.path.exists("/sealed-certificates.pem")
assert not os.path.exists("/usr/local/bin/pip")
assert "PIP_CERT" not in os.environ
"""


@pytest.fixture
def prepared(service: Service) -> Iterator[Callable[[TaskFiles], Task]]:
    """Prepares tasks, which are forgotten at the end."""
    tasks: dict[str, Task] = {}

    def prepare(files: TaskFiles) -> Task:
        task = service.prepare(files)
        return tasks.setdefault(task.hash, task)

    yield prepare
    for task in tasks:
        service.forget(task)


def with_image(tag: str, *steps: str, **changes: str) -> TaskFiles:
    """The tiny task, with an agent image of its own."""
    program = (TINY / "program.md").read_text().replace("---\n", f"---\nimage: {tag}\n", 1)
    dockerfile = "\n".join(("FROM sealed-agent", *steps)) + "\n"
    return replace(task_files(TINY, program=program, dockerfile=dockerfile), **changes)


PACKAGE_STEPS = (
    f"RUN echo 'ANSWER = 42' > {PACKAGE}",
    "RUN pip --version",
    "RUN cp /bin/true /usr/bin/raises && chmod 4755 /usr/bin/raises",
)


@pytest.mark.claim("own-images-add-packages")
def test_a_package_is_there_in_training_and_answering(
    service: Service,
    tag: str,
    prepared: Callable[[TaskFiles], Task],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Built once; no setuid program, certificate or variable of the build is left in it."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    config = replace_config(service._host.config, ca_bundle=bundle)
    monkeypatch.setattr(service, "_host", replace_config(service._host, config=config))
    trusted = "RUN test -f /sealed-certificates.pem && test $PIP_CERT = /sealed-certificates.pem"
    files = with_image(tag, *PACKAGE_STEPS, trusted)
    files = replace(files, train=PRELUDE + files.train)
    stages: list[str] = []
    task = prepared(files)
    service.prepare(files, lambda progress: stages.append(progress.detail))
    assert stages == []
    request = TrialRequest(key=f"own-{tag}", task=task.hash, candidate=files.train)
    result = service.run(request)
    assert (result.outcome, result.log) == (Outcome.scored, "")
    assert service._host.engine.image(tag).config.get("Env") == (
        service._host.engine.image("sealed-agent").config.get("Env")
    )


def test_a_build_that_fails_tells_its_last_words(service: Service, tag: str) -> None:
    """Nothing is prepared then."""
    with pytest.raises(BadTask, match=r"does not build: .*returned a non-zero code: 7") as caught:
        service.prepare(with_image(tag, "RUN echo the reason; exit 7"))
    assert "the reason" in caught.value.next_step
    assert task_hash(with_image(tag, "RUN echo the reason; exit 7")) not in {
        task.hash for task in service.tasks()
    }


@pytest.mark.slow
def test_an_image_of_its_own_needs_a_name_of_its_own(
    service: Service, tag: str, prepared: Callable[[TaskFiles], Task]
) -> None:
    """Neither the agent image nor an image of others is built over; an own one is built anew."""
    with pytest.raises(BadTask, match="but no image of its own"):
        service.prepare(task_files(TINY, dockerfile="FROM sealed-agent\n"))
    with pytest.raises(BadTask, match="image sealed-scorer is there already, and is not this task"):
        service.prepare(with_image("sealed-scorer"))
    prepared(with_image(tag, "RUN true"))
    first = service._host.engine.image(tag).id
    with pytest.raises(BadTask, match="is not this task's"):
        service.prepare(with_image(tag, "RUN true # other", name="other"))
    prepared(with_image(tag, "RUN true # anew"))
    assert service._host.engine.image(tag).id != first


IN_SCORER = """\
import os
import own_package

assert own_package.ANSWER == 42
assert not os.path.exists("/sealed-certificates.pem")
assert not os.path.exists("/usr/local/bin/pip")
assert open("/etc/sealed-image").read() == "scorer\\n"
"""


@pytest.mark.claim("own-images-add-packages")
def test_a_scorer_image_of_its_own_prepares_and_scores(
    service: Service,
    tag: str,
    prepared: Callable[[TaskFiles], Task],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both images of a task are built with certificates, share no layer, and the scorer's package
    is not where agent code runs."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    config = replace_config(service._host.config, ca_bundle=bundle)
    monkeypatch.setattr(service, "_host", replace_config(service._host, config=config))
    files = with_image(tag)
    program = files.program.replace("---\n", f"---\nscorer_image: {tag}-scorer\n", 1)
    # The agent runner has `prepare.py` on its path too: what needs the package is in functions.
    body = "".join(f"    {line}\n" for line in IN_SCORER.splitlines())
    prepare = files.prepare.replace("def prepare(", f"def in_scorer():\n{body}\n\ndef prepare(")
    for name in ("prepare", "score"):
        head = re.search(rf"^def {name}\(.*\n", prepare, re.MULTILINE)
        assert head is not None
        prepare = prepare.replace(head[0], f"{head[0]}    in_scorer()\n")
    absent = "import importlib.util\nassert importlib.util.find_spec('own_package') is None\n"
    files = replace(
        files,
        program=program,
        prepare=prepare,
        train=absent + files.train,
        scorer_dockerfile=f"FROM sealed-scorer\nRUN echo 'ANSWER = 42' > {PACKAGE}\n",
    )
    try:
        task = prepared(files)
        request = TrialRequest(key=f"own-{tag}", task=task.hash, candidate=files.train)
        result = service.run(request)
        assert (result.outcome, result.log) == (Outcome.scored, "")
        assert service.verify(task.hash) == task
        agent, scorer = service._host.images(task.settings)
        assert not set(agent.layers) & set(scorer.layers)
        default = service._host.engine.image(service._host.config.scorer_image)
        assert scorer.layers[: len(default.layers)] == default.layers
    finally:
        with suppress(docker.errors.ImageNotFound):
            service._host.engine._api.remove_image(f"{tag}-scorer", force=True)


def test_the_scorers_dockerfile_needs_a_name_and_its_own_base(service: Service, tag: str) -> None:
    """The operator's scorer image is never built over, and an agent image never scores."""
    own = task_files(TINY, scorer_dockerfile="FROM sealed-scorer\n")
    with pytest.raises(BadTask, match=r"Dockerfile\.scorer, but no image of its own") as caught:
        service.prepare(own)
    assert "scorer_image: sealed-scorer-tiny" in caught.value.next_step
    named = own.program.replace("---\n", "---\nscorer_image: sealed-agent\n", 1)
    with pytest.raises(BadTask, match="is there already, and is not this task's"):
        service.prepare(replace(own, program=named))
    with pytest.raises(ImageUnfit, match="share"):
        service.prepare(replace(own, program=named, scorer_dockerfile=""))
    named = own.program.replace("---\n", f"---\nscorer_image: {tag}\n", 1)
    with pytest.raises(BadTask, match="does not begin with `FROM sealed-scorer`"):
        service.prepare(replace(own, program=named, scorer_dockerfile="FROM sealed-agent\n"))
