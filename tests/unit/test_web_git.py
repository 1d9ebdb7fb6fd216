"""A run's repository is cloned from the page by the real git program."""

import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.ledger import Ledger
from tests.support.page import served_page
from tests.unit.toy import Scripted, candidates, drive, fake, ledger_of, opened
from tests.unit.web import asking, make_run


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test are its own, and git asks nobody and reads no settings of the user."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "runs"


def git(*arguments: str) -> list[str]:
    """Lines that a git command prints."""
    done = subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.splitlines()


def commits(ledger: Ledger) -> dict[str, str]:
    """Every experiment's ref with its commit."""
    return {
        f"refs/experiments/{e.number}": str(e.commit_id)
        for e in ledger.experiments()
        if e.commit_id is not None
    }


def test_a_clone_has_what_was_kept(tmp_path: Path) -> None:
    """`main` is the champions in order; all experiments can be fetched by their refs."""
    make_run()
    kept = [str(ledger_of().experiment(n).commit_id) for n in (3, 1, 0)]
    with served_page() as url:
        address = f"{url}/git/run.git"
        git("clone", "-q", address, str(tmp_path / "clone"))
        refs = {ref: commit for commit, ref in (line.split() for line in git("ls-remote", address))}
        git("-C", str(tmp_path / "clone"), "fetch", "-q", "origin", "refs/experiments/*:refs/x/*")
    inside = ("-C", str(tmp_path / "clone"))
    assert git(*inside, "log", "--format=%H", "main") == kept
    assert (tmp_path / "clone" / "train.py").read_text() == ledger_of().candidate(3)
    assert commits(ledger_of()).items() <= refs.items()
    assert refs["refs/heads/main"] == refs["HEAD"] == kept[0]
    assert git(*inside, "show", "refs/x/4:train.py") == ledger_of().candidate(4).splitlines()
    git(*inside, "fsck", "--full", "--strict")


def test_a_clone_of_a_run_that_goes_on_is_whole(tmp_path: Path) -> None:
    """An experiment that is decided, but not recorded yet, is in no ref."""
    sandbox = fake()
    with opened(sandbox, most_experiments=2) as run:
        drive(run, sandbox, Scripted(*candidates(0.2, 0.1)))
        run.ledger.propose(agent="a", hypothesis="h", candidate="# c\n", parent=2)
        with served_page() as url:
            git("clone", "-q", "--mirror", f"{url}/git/run.git", str(tmp_path / "clone"))
    listed = git("-C", str(tmp_path / "clone"), "for-each-ref", "--format=%(refname)")
    assert listed == [f"refs/experiments/{n}" for n in range(3)] + ["refs/heads/main"]


def test_a_repository_that_a_person_packed_is_cloned_too(runs: Path, tmp_path: Path) -> None:
    """`git gc` moves objects into packs and refs into a file; the ledger still has the refs."""
    make_run()
    git("-C", str(runs / "run" / "repository"), "gc", "-q", "--aggressive", "--prune=now")
    with served_page() as url:
        git("clone", "-q", f"{url}/git/run.git", str(tmp_path / "clone"))
    assert len(git("-C", str(tmp_path / "clone"), "log", "--format=%H", "main")) == 3


def test_refs_are_answered_in_the_order_of_git() -> None:
    """By name, so that 10 comes before 2."""
    make_run("run", *[0.5 + n / 1000 for n in range(30)])
    with asking() as client:
        lines = client.get("/git/run.git/info/refs?service=git-upload-pack").text.splitlines()
    names = [line.split("\t")[1] for line in lines]
    assert len(names) == 32
    assert names == sorted(names)


def raw_get(url: str, path: str) -> tuple[int, bytes]:
    """Asks for a path as it is: no client makes it tidy."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=10) as stream:
        stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: stream.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


ESCAPES = [
    "/git/run.git/config",
    "/git/run.git/index",
    "/git/run.git/../../ledger.sqlite",
    "/git/run.git/../ledger.sqlite",
    "/git/run.git/..%2f..%2fledger.sqlite",
    "/git/run.git/objects/../config",
    "/git/run.git/objects/%2e%2e/config",
    "/git/run.git/objects/pack/../../config",
    "/git/run.git/objects/pack/pack-%2e%2e.pack",
    "/git/run.git//etc/passwd",
    "/git/run.git/%2fetc%2fpasswd",
    "/git/run.git/HEAD%00",
    "/git/run.git/objects/info/alternates",
    "/git/run.git/objects/info/http-alternates",
    "/git/run.git/refs/heads/main",
    "/git/run.git/train.py",
    "/git/run.git/",
    "/git/...git/HEAD",
    "/git/..%2frun.git/HEAD",
    "/git/.git/HEAD",
    "/git/%2e%2e.git/HEAD",
    "/git//git/HEAD",
    "/runs/..",
    "/runs/%2e%2e",
    "/runs/..%2frun",
    "/runs/run/experiments/..%2f..",
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/guard.py",
]


def test_no_path_leads_out_of_what_is_served() -> None:
    """Not to the ledger, not to git's own files, not to the disk."""
    make_run()
    with served_page() as url:
        assert raw_get(url, "/git/run.git/HEAD") == (200, b"ref: refs/heads/main\n")
        answers = {path: raw_get(url, path) for path in ESCAPES}
    assert {path: status for path, (status, _) in answers.items() if status != 404} == {}
    for _, body in answers.values():
        for secret in (b"SQLite format", b"repositoryformatversion", b"root:", b"import"):
            assert secret not in body
