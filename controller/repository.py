"""The git repository of a run: the only file that imports git.

`main` has the root commit, which is the task's own files, and one commit for each kept
candidate. Every experiment, kept or not, is at `refs/experiments/<number>`. A commit is made once
its decision is stored, on top of the champion that it was compared with, so `main` at no moment
points to a loser. All bytes of a commit come from the ledger: made again, it has the same id.

Plumbing only: objects, refs and index are written by GitPython's own code. No git process is
started in the repository, so no hook, filter, attribute, template, signing or configuration of the
user takes part. The names in a tree are constants, refs are made from numbers, and what
models write is in blobs and quoted in messages, nowhere else.

Loose files are packed from time to time, for a run of a week has thousands of experiments: objects
into one pack more, refs into `packed-refs`. What is packed stays loose until the next time, so
that nobody who reads meanwhile misses it, and a process may be killed anywhere.

The repository has a working tree, so that a person finds the champion's train.py as a file. It is
the run's own: what is changed there is overwritten by the next champion. Clone it to work on it.
"""

import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Self

# Importing git looks for a git program and fails where there is none; none is needed here.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import tenacity
from git import (
    BaseIndexEntry,
    Commit,
    IndexEntry,
    IndexFile,
    InvalidGitRepositoryError,
    NoSuchPathError,
    Reference,
    Repo,
)
from git.objects.fun import tree_to_stream
from gitdb import GitDB, IStream, LooseObjectDB  # type: ignore[import-untyped]
from gitdb.exc import BadObject, ODBError  # type: ignore[import-untyped]
from gitdb.pack import PackEntity, PackIndexFile  # type: ignore[import-untyped]

from controller.errors import NotFound
from sandbox.api import TaskFiles

_MAIN = "refs/heads/main"
_AUTHOR = "Sealed AutoResearch <sealed@localhost>"
_FILE_MODE = 0o100644
_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"

_COMMIT_ID = re.compile(r"[0-9a-f]{40}", re.ASCII)
_PACKED_HEAD = "# pack-refs with: peeled fully-peeled sorted \n"
LOOSE_EXPERIMENTS = 250
"""So many are packed at once. Each is about four files while it is loose."""

_patient = tenacity.retry(
    # A git program of the user may hold a lock for a moment: an editor that shows the status does.
    retry=tenacity.retry_if_exception_cause_type(FileExistsError),
    stop=tenacity.stop_after_delay(10),
    wait=tenacity.wait_random(0.01, 0.1),
    reraise=True,
)


