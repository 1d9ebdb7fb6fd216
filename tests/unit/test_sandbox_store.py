"""Prepared tasks: their names, their secrets, and what of them is shared."""

import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sandbox.api import Goal, TaskFiles, TaskSettings, task_hash
from sandbox.errors import UnknownTask
from sandbox.tasks.settings import BOUNDS
from sandbox.tasks.store import Data, TaskStore, data_name

FILES = TaskFiles(name="toy", program="---\n", train="def train(): ...", prepare="def prepare(): .")
SETTINGS = TaskSettings(metric="m", goal=Goal.minimize, budget_seconds=1.0)
DATA = Data(
    files=[("public/train/x.npy", 10, "0" * 64), ("sealed/held_out/y", 5, "1" * 64)], quick="q"
)


@pytest.fixture
def store(tmp_path: Path) -> TaskStore:
    """An empty store."""
    return TaskStore(tmp_path, "0123456789ab")


def changed(**files: str) -> TaskFiles:
    """The toy task with other texts."""
    return msgspec.structs.replace(FILES, **files)


# ---- names ------------------------------------------------------------------------------------


def test_each_file_is_in_the_hash() -> None:
    """A change of any of the three files is another task; the folder's name is not."""
    hashes = {
        task_hash(FILES),
        task_hash(changed(program="---\n\n")),
        task_hash(changed(train="def train(): pass")),
        task_hash(changed(prepare="def prepare(): pass")),
    }
    assert len(hashes) == 4
    assert task_hash(changed(name="other")) == task_hash(FILES)


def test_text_can_not_move_between_files() -> None:
    """The same characters cut at another place are another task."""
    one = changed(program="ab", train="c", prepare="")
    assert task_hash(one) != task_hash(changed(program="a", train="bc", prepare=""))
    assert task_hash(one) != task_hash(changed(program="ab", train="", prepare="c"))
    images = [("x", ""), ("", "x"), ("x", "x"), ("", "")]
    own = [changed(dockerfile=agent, scorer_dockerfile=scorer) for agent, scorer in images]
    assert len({task_hash(files) for files in own}) == 4


def test_the_hash_never_changes() -> None:
    """Hashes name tasks in ledgers: the same files have the same hash in every version."""
    fixed = TaskFiles(name="n", program="p", train="t", prepare="é")
    assert task_hash(fixed) == "8809c9e052d264b99fdd6c4d756fff30c19a4611996d36ab0ba6ccaefd14310f"
    own = msgspec.structs.replace(fixed, dockerfile="d")
    assert task_hash(own) == "b061a12924803f060d7d09e562d00cbd932e263f87d703bd26493bab6913bc2c"
    both = msgspec.structs.replace(own, scorer_dockerfile="s")
    assert task_hash(both) == "b7b93352a4873e5723dec07c577aa4ae5b84f7c432a04b854a97ca6908746d11"


def test_data_belongs_to_prepare_and_its_image() -> None:
    """Tasks that differ in prose, baseline or agent image share their data; another `prepare.py`,
    or other packages for it to read from, make other data."""
    same = changed(program="x", train="y", name="z", dockerfile="FROM sealed-agent")
    assert data_name(same) == data_name(FILES)
    other = (
        changed(prepare="def prepare(): pass"),
        changed(scorer_dockerfile="FROM sealed-scorer"),
    )
    assert len({data_name(files) for files in (FILES, *other)}) == 3


def test_the_name_of_data_never_changes() -> None:
    """Volumes are named by it: what is prepared stays prepared with a later version."""
    assert data_name(TaskFiles(name="n", program="p", train="t", prepare="é")) == "4a99557e4033c353"


def test_volumes_name_the_instance(store: TaskStore, tmp_path: Path) -> None:
    """Volumes of different data, roles and instances have different names."""
    other = TaskStore(tmp_path / "other", "ba9876543210")
    names = [
        *store.volumes("d1").of_data(),
        *store.volumes("d2").of_data(),
        *other.volumes("d1").of_data(),
        store.baseline_volume("f" * 64),
        store.baseline_volume("e" * 64),
        other.baseline_volume("f" * 64),
    ]
    assert len(set(names)) == len(names)
    assert store.volumes("d1").artifact == ""


# ---- the secret -------------------------------------------------------------------------------


