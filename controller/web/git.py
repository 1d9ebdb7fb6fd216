"""A run's repository to clone: git's dumb protocol, which is static files, and no git process.

    git clone http://127.0.0.1:8000/git/digits-1.git

The refs are made from the ledger, which has every commit's id and is written after the commit is
stored; so a clone never finds a ref whose objects are not there yet, and a thousand refs cost one
query. Objects are files whose names are hexadecimal digits. Nothing else of the folder is served:
no config, no hook, no index.

What is served is what agents may know: candidates, the task's files, and messages that went
through `controller/visible.py`.
"""

import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from controller.errors import NotFound
from controller.runs import reading
from controller.web.views import folder_of

_LOOSE = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{38}", re.ASCII)
_PACK = re.compile(r"objects/pack/pack-[0-9a-f]{40}\.(?:pack|idx)", re.ASCII)
_PACK_NAME = re.compile(r"pack-[0-9a-f]{40}\.pack", re.ASCII)
_HEAD = "ref: refs/heads/main\n"


async def serve_git(request: Request) -> Response:
    """One file of a repository, as a git client asks for it. Raises `NotFound`."""
    name, path = request.path_params["name"], request.path_params["path"]
    return await run_in_threadpool(_answer, name, path)


def _answer(name: str, path: str) -> Response:
    folder = folder_of(name)
    git = folder / "repository" / ".git"
    if path == "HEAD":
        return PlainTextResponse(_HEAD)
    if path == "info/refs":
        return PlainTextResponse("".join(f"{commit}\t{ref}\n" for ref, commit in _refs(folder)))
    if path == "objects/info/packs":
        return PlainTextResponse("".join(f"P {pack}\n" for pack in _packs(git)) + "\n")
    file = git / path
    if (_LOOSE.fullmatch(path) or _PACK.fullmatch(path)) and file.is_file():
        return FileResponse(file, media_type="application/octet-stream")
    raise NotFound("The repository has no such file.", f"`git clone` takes /git/{name}.git.")


def _refs(folder: Path) -> list[tuple[str, str]]:
    """All refs with their commits, sorted as git wants them."""
    with reading(folder) as (ledger, _):
        recorded = [e for e in ledger.experiments() if e.commit_id is not None]
    refs = {f"refs/experiments/{e.number}": str(e.commit_id) for e in recorded}
    # As `Run` sets it: the champion, or the root where the baseline has no score.
    heads = [e for e in recorded if e.is_kept] or recorded[:1]
    if heads:
        refs["refs/heads/main"] = str(heads[-1].commit_id)
    return sorted(refs.items())


def _packs(git: Path) -> list[str]:
    """There are none, unless a person packed the repository."""
    found = (file.name for file in (git / "objects" / "pack").glob("pack-*.pack"))
    return sorted(name for name in found if _PACK_NAME.fullmatch(name))
