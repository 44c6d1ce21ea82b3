import bz2
import gzip
import io
import lzma
import os
import random
import stat
import tarfile
import zipfile
from contextlib import suppress

import pytest
from disk import put

from pix2street.core.archives import open_source, random_reader
from pix2street.core.errors import UserError
from pix2street.core.limits import Limits

LIMITS = Limits(max_files=100, max_gib=1.0, max_ratio=100.0)
KIND = pytest.mark.parametrize("kind", ["zip", "tar"])


def member(kind: str, name: str, content: bytes = b"x", **fields):
    """Return one member of a zip or tar; `fields` are set on its header."""
    if kind == "zip":
        info = zipfile.ZipInfo(name)
        info.filename = name  # as stored: the constructor would change it
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
    kinds = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link", tarfile.CHRTYPE: "no regular file"}
    kinds |= {tarfile.BLKTYPE: "no regular file", tarfile.FIFOTYPE: "no regular file"}
    for kind, why in kinds.items():
        build(
            tmp_path / "bad", "tar", member("tar", "a.png"), member("tar", "odd.png", b"", type=kind, linkname="a.png")
        )
        assert f": refused, nothing was unpacked: member 'odd.png' is {why}" in refusal(tmp_path / "bad")


def test_links_and_devices_in_a_zip_are_refused_by_name(tmp_path):
    for kind, why in {stat.S_IFLNK: "a symbolic link", stat.S_IFCHR: "no regular file"}.items():
        build(tmp_path / "bad", "zip", member("zip", "odd.png", create_system=3, external_attr=(kind | 0o644) << 16))
        assert f": refused, nothing was unpacked: member 'odd.png' is {why}" in refusal(tmp_path / "bad")


@KIND
@pytest.mark.parametrize(
    "names", [("train/A.png", "train/a.png"), ("stra\u00dfe.png", "STRASSE.png"), ("e\u0301.png", "\u00e9.png")]
)
def test_names_that_are_one_file_on_other_systems_are_refused(tmp_path, kind, names):
    build(tmp_path / "bad", kind, *(member(kind, name) for name in names))
    assert f"member {names[1]!r} differs from {names[0]!r} only by case" in refusal(tmp_path / "bad")


@KIND
def test_more_files_than_the_limit_are_refused(tmp_path, kind):
    build(tmp_path / "many", kind, *(member(kind, f"{i}.png") for i in range(101)))
    assert "'100.png' is file 101, at most 100 may be (download.max_files)" in refusal(tmp_path / "many")


@KIND
def test_more_bytes_than_the_limit_are_refused(tmp_path, kind):
    build(tmp_path / "large", kind, member(kind, "a.png", bytes(600_000)), member(kind, "b.png", bytes(600_000)))
    message = refusal(tmp_path / "large", Limits(100, 1_100_000 / 2**30, 100))
    assert "takes what it unpacks to past 1,100,000 bytes (download.max_gib: " in message
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
    """Write one deflated body of 1 MiB that ten members share, each of 1 GiB unpacked."""
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
    """Write 10 GiB of zeros into a tar.bz2 of less than 1 MiB, behind a header that says so."""
    info = tarfile.TarInfo("zeros.png")
    info.size = 10 << 30
    zeros = bz2.compress(bytes(16 << 20), 1)
    path.write_bytes(bz2.compress(info.tobuf()) + zeros * 640)
    assert path.stat().st_size < 1 << 20


def long_name_bomb(path) -> None:
    """Return a header that makes tarfile read a name of 4 GiB."""
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 4 << 30
    path.write_bytes(lzma.compress(info.tobuf() + bytes(1 << 20)) + lzma.compress(bytes(32 << 20)) * 8)


@pytest.mark.parametrize("make", [zip_bomb, tar_bomb, long_name_bomb])
def test_a_bomb_is_refused_before_it_is_read(tmp_path, make):
    make(tmp_path / "bomb")
    limits = Limits(max_files=500_000, max_gib=64.0, max_ratio=100.0)
    message = refusal(tmp_path / "bomb", limits)
    assert message.startswith(f"{tmp_path / 'bomb'}: refused, nothing was unpacked: ")
    assert "download.max_unpack_ratio: 100 times its own " in message


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
    broken = "a broken archive (Compressed file ended before the end-of-stream marker was reached)"
    why = {"zip": "a zip that is cut short", "tar": broken}[kind]
    assert refusal(tmp_path / "cut") == f"{tmp_path / 'cut'}: {why}; get it again"