class Repository:
    """A run's repository. One process at a time writes to it: the one that holds the run's lock."""

    def __init__(self, folder: Path) -> None:
        """Open the repository in `folder`, or make it there."""
        self._folder = folder
        self._git = folder / ".git"
        if not self._git.exists():
            self._make()
        self._repo = _opened(folder)
        # A lock or a draft that is there now was left by a killed process of this run.
        for left in (
            *(self._git / name for name in ("index.lock", "packed-refs.lock")),
            *(self._git / "refs").rglob("*.lock"),
            *(self._git / "objects" / "pack").glob("*.draft"),
        ):
            left.unlink(missing_ok=True)
        self._packed = self._read_packed()
        self._loose = len(self._loose_experiments())

    def close(self) -> None:
        self._repo.close()

    def commit(self, files: TaskFiles, message: str, *, parent: str | None, when: datetime) -> str:
        """Store a commit and give its id; the same arguments give the same id. Moves no ref."""
        objects = objects_of(files, message, parent=parent, when=when)
        return [self._store(kind, data) for kind, data in objects][-1].hex()

    def experiment(self, number: int) -> str | None:
        """The commit of an experiment; None: there is none."""
        return self._read(_of_experiment(number))

    def lost(self, commits: Mapping[int, str]) -> list[int]:
        """The experiments that are not at the commit that they should be at."""
        loose = {file.name for file in self._loose_experiments()}

        def stored(number: int) -> str | None:  # what is packed has no file to look for
            ref = _of_experiment(number)
            return self._read(ref) if str(number) in loose else self._packed.get(ref)

        return [number for number, commit in commits.items() if stored(number) != commit]

    def set_experiment(self, number: int, commit: str) -> None:
        self._set(_of_experiment(number), commit)
        self._loose += 1

    def main(self) -> str | None:
        """The commit of the champion; None: there is none yet."""
        return self._read(_MAIN)

    def set_main(self, commit: str, files: TaskFiles) -> None:
        """Make a commit the head of `main`, and the working tree its files."""
        for name, data in _contents(files):
            draft = self._git / f"sealed-{name}"
            draft.write_bytes(data)
            draft.replace(self._folder / name)
        self._set_index(files)
        self._set(_MAIN, commit)

    def tidy(self) -> None:
        """Pack what is loose, if it is much."""
        if self._loose >= LOOSE_EXPERIMENTS:
            self._pack_objects()
            self._pack_refs()
            self._loose = 0

    # ---- below ----------------------------------------------------------------------------------

    def _make(self) -> None:
        """What `git init` makes, less the templates and settings of the user that it copies."""
        draft = self._folder / ".git.new"
        shutil.rmtree(draft, ignore_errors=True)
        for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags"):
            (draft / name).mkdir(parents=True)
        (draft / "HEAD").write_text(f"ref: {_MAIN}\n")
        (draft / "config").write_text(_CONFIG)
        draft.rename(self._git)

    def _store(self, kind: str, data: bytes) -> bytes:
        """Store an object so that it outlives a power cut; its binary id."""
        binary = object_id(kind, data)
        name = binary.hex()
        path = self._git / "objects" / name[:2] / name[2:]
        if path.exists() and path.stat().st_size == 0:
            path.unlink()  # a power cut left it so; GitPython would take it as stored
        self._repo.odb.store(IStream(kind, len(data), BytesIO(data)))
        _sync(path)
        return binary

    def _read(self, ref: str) -> str | None:
        try:
            commit = (self._git / ref).read_text(errors="replace").strip()
        except FileNotFoundError:
            return self._packed.get(ref)
        return commit if _COMMIT_ID.fullmatch(commit) else None  # emptied by a power cut

    @_patient
    def _set(self, ref: str, commit: str) -> None:
        Reference(self._repo, ref).set_reference(Commit(self._repo, bytes.fromhex(commit)))

    # ---- packing --------------------------------------------------------------------------------

    def _pack_objects(self) -> None:
        """Remove what an earlier pack has, and pack the rest."""
        folder = self._git / "objects" / "pack"
        packed = set()
        for path in folder.glob("pack-*.idx"):
            with closing(PackIndexFile(str(path))) as found:
                packed |= {found.sha(place) for place in range(found.size())}
        loose = []
        for name in self._repo.odb.sha_iter():
            path = self._git / "objects" / name.hex()[:2] / name.hex()[2:]
            if name in packed:
                path.unlink()
            elif self._is_whole(name):
                loose.append(name)
        if not loose:
            return
        pack, index = folder / "pack.draft", folder / "index.draft"
        with pack.open("wb") as to_pack, index.open("wb") as to_index:
            identity, _ = PackEntity.write_pack(
                map(self._repo.odb.stream, loose), to_pack.write, to_index.write, len(loose)
            )
        for draft, kind in ((pack, "pack"), (index, "idx")):  # git looks for the index
            _sync(draft)
            draft.replace(folder / f"pack-{identity.hex()}.{kind}")
        _sync(folder)

    def _is_whole(self, name: bytes) -> bool:
        """A power cut may have left half of it; git then says so, and it is not packed."""
        try:
            stored = self._repo.odb.stream(name)
            return object_id(stored.type.decode(), stored.read()) == name
        except (ODBError, OSError, ValueError, zlib.error):
            return False

    def _pack_refs(self) -> None:
        """Only those of experiments: `main` is a file that is easy to find."""
        loose = {f"refs/experiments/{file.name}": file for file in self._loose_experiments()}
        whole = {ref: commit for ref in loose if (commit := self._read(ref))}
        packed = self._read_packed() | whole
        path, lock = self._git / "packed-refs", self._git / "packed-refs.lock"
        try:
            with lock.open("x") as file:
                file.write(_PACKED_HEAD)
                file.writelines(f"{commit} {ref}\n" for ref, commit in sorted(packed.items()))
        except FileExistsError:  # a git program of the user packs; the next time will do
            return
        _sync(lock)
        lock.replace(path)
        _sync(self._git)
        self._packed = packed
        for ref in whole:
            loose[ref].unlink()

    def _loose_experiments(self) -> list[Path]:
        return list((self._git / "refs" / "experiments").glob("[0-9]*"))

    def _read_packed(self) -> dict[str, str]:
        """Packed refs with their commits; a tag's own line says more, and is left out."""
        try:
            text = (self._git / "packed-refs").read_text(errors="replace")
        except FileNotFoundError:
            return {}
        words = [line.split(" ", 1) for line in text.splitlines() if line[:1] not in ("#", "^")]
        return {pair[1]: pair[0] for pair in words if len(pair) == 2}

    @_patient
    def _set_index(self, files: TaskFiles) -> None:
        """Without it, `git status` would call every file deleted."""
        index = IndexFile(self._repo)
        index.entries = {
            (name, 0): IndexEntry.from_base(
                BaseIndexEntry((_FILE_MODE, object_id("blob", data), 0, name))
            )
            for name, data in _contents(files)
        }
        index.write(ignore_extension_data=True)


