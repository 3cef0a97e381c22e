"""Files and folders that a run writes are there whole or not at all."""

import pytest

from productcat.jobs.outputs import write_folder


def test_a_folder_that_cannot_be_finished_leaves_nothing_behind(tmp_path):
    def interrupted():
        yield b"<!DOCTYPE html>"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "report", {"metrics.json": [b"{}"], "report.html": interrupted()})
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "report", {"metrics.json": [b"{", b"}"]})
    assert (tmp_path / "report/metrics.json").read_bytes() == b"{}"