def test_links_are_followed_and_nothing_vanishes(tmp_path):
    folder, store = tmp_path / "source", tmp_path / "store"
    put(store, "val/b.png", "c.png")
    put(folder, "train/a.png", "@eaDir/a.png", ".git/config")
    (folder / "val").symlink_to(store / "val")
    (folder / "train/c.png").symlink_to(store / "c.png")
    (folder / "train/gone.png").symlink_to(store / "gone.png")
    (folder / "train/self").symlink_to("self")
    (folder / "train/up").symlink_to("..")
    (folder / "root").symlink_to("/")
    os.mkfifo(folder / "pipe.png")
    with open_source(folder, LIMITS) as source:
        assert source.names == ["train/a.png", "train/c.png", "val/b.png"]
        assert dict(source.read(source.names))["val/b.png"] == b"val/b.png"
        assert source.head("train/c.png") == b"c.png"
    assert source.linked == ["val"]
    assert source.left_out == {
        ".git/config": "hidden",
        "@eaDir/a.png": "system file",
        "pipe.png": "no regular file",
        "root/": "link to a folder that contains it",
        "train/gone.png": "dangling link",
        "train/self": "dangling link",
        "train/up/": "link to a folder that contains it",
    }


def test_a_zip_that_says_of_other_bytes_that_they_are_utf8_is_refused(tmp_path):
    build(tmp_path / "bad.zip", "zip", member("zip", "straße.png"))
    (tmp_path / "bad.zip").write_bytes((tmp_path / "bad.zip").read_bytes().replace("ß".encode(), b"\xdfx"))
    assert "no UTF-8 although it says so" in refusal(tmp_path / "bad.zip")


def test_backslashes_in_a_zip_separate_folders(tmp_path):
    build(tmp_path / "a.zip", "zip", member("zip", "set\\train\\", b""), member("zip", "set\\train\\a.png", b"a"))
    with open_source(tmp_path / "a.zip", LIMITS) as source:
        assert source.names == ["set/train/a.png"]
        assert list(source.read(source.names)) == [("set/train/a.png", b"a")]
        assert source.head("set/train/a.png") == b"a"
    assert random_reader(tmp_path / "a.zip")("set/train/a.png") == b"a"
    build(tmp_path / "a.tar", "tar", member("tar", "train\\a.png"))
    with open_source(tmp_path / "a.tar", LIMITS) as source:
        assert source.names == ["train\\a.png"]


def test_backslashes_never_make_names_collide(tmp_path):
    build(tmp_path / "a.zip", "zip", member("zip", "train/a.png"), member("zip", "train\\a.png"))
    assert "member 'train\\\\a.png' means the same file as 'train/a.png'" in refusal(tmp_path / "a.zip")
    # Shift JIS writes the second half of some letters as a backslash.
    build(tmp_path / "sjis.zip", "zip", member("zip", "xx1.png"))
    (tmp_path / "sjis.zip").write_bytes((tmp_path / "sjis.zip").read_bytes().replace(b"xx1", b"\x83\x5c1"))
    assert "a backslash behind a letter of an unknown code page" in refusal(tmp_path / "sjis.zip")