def _sync(path: Path) -> None:
    """Make a file, or a folder's names, outlive a power cut."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class RepositoryReader:
    """A repository that is only looked at, whatever a person's git made of it: packs, branches."""

    def __init__(self, folder: Path) -> None:
        """Raises `NotFound`."""
        try:
            self._repo = _opened(folder)
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise NotFound(f"No repository is in {folder}.", "`sealed run` makes it.") from None
        self._objects = GitDB(str(folder / ".git" / "objects"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    def refs(self) -> dict[str, str]:
        """Commits by the full names of refs."""
        found = {}
        for ref in Reference.iter_items(self._repo, "refs"):
            with suppress(ValueError, AssertionError):  # emptied by a power cut
                found[str(ref.path)] = Reference.dereference_recursive(self._repo, str(ref.path))
        return found

    def holds(self, objects: list[tuple[str, bytes]]) -> bool:
        """Whether all objects are there, with these bytes."""
        try:
            for kind, data in objects:
                found = self._objects.stream(object_id(kind, data))
                if found.size != len(data) or found.read() != data:
                    return False
        except (BadObject, OSError, ValueError, zlib.error):
            return False
        return True


def _opened(folder: Path) -> Repo:
    """GIT_DIR and its kin, set where sealed is started from a git hook, lead elsewhere."""
    theirs = {name: os.environ[name] for name in os.environ if name.startswith("GIT_")}
    for name in theirs:
        del os.environ[name]
    try:
        return Repo(folder, odbt=LooseObjectDB, expand_vars=False)
    finally:
        os.environ.update(theirs)


def objects_of(
    files: TaskFiles, message: str, *, parent: str | None, when: datetime
) -> list[tuple[str, bytes]]:
    """Kinds and bytes of the objects of a commit: blobs, tree, and the commit itself, the last."""
    contents = _contents(files)
    tree = BytesIO()
    tree_to_stream(
        [(object_id("blob", data), _FILE_MODE, name) for name, data in contents], tree.write
    )
    lines = [f"tree {object_id('tree', tree.getvalue()).hex()}"]
    if parent is not None:
        lines.append(f"parent {parent}")
    stamp = f"{_AUTHOR} {int(when.timestamp())} +0000"
    lines += [f"author {stamp}", f"committer {stamp}", "", message]
    return [
        *(("blob", data) for _, data in contents),
        ("tree", tree.getvalue()),
        ("commit", "\n".join(lines).encode()),
    ]


def _contents(files: TaskFiles) -> list[tuple[str, bytes]]:
    """In the order that git wants in a tree: by name."""
    own = (("Dockerfile", files.dockerfile), ("Dockerfile.scorer", files.scorer_dockerfile))
    return [
        *((name, text.encode()) for name, text in own if text),
        ("prepare.py", files.prepare.encode()),
        ("program.md", files.program.encode()),
        ("train.py", files.train.encode()),
    ]


def object_id(kind: str, data: bytes) -> bytes:
    # SHA-1 is git's name for an object, not a proof of anything here.
    head = f"{kind} {len(data)}\0".encode()
    return hashlib.sha1(head + data, usedforsecurity=False).digest()


def _of_experiment(number: int) -> str:
    return f"refs/experiments/{number:d}"
