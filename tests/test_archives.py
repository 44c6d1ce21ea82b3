import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile

import pytest

from pix2street.archives import Limits, open_source
from pix2street.errors import UserError

LIMITS = Limits(max_files=100, max_gib=1.0, max_ratio=100.0)
KIND = pytest.mark.parametrize("kind", ["zip", "tar"])


def member(kind: str, name: str, content: bytes = b"x", **fields):
    """One member of a zip or tar; `fields` are set on its header."""
    if kind == "zip":
        info = zipfile.ZipInfo(name)
        info.filename = name  # as stored: the constructor would mend it
    else:
        info = tarfile.TarInfo(name)
        info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def build(path, kind: str, *members) -> None:
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for info, content in members:
                archive.writestr(info, content)
    else:
        with tarfile.open(path, "w") as archive:
            for info, content in members:
                archive.addfile(info, io.BytesIO(content))


def refusal(path, limits: Limits = LIMITS) -> str:
    with pytest.raises(UserError) as refused, open_source(path, limits):
        pass
    return str(refused.value)


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_every_form_gives_the_same_files(tmp_path, form):
    files = {
        "train/b.png": b"bb",
        "train/a.png": b"a",
        "notes.txt": b"n",
        ".hidden/c.png": b"c",
        "__MACOSX/a.png": b"d",
    }
    path = tmp_path / f"source.{form}"
    if form == "folder":
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    elif form == "zip":
        build(path, "zip", *(member("zip", name, content) for name, content in files.items()))
    else:
        with tarfile.open(path, "w" if form == "tar" else f"w:{form[4:]}") as archive:
            for name, content in files.items():
                archive.addfile(member("tar", name, content)[0], io.BytesIO(content))
    with open_source(path, LIMITS) as source:
        assert source.names == ["notes.txt", "train/a.png", "train/b.png"]
        assert dict(source.read({"train/a.png", "train/b.png"})) == {"train/a.png": b"a", "train/b.png": b"bb"}