def test_the_names_of_a_tar_are_plain(tmp_path):
    build(tmp_path / "a.tar", "tar", member("tar", "./train/a.png"), member("tar", "./train/b.txt", b"text"))
    with open_source(tmp_path / "a.tar", LIMITS) as source:
        assert source.names == ["train/a.png", "train/b.txt"]
        assert list(source.read(["train/b.txt"])) == [("train/b.txt", b"text")]
        assert (source.head("train/a.png"), source.head("train/b.txt")) == (b"x", b"text")


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (95, "XZ"), (99, "AES"), (77, "method 77")]
)
def test_a_packing_that_is_not_read_is_named(tmp_path, method, name):
    build(tmp_path / "a.zip", "zip", member("zip", "a.png"))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[8] = data[data.index(b"PK\x01\x02") + 10] = method
    (tmp_path / "a.zip").write_bytes(data)
    message = refusal(tmp_path / "a.zip")
    assert f"member 'a.png' is packed with {name}" in message
    assert "pack it again with Deflate, or unpack it" in message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_the_packings_of_a_zip_are_read(tmp_path, method):
    build(tmp_path / "a.zip", "zip", member("zip", "a.png", b"content" * 9, compress_type=method))
    with open_source(tmp_path / "a.zip", LIMITS) as source:
        assert list(source.read(source.names)) == [("a.png", b"content" * 9)]


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    build(buffer, "zip", member("zip", "a.png", b"content" * 99))
    return buffer.getvalue()


def last_part() -> bytes:
    data = bytearray(zip_bytes())
    data[data.rindex(b"PK\5\6") + 4] = 2
    return bytes(data)


PNG_START = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive, which is not read; unpack it"),
        ("a.tar", b"Rar!\x1a\x07\1\0", "a RAR archive, which is not read; unpack it"),
        ("a.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(99), "a Zstandard file, which is not read; unpack it"),
        ("a.tar.lz4", b"\x04\x22\x4d\x18" + bytes(99), "an LZ4 file, which is not read; unpack it"),
        ("a.png.gz", gzip.compress(PNG_START + bytes(999), mtime=0), "a gzip file with a PNG image in it; unpack it"),
        ("a.bz2", bz2.compress(zip_bytes()), "a bzip2 file with a zip in it; unpack it"),
        ("a.zip", PNG_START + bytes(999), "a PNG image, neither a folder nor a zip nor a tar; name the folder"),
        ("a.z01", b"PK\7\x08PK\3\4", "one part of a zip; join its parts"),
        ("a.zip.001", zip_bytes()[:400], "one part of a zip; join its parts"),
        ("a.zip", last_part(), "the last part of a zip in several; join them"),
        ("a.zip", zip_bytes()[:400], "a zip that is cut short; get it again"),
        ("a.tgz", b"text", "neither a folder nor a zip nor a tar; fix its path"),
        ("a.zip", b"", "it is an empty file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",  # a zip holds the time
)
def test_what_is_no_source_is_named_with_the_way_out(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in refusal(tmp_path / name)


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    build(tmp_path / "a.tar", "tar", member("tar", "a.png"), member("tar", "inner.zip", zip_bytes()))
    with open_source(tmp_path / "a.tar", LIMITS) as source:
        assert source.names == ["a.png", "inner.zip"]


@pytest.mark.parametrize("packing", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_changed_archive_is_read_or_refused(tmp_path, packing):
    """Change, cut out or double bytes of an archive: it is refused or gives whole members with plain names."""
    files = {"train/a.png": bytes(range(256)), "val/ü.txt": b"x" * 50, "__MACOSX/._a": b"1", "x" * 120 + ".png": b"y"}
    kind, _, packed = packing.partition(".")
    build(tmp_path / "whole", kind, *(member(kind, name, content) for name, content in files.items()))
    squeeze = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(packed, bytes)
    seed, rng = squeeze((tmp_path / "whole").read_bytes()), random.Random(packing)
    for _ in range(150):
        data = bytearray(seed)
        for _ in range(rng.choice([1, 1, 2, 6])):
            offset, length = rng.randrange(len(data)), rng.randrange(1, 30)
            match rng.randrange(4):
                case 0 | 1:
                    data[offset] = rng.choice([0, 0x2E, 0x2F, 0x5C, 0x80, 0xFF, rng.randrange(256)])
                case 2:
                    del data[offset : offset + length]
                case 3:
                    data[offset:offset] = data[offset : offset + length]
        (tmp_path / "changed").write_bytes(data)
        with suppress(UserError), open_source(tmp_path / "changed", LIMITS) as source:
            assert sorted(name for name, _ in source.read(source.names)) == source.names
            for name in source.names:
                assert not {"..", ""} & {*name.split("/")}
                assert len(source.head(name)) <= 264
