"""Files that are foreign, newer, damaged or unwritable: one clear error, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import StudyReader, StudyWriter
from blackbox.storage.filesystem import network_file_system

OPENERS = {
    "writer": lambda folder: StudyWriter(folder, {}),
    "reader": StudyReader,
}


def rows(start: int, n: int = 1000) -> Batch:
    ids = np.arange(start, start + n)
    return Batch.of({"id": ids, "x": np.sin(ids[:, None] * np.arange(1.0, 5.0))}, n)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of three events, cleanly closed."""
    with StudyWriter(tmp_path / "study", {}) as writer:
        for start in (0, 1000, 2000):
            writer.ask(None, rows(start))
    return tmp_path / "study"


def sql(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "study.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "newer": (lambda f: sql(f, "PRAGMA user_version = 7"), "schema version 7, made by a newer"),
    "no version": (lambda f: sql(f, "PRAGMA user_version = 0"), "unknown schema version 0"),
    "foreign": (lambda f: sql(f, "PRAGMA application_id = 99"), "database of another program"),
    "text": (lambda f: (f / "study.db").write_text("hello " * 1000), "is not a study"),
    "empty": (lambda f: (f / "study.db").write_bytes(b""), "is empty"),
    "no header": (lambda f: sql(f, "DELETE FROM study"), "header is damaged"),
    "header": (
        lambda f: sql(f, "UPDATE study SET value = '{\"a\": 1}' WHERE key = 'header'"),
        "hea",
    ),
    "no table": (lambda f: sql(f, "DROP TABLE study"), "does not have a study's tables"),
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize(("hurt", "message"), BROKEN.values(), ids=BROKEN)
def test_one_sentence_names_the_file_and_the_reason(
    folder: Path, opener: Callable, hurt: Callable, message: str
) -> None:
    hurt(folder)
    before = (folder / "study.db").read_bytes()
    with pytest.raises(StorageError, match=message) as caught:
        opener(folder)
    assert "study.db" in str(caught.value)
    assert (folder / "study.db").read_bytes() == before


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(folder: Path, keep: float) -> None:
    path = folder / "study.db"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(StorageError, match=r"study\.db"):
        StudyWriter(folder, {})


def flip(folder: Path, needle: bytes) -> None:
    path = folder / "study.db"
    data = path.read_bytes()
    assert data.count(needle) >= 1
    path.write_bytes(data.replace(needle, bytes([needle[0] ^ 1]) + needle[1:]))


def test_a_damaged_block_names_its_event(folder: Path) -> None:
    flip(folder, rows(1000)["x"][500:502].tobytes())
    with StudyWriter(folder, {}) as writer:
        events = writer.events()
        assert next(events).batch == rows(0)
        with pytest.raises(StorageError, match=r"study\.db.*event 2 is damaged.*restore"):
            next(events)
        writer.ask(None, rows(3000))  # the log goes on behind the damage
        assert [event.seq for event in writer.events(after=2)] == [3, 4]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE layouts SET columns = replace(columns, '\"x\"', '\"y\"')", "event 1 is damaged"),
        ("UPDATE events SET time = time + 1 WHERE seq = 2", "event 2 is damaged"),
        ("UPDATE events SET requested = 5 WHERE seq = 3", "event 3 is damaged"),
        ("UPDATE events SET extra = '{}' WHERE seq = 3", "event 3 is damaged"),
        ("UPDATE events SET first_id = 5000 WHERE seq = 3", "event 3 is damaged"),
        ("DELETE FROM events WHERE seq = 2", "event 2 is missing"),
        ("UPDATE layouts SET columns = '['", "table of columns is damaged"),
        ("UPDATE events SET n = 100000000000000 WHERE seq = 3", "event 3 is damaged"),
        ("UPDATE events SET first_id = 'one' WHERE seq = 1", "event 1 is damaged"),
        ("DELETE FROM layouts", "event 1 is damaged"),
        ("UPDATE events SET ids = x'00' WHERE seq = 1", "1 bytes of ids|event 1 is damaged"),
    ],
)
def test_changed_rows_are_noticed(folder: Path, statement: str, message: str) -> None:
    sql(folder, statement)
    with pytest.raises(StorageError, match=message), StudyReader(folder) as reader:
        list(reader.events())
    with pytest.raises(StorageError, match=message), StudyWriter(folder, {}) as writer:
        list(writer.events())


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no study in .*it holds no study\.db"):
        StudyReader(tmp_path / "absent")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "study").write_text("")
    with pytest.raises(StorageError, match=r"cannot make the folder .*give another folder"):
        StudyWriter(tmp_path / "study", {})


def test_a_log_without_its_file_is_not_mixed_into_a_new_study(folder: Path) -> None:
    writer = StudyWriter(folder, {})
    writer.ask(None, rows(3000))
    copy = folder.with_name("copy")
    copy.mkdir()
    subprocess.run(["cp", str(folder / "study.db-wal"), str(copy)], check=True)
    writer.close()
    with pytest.raises(StorageError, match=r"study\.db' is missing but its write-ahead log"):
        StudyWriter(copy, {})
    (copy / "study.db-wal").unlink()
    with StudyWriter(copy, {}) as fresh:
        assert fresh.last == 0