def test_the_salt_is_made_once(store: TaskStore, tmp_path: Path) -> None:
    """256 secret bits decide a split; another process of the same home reads the same ones."""
    salt = store.salt("d")
    assert (salt.shape, salt.dtype) == ((8,), np.dtype("<u4"))
    assert np.array_equal(store.salt("d"), salt)
    assert np.array_equal(TaskStore(tmp_path, "x").salt("d"), salt)
    assert not np.array_equal(store.salt("e"), salt)


def test_the_salt_is_its_owners_alone(store: TaskStore, tmp_path: Path) -> None:
    """The file with the salt can be read by nobody else, nor can its folder be entered."""
    store.salt("d")
    file = tmp_path / "data" / "d.salt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_salt_is_in_no_task(store: TaskStore, tmp_path: Path) -> None:
    """What is stored of a task, and sent of it, does not have the secret in it."""
    salt = store.salt(data_name(FILES))
    store.keep_data(data_name(FILES), DATA)
    store.keep(FILES, SETTINGS, DATA)
    texts = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert salt.tobytes().hex().encode() not in texts
    assert str(salt[0]).encode() not in texts


# ---- tasks and data ---------------------------------------------------------------------------


def test_a_task_comes_back_as_it_went(store: TaskStore, tmp_path: Path) -> None:
    """Files, settings and sizes of a task are what another process finds."""
    task = store.keep(FILES, SETTINGS, DATA)
    assert (task.hash, task.name, task.settings) == (task_hash(FILES), "toy", SETTINGS)
    assert (task.data_bytes, task.files) == (15, 2)
    found = TaskStore(tmp_path, "x").get(task.hash)
    assert (found.task, found.files, found.data) == (task, FILES, data_name(FILES))


def test_a_manifest_comes_back_as_it_went(store: TaskStore) -> None:
    """Data counts as prepared from when its manifest is stored."""
    assert store.data("d") is None
    store.keep_data("d", DATA)
    assert store.data("d") == DATA
    assert DATA.bytes == 15


def test_tasks_are_listed_newest_first(store: TaskStore, tmp_path: Path) -> None:
    """The order is that of their preparation, whatever their hashes."""
    for n, day in enumerate(("2026-01-02", "2026-01-03", "2026-01-01")):
        task = store.keep(changed(train=str(n)), SETTINGS, DATA)
        file = tmp_path / "tasks" / f"{task.hash}.json"
        file.write_bytes(file.read_bytes().replace(task.prepared_at.encode(), day.encode()))
    assert [task.prepared_at[:10] for task in store.all()] == [
        "2026-01-03",
        "2026-01-02",
        "2026-01-01",
    ]


@pytest.mark.parametrize(
    "name", ["", "0" * 64, "0" * 63, "A" * 64, "../" * 20 + "etc1", "é" * 64, "0" * 63 + "\n"]
)
def test_what_is_no_hash_of_a_task_is_unknown(store: TaskStore, tmp_path: Path, name: str) -> None:
    """A name becomes a path only if it is a hash; anything else is an `UnknownTask`."""
    assert store.find(name) is None
    for call in (store.get, store.forget):
        with pytest.raises(UnknownTask) as fault:
            call(name)
        assert fault.value.next_step


def test_data_is_forgotten_with_its_last_task(store: TaskStore) -> None:
    """As long as another task uses the data, forgetting one does not give it up."""
    first = store.keep(FILES, SETTINGS, DATA)
    second = store.keep(changed(train="other"), SETTINGS, DATA)
    stranger = store.keep(changed(prepare="other"), SETTINGS, DATA)
    assert store.data_of(first.hash) == (data_name(FILES), True)
    store.forget(first.hash)
    assert store.find(first.hash) is None
    assert store.data_of(second.hash) == (data_name(FILES), False)
    store.forget(second.hash)
    assert [task.hash for task in store.all()] == [stranger.hash]


def test_forgotten_data_splits_anew(store: TaskStore) -> None:
    """With the manifest goes the salt; forgetting what is not there is fine."""
    salt = store.salt("d")
    store.keep_data("d", DATA)
    store.forget_data("d")
    store.forget_data("d")
    assert store.data("d") is None
    assert not np.array_equal(store.salt("d"), salt)


def test_every_setting_that_is_taken_can_be_stored(store: TaskStore) -> None:
    """Extreme settings do not make the list of tasks unreadable."""
    highest = {name: high for name, (_, high) in BOUNDS.items()}
    settings = msgspec.structs.replace(SETTINGS, **highest)
    store.keep(FILES, settings, DATA)
    assert store.all()[0].settings == settings
