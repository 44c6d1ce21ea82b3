import errno
import os

import pytest
from disk import put

from pix2street.core.errors import UserError
from pix2street.core.folders import walk


def test_links_between_many_folders_come_to_an_end(tmp_path):
    for one in range(9):
        put(tmp_path, f"{one}/a.png")
        for other in range(9):
            (tmp_path / f"{one}/to{other}").symlink_to(tmp_path / str(other))
    with pytest.raises(UserError, match=r"links lead to more than 1,000 files \(download.max_files\)"):
        walk(tmp_path, 1000)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    put(tmp_path, "a.png", "locked/b.png")
    scandir = os.scandir

    def scan(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scan)
    tree = walk(tmp_path, 10)
    assert (tree.names, tree.left_out) == (["a.png"], {"locked/": "folder that you may not read"})