def test_what_a_crash_while_creating_leaves_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "study.db.new").write_bytes(b"half")
    (tmp_path / "study.db.new-journal").write_bytes(b"half")
    with StudyWriter(tmp_path, {}) as writer:
        assert not writer.resumed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.db", "study.lock"]


def test_a_full_database_refuses_and_goes_on_when_there_is_space(folder: Path) -> None:
    with StudyWriter(folder, {}) as writer:
        connection = writer._log.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        for _ in range(2):
            with pytest.raises(StorageError, match=r"study\.db.*the disk is full: free space"):
                writer.ask(None, rows(3000))
            with pytest.raises(StorageError, match="is full"), writer.transaction():  # noqa: PT012
                writer.ask(1, rows(4000, 1))
                writer.ask(None, rows(5000))
        assert writer.last == 3
        assert writer.pending.tolist() == list(range(3000))
        connection.execute("PRAGMA max_page_count = 1000000")
        assert writer.ask(None, rows(3000)) == 4
        assert len(list(writer.events())) == 4


FULL = """
import resource, sys
import numpy as np
from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import StudyWriter

def rows(start, n=1000):
    ids = np.arange(start, start + n)
    return Batch.of({"id": ids, "x": np.sin(ids[:, None] * np.arange(1.0, 5.0))}, n)

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
writer = StudyWriter(sys.argv[1], {})
start, errors = 3000, 0
for limit in (200_000, hard):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    for _ in range(20):
        try:
            writer.ask(None, rows(start))
            start += 1000
            writer.checkpoint({"noise": np.full(150_000, start)})
        except StorageError as error:
            assert "study.db" in str(error) or "state-" in str(error), error
            errors += 1
print(errors, start, flush=True)
writer.close()
"""


def test_a_limit_on_file_size_and_its_end(folder: Path) -> None:
    command = [sys.executable, "-c", FULL, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    errors, start = map(int, ended.stdout.split())
    assert errors == 20
    with StudyWriter(folder, {}) as writer:
        ids = np.concatenate([event.ids for event in writer.events()])
        assert ids.tolist() == list(range(start))
        assert all(event.batch == rows(1000 * i) for i, event in enumerate(writer.events()))
        seq, state = writer.latest_checkpoint()
        assert seq == writer.last
        assert (state["noise"] == start).all()


@pytest.fixture
def unprivileged():
    """Run a function where permissions count, that is, not as root."""

    def run(function: Callable[[], None]) -> None:
        code = os.fork()
        if code == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                function()
            except BaseException as error:  # noqa: BLE001 - the parent has to hear of anything
                os.write(2, repr(error).encode())
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(code, 0)[1]) == 0

    return run


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_read_only_folder_can_be_read_and_not_written(
    folder: Path, unprivileged: Callable
) -> None:
    import tempfile

    # Not below tmp_path, whose parents nobody else may enter.
    with tempfile.TemporaryDirectory() as space:
        os.chmod(space, 0o755)
        copy = Path(space, "study")
        shutil.copytree(folder, copy)
        (copy / "study.lock").unlink()
        os.chmod(copy / "study.db", 0o444)
        os.chmod(copy, 0o555)

        def use() -> None:
            with StudyReader(copy) as reader:
                assert len(list(reader.events())) == 3
            with pytest.raises(StorageError, match=r"cannot write into .*that you may write"):
                StudyWriter(copy, {})
            with pytest.raises(StorageError, match="cannot make the folder"):
                StudyWriter(copy / "inner", {})

        try:
            unprivileged(use)
        finally:
            os.chmod(copy, 0o755)


@pytest.mark.parametrize("end", ["study.db", "study.lock"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_read_only_file_in_a_writable_folder(
    folder: Path, unprivileged: Callable, end: str
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as space:
        os.chmod(space, 0o755)
        copy = Path(space, "study")
        shutil.copytree(folder, copy)
        os.chmod(copy, 0o777)
        for path in copy.iterdir():
            os.chmod(path, 0o666)
        os.chmod(copy / end, 0o444)

        def use() -> None:
            with pytest.raises(StorageError, match=r"read-only|cannot write|cannot be opened"):
                StudyWriter(copy, {})

        unprivileged(use)


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/local xfs rw 0 0
//share /mnt/my\\040data cifs rw 0 0
tmpfs /tmp tmpfs rw 0 0
scratch /tmp/scratch lustre rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/runs", "nfs4"),
        ("/home", "nfs4"),
        ("/home/local/runs", None),
        ("/homely", None),
        ("/mnt/my data/runs", "cifs"),
        ("/tmp/scratch/a", "lustre"),
        ("/tmp/other", None),
    ],
)
def test_network_file_systems_are_known(path: str, kind: str | None) -> None:
    assert network_file_system(Path(path), MOUNTS) == kind


def test_the_later_of_two_mounts_counts() -> None:
    mounts = "a /data nfs rw 0 0\nb /data ext4 rw 0 0\nbroken\n"
    assert network_file_system(Path("/data/x"), mounts) is None


def test_this_machine_has_a_table_or_none(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc")
    StudyWriter(tmp_path, {}).close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with StudyWriter(tmp_path, {}), StudyReader(tmp_path):
            pass
        with pytest.raises(StorageError):
            StudyWriter(tmp_path, {"other": 1})
    assert len(os.listdir("/proc/self/fd")) == before
