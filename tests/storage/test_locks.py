"""One writer at a time; the lock dies with its process and no fork keeps it alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from blackbox.batch import Batch
from blackbox.errors import StorageError, StudyLockedError
from blackbox.storage import StudyReader, StudyWriter
from blackbox.storage.lock import StudyLock

ROW = Batch({"id": [0], "x": [1.0]})
HOLD = """
import sys, os, time
from blackbox.storage import StudyWriter
writer = StudyWriter(sys.argv[1], {})
if "fork" in sys.argv and os.fork() == 0:
    os.write(1, f"child {os.getpid()}\\n".encode())
    time.sleep(60)
    os._exit(0)
os.write(1, f"holder {os.getpid()}\\n".encode())
time.sleep(60)
"""


def hold(folder: Path, *options: str) -> subprocess.Popen:
    """A process that has the study open for writing."""
    command = [sys.executable, "-W", "ignore", "-c", HOLD, str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def python(code: str) -> subprocess.CompletedProcess:
    """Run a program to its end."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_another_process_is_refused_and_named(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    assert holder.stdout.readline() == f"holder {holder.pid}\n"
    begin = time.monotonic()
    with pytest.raises(StudyLockedError, match=f"process with pid {holder.pid}: wait for it"):
        StudyWriter(tmp_path, {})
    assert time.monotonic() - begin < 5
    StudyReader(tmp_path).close()
    kill(holder)
    with StudyWriter(tmp_path, {}) as writer:
        assert writer.ask(1, ROW) == 1


def test_a_fork_that_outlives_the_writer_does_not_keep_the_lock(tmp_path: Path) -> None:
    holder = hold(tmp_path, "fork")
    lines = dict(holder.stdout.readline().split() for _ in range(2))
    child = int(lines["child"])
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    try:
        os.kill(child, 0)  # it is alive
        with StudyWriter(tmp_path, {}) as writer:
            writer.ask(1, ROW)
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with StudyWriter(tmp_path, {}) as first:
        for folder in (tmp_path, tmp_path / "x" / "..", str(tmp_path) + "/"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with pytest.raises(StudyLockedError, match="already open for writing in this process"):
                StudyWriter(folder, {})
        link = tmp_path.parent / (tmp_path.name + "-link")
        link.symlink_to(tmp_path)
        with pytest.raises(StudyLockedError):
            StudyWriter(link, {})
        # The refusals must not have dropped the lock: another process is still refused.
        code = f"from blackbox.storage import StudyWriter; StudyWriter({str(tmp_path)!r}, {{}})"
        ended = python(code)
        assert "StudyLockedError" in ended.stderr
        assert str(os.getpid()) in ended.stderr
        first.ask(1, ROW)


def test_of_many_threads_one_gets_the_lock(tmp_path: Path) -> None:
    barrier, got = threading.Barrier(8), []

    def take() -> None:
        barrier.wait()
        try:
            got.append(StudyLock(tmp_path))
        except StudyLockedError:
            got.append(None)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [lock for lock in got if lock is not None]
    assert (len(got), len(held)) == (8, 1)
    held[0].release()


def test_reading_in_the_same_process_does_not_drop_the_lock(tmp_path: Path) -> None:
    with StudyWriter(tmp_path, {}) as writer:
        writer.ask(1, ROW)
        with StudyReader(tmp_path) as reader:
            list(reader.events())
        code = f"from blackbox.storage import StudyWriter; StudyWriter({str(tmp_path)!r}, {{}})"
        ended = python(code)
        assert "StudyLockedError" in ended.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_may_not_write(tmp_path: Path) -> None:
    code = f"""
import os
import numpy as np
from blackbox.batch import Batch
from blackbox.errors import StorageError
from blackbox.storage import StudyWriter
writer = StudyWriter({str(tmp_path)!r}, {{}})
child = os.fork()
if child == 0:
    try:
        writer.ask(1, Batch({{"id": [0]}}))
    except StorageError as error:
        assert "its forks may not" in str(error)
        writer.close()
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
writer.ask(1, Batch({{"id": [0]}}))
writer.close()
"""
    ended = python(code)
    assert ended.returncode == 0, ended.stderr
    with StudyReader(tmp_path) as reader:
        assert len(list(reader.events())) == 1


def test_a_failed_opening_releases_the_lock(tmp_path: Path) -> None:
    StudyWriter(tmp_path, {"a": 1}).close()
    for _ in range(2):
        with pytest.raises(StorageError, match="made by another problem"):
            StudyWriter(tmp_path, {"a": 2})


READ = """
import sys
import threading
from blackbox.storage import StudyReader
with StudyReader(sys.argv[1]) as reader:
    seen = after = 0
    print("open", flush=True)
    while seen < 300:
        for event in reader.events(after):
            assert event.seq == after + 1
            assert (event.batch["x"] == event.ids * 0.5).all()
            after, seen = event.seq, seen + 1
print(seen)
"""


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    with StudyWriter(tmp_path, {}, synchronous="normal") as writer:
        reader = subprocess.Popen(
            [sys.executable, "-c", READ, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert reader.stdout.readline() == "open\n"
        for i in range(300):
            ids = np.arange(10 * i, 10 * i + 10)
            writer.ask(10, Batch({"id": ids, "x": ids * 0.5}))
        assert reader.communicate(timeout=60)[0] == "300\n"
