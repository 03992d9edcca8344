"""What a path may lead to: files are put in place whole, and what is no file stays what it is."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nablab import atomic
from nablab.errors import CannotWrite


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    atomic.write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    """As are /dev/stdout and /dev/null, which a rename by root would replace by a file."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    atomic.write_text(pipe, "new")
    reader.join(10)
    assert read == ["new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_file_system_that_cannot_sync_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def of_files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_only)
    atomic.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="cannot write"):
        atomic.write_text(tmp_path, "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_entered(tmp_path: Path) -> None:
    """It was a PermissionError, which who can do without the file does not expect."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    script = f"""
import os
from nablab import atomic
if os.getuid() == 0:
    os.setuid(65534)
try:
    atomic.write_text({str(locked / "sub" / "a")!r}, "new")
except atomic.CannotWrite as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "cannot write" in done.stdout, done.stderr