@KIND
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd.png", "absolute path"),
        ("C:/windows.png", "absolute path"),
        ("\\\\server\\share.png", "absolute path"),
        ("train/../../out.png", "leads out of its folder"),
        ("..\\out.png", "leads out of its folder"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused_by_name(tmp_path, kind, name, why):
    build(tmp_path / "bad", kind, member(kind, "train/good.png"), member(kind, name))
    message = refusal(tmp_path / "bad")
    assert repr(name) in message
    assert why in message


def test_links_and_devices_in_a_tar_are_refused_by_name(tmp_path):
    kinds = {tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link", tarfile.CHRTYPE: "no regular file"}
    kinds |= {tarfile.BLKTYPE: "no regular file", tarfile.FIFOTYPE: "no regular file"}
    for kind, why in kinds.items():
        build(
            tmp_path / "bad", "tar", member("tar", "a.png"), member("tar", "odd.png", b"", type=kind, linkname="a.png")
        )
        message = refusal(tmp_path / "bad")
        assert "'odd.png'" in message
        assert why in message


def test_links_and_devices_in_a_zip_are_refused_by_name(tmp_path):
    for kind, why in {stat.S_IFLNK: "symbolic link", stat.S_IFCHR: "no regular file"}.items():
        build(tmp_path / "bad", "zip", member("zip", "odd.png", create_system=3, external_attr=(kind | 0o644) << 16))
        message = refusal(tmp_path / "bad")
        assert "'odd.png'" in message
        assert why in message


@KIND
@pytest.mark.parametrize(
    "names", [("train/A.png", "train/a.png"), ("stra\u00dfe.png", "STRASSE.png"), ("e\u0301.png", "\u00e9.png")]
)
def test_names_that_are_one_file_on_other_systems_are_refused(tmp_path, kind, names):
    build(tmp_path / "bad", kind, *(member(kind, name) for name in names))
    message = refusal(tmp_path / "bad")
    assert names[1] in message
    assert "only by case" in message


@KIND
def test_more_files_than_the_limit_are_refused(tmp_path, kind):
    build(tmp_path / "many", kind, *(member(kind, f"{i}.png") for i in range(101)))
    assert "'100.png' is file 101, at most 100 may be (download.max_files)" in refusal(tmp_path / "many")


@KIND
def test_more_bytes_than_the_limit_are_refused(tmp_path, kind):
    build(tmp_path / "large", kind, member(kind, "a.png", bytes(600_000)), member(kind, "b.png", bytes(600_000)))
    message = refusal(tmp_path / "large", Limits(100, 1_100_000 / 2**30, 100))
    assert "download.max_gib" in message
    if kind == "zip":
        assert "'b.png'" in message


def test_a_locked_zip_is_refused(tmp_path):
    build(tmp_path / "locked.zip", "zip", member("zip", "a.png"))
    data = bytearray((tmp_path / "locked.zip").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    assert "'a.png' is locked with a password" in refusal(tmp_path / "locked.zip")


def zip_bomb(path) -> None:
    """1 MiB in one deflated body of 1 GiB that ten members share."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("0.png", bytes(1 << 20))
        (entry,) = archive.filelist
        entry.file_size = 1 << 30
        for i in range(1, 10):
            twin = zipfile.ZipInfo(f"{i}.png")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, field, getattr(entry, field))
            archive.filelist.append(twin)
        archive._didModify = True
    assert path.stat().st_size < 1 << 20


def tar_bomb(path) -> None:
    """10 GiB of zeros in a tar.bz2 of less than 1 MiB, behind a header that says so."""
    info = tarfile.TarInfo("zeros.png")
    info.size = 10 << 30
    zeros = bz2.compress(bytes(16 << 20), 1)
    path.write_bytes(bz2.compress(info.tobuf()) + zeros * 640)
    assert path.stat().st_size < 1 << 20


def long_name_bomb(path) -> None:
    """A header that makes tarfile read a name of 4 GiB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 4 << 30
    path.write_bytes(lzma.compress(info.tobuf() + bytes(1 << 20)) + lzma.compress(bytes(32 << 20)) * 8)


@pytest.mark.parametrize("make", [zip_bomb, tar_bomb, long_name_bomb])
def test_a_bomb_is_refused_before_it_is_read(tmp_path, make):
    make(tmp_path / "bomb")
    limits = Limits(max_files=500_000, max_gib=64.0, max_ratio=100.0)
    message = refusal(tmp_path / "bomb", limits)
    assert "refused, nothing was unpacked" in message
    assert "max_unpack_ratio" in message


def test_what_is_no_archive_is_named(tmp_path):
    (tmp_path / "page.zip").write_text("<html>")
    assert "neither a folder nor a zip nor a tar" in refusal(tmp_path / "page.zip")
    assert "no such folder or archive" in refusal(tmp_path / "nothing")


@pytest.mark.parametrize("packing", [gzip, bz2, lzma])
def test_a_damaged_stream_is_named(tmp_path, packing):
    build(tmp_path / "whole", "tar", member("tar", "a.png", bytes(range(256)) * 400))
    packed = bytearray(packing.compress((tmp_path / "whole").read_bytes()))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "damaged").write_bytes(packed)
    with pytest.raises(UserError, match="a broken archive"), open_source(tmp_path / "damaged", LIMITS) as source:
        list(source.read(source.names))


@KIND
def test_a_cut_archive_is_named(tmp_path, kind):
    whole = tmp_path / "whole"
    build(whole, kind, member(kind, "a.png", bytes(range(256)) * 40))
    if kind == "tar":
        whole.write_bytes(gzip.compress(whole.read_bytes()))
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-40] if kind == "tar" else whole.read_bytes()[:5000])
    message = refusal(tmp_path / "cut")
    assert "get it again" in message
