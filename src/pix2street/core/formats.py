"""The kinds of file: images that are read here, other formats by name, and litter that nobody meant to add."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

HEAD_BYTES = 264
"""The bytes at the beginning of a file that `format_of` needs."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
        name: the name with its article, for messages.
        endings: the usual endings; the first replaces any other ending.
        pillow: Pillow's name of an image format that is read here; empty for every other format.
        way_out: what a user does with a file that is not read.
    """

    name: str
    endings: tuple[str, ...] = ()
    pillow: str = ""
    way_out: str = ""

    @property
    def read_here(self) -> bool:
        return bool(self.pillow)


PNG = Format("a PNG image", (".png", ".apng"), "PNG")
JPEG = Format("a JPEG image", (".jpg", ".jpeg", ".jpe", ".jfif", ".jif"), "JPEG")
WEBP = Format("a WebP image", (".webp",), "WEBP")
TIFF = Format("a TIFF image", (".tif", ".tiff"), "TIFF")
BMP = Format("a BMP image", (".bmp", ".dib"), "BMP")
GIF = Format("a GIF image", (".gif",), "GIF")
PNM = Format("a PPM image", (".ppm", ".pgm", ".pbm", ".pnm"), "PPM")
READ_HERE = (PNG, JPEG, WEBP, TIFF, BMP, GIF, PNM)

IMAGE_SUFFIXES = tuple(ending for image in READ_HERE for ending in image.endings)
READ_HERE_NAMES = "PNG, JPEG, WebP, TIFF, BMP, GIF or PPM"
PILLOW_FORMATS = tuple(image.pillow for image in READ_HERE)

RAW = Format(
    "a camera's raw image",
    (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".srw", ".dng", ".raf", ".orf", ".rw2", ".pef",
     ".x3f", ".3fr", ".iiq", ".erf", ".mrw", ".mef", ".mos", ".kdc", ".dcr"),
    way_out="develop it to PNG or TIFF (darktable-cli)",
)  # fmt: skip
HEIC = Format("a HEIC image", (".heic", ".heif", ".hif"), way_out="convert it to PNG or JPEG (heif-convert)")
AVIF = Format("an AVIF image", (".avif", ".avifs"), way_out="convert it to PNG (avifdec)")
JPEG_XL = Format("a JPEG XL image", (".jxl",), way_out="convert it to PNG (djxl)")
JPEG_2000 = Format("a JPEG 2000 image", (".jp2", ".j2k", ".jpx"), way_out="convert it to PNG (magick)")
SVG = Format("an SVG drawing", (".svg", ".svgz"), way_out="export it as PNG (rsvg-convert)")
PDF = Format("a PDF document", (".pdf",), way_out="export its pages as PNG (pdftoppm -png)")
POSTSCRIPT = Format("a PostScript document", (".eps", ".ps"), way_out="export it as PNG (magick)")
PSD = Format("a Photoshop image", (".psd", ".psb"), way_out="export it as PNG")
GIMP = Format("a GIMP image", (".xcf",), way_out="export it as PNG")
ICON = Format("an icon", (".ico", ".cur"), way_out="save it as PNG")
TGA = Format("a TGA image", (".tga",), way_out="convert it to PNG (magick)")
HDR = Format("an image of floating-point numbers", (".exr", ".hdr", ".pfm"), way_out="map it to 8 bits and save as PNG")
DDS = Format("a DDS texture", (".dds",), way_out="convert it to PNG (magick)")
NUMPY = Format("a NumPy array", (".npy", ".npz"), way_out="save it as PNG (PIL.Image.fromarray)")
MATLAB = Format("a MATLAB file", (".mat",), way_out="save its arrays as PNG (imwrite)")
HDF5 = Format("an HDF5 file", (".h5", ".hdf5"), way_out="save its arrays as PNG")
DICOM = Format("a DICOM image", (".dcm", ".dicom"), way_out="convert it to PNG (dcmj2pnm)")
VIDEO = Format(
    "a video",
    (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"),
    way_out="train on it with download.dataset: frames, or extract its frames (ffmpeg)",
)
LFS = Format("a Git LFS pointer instead of its file", way_out="run `git lfs pull`")
WEB_PAGE = Format("a web page instead of its file", way_out="get it again")
EMPTY = Format("an empty file", way_out="get it again")

_UNPACK = "unpack it first"
ZIP = Format("a zip", (".zip",), way_out=_UNPACK)
TAR = Format("a tar", (".tar", ".tgz", ".tbz2", ".txz"), way_out=_UNPACK)
SEVEN_ZIP = Format("a 7z archive", (".7z",), way_out=_UNPACK)
RAR = Format("a RAR archive", (".rar",), way_out=_UNPACK)
GZIP = Format("a gzip file", (".gz",), way_out=_UNPACK)
BZIP2 = Format("a bzip2 file", (".bz2",), way_out=_UNPACK)
XZ = Format("an xz file", (".xz", ".lzma"), way_out=_UNPACK)
ZSTD = Format("a Zstandard file", (".zst", ".zstd"), way_out=_UNPACK)
LZ4 = Format("an LZ4 file", (".lz4",), way_out=_UNPACK)
COMPRESS = Format("a file packed by compress", (".z",), way_out=_UNPACK)
CAB = Format("a Windows cabinet", (".cab",), way_out=_UNPACK)
SQUASHFS = Format("a SquashFS image", (".sqfs", ".squashfs"), way_out=_UNPACK)
ISO = Format("an image of a disc", (".iso", ".dmg"), way_out=_UNPACK)
PARQUET = Format("a Parquet table", (".parquet",), way_out="save its images as PNG")
ARCHIVES = (ZIP, TAR, SEVEN_ZIP, RAR, GZIP, BZIP2, XZ, ZSTD, LZ4, COMPRESS, CAB, SQUASHFS, ISO)

LITTER = re.compile(
    r"__MACOSX|\.DS_Store|Icon\r|Network Trash Folder|Temporary Items"
    r"|(eh)?Thumbs(_vista)?\.db|desktop\.ini|\$RECYCLE\.BIN|RECYCLER|System Volume Information"
    r"|@eaDir|@tmp|#recycle|#snapshot|@Recycle|@Recently-Snapshot|lost\+found|__pycache__",
    re.IGNORECASE,
)
"""Names that macOS, Windows, network drives and file systems put beside a user's files, as one part of a path.

Hidden files are left out by another rule."""

HIDDEN = "hidden"
DANGLING = "dangling link"
UNFINISHED = re.compile(r".*(~|\.(bak|orig|tmp|temp|part|partial|crdownload|download|swp))", re.IGNORECASE | re.DOTALL)

_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"IIU\0", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"II\x1a\0\0\0HEAPCCDR", RAW),
    (b"FOVb", RAW),
    (b"\0MRM", RAW),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\xff\x0a", JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"8BPS", PSD),
    (b"gimp xcf", GIMP),
    (b"%PDF-", PDF),
    (b"%!PS", POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", POSTSCRIPT),
    (b"\0\0\1\0", ICON),
    (b"v/1\x01", HDR),
    (b"#?RADIANCE", HDR),
    (b"#?RGBE", HDR),
    (b"PF\n", HDR),
    (b"Pf\n", HDR),
    (b"DDS ", DDS),
    (b"\x93NUMPY", NUMPY),
    (b"MATLAB 5.0 MAT-file", MATLAB),
    (b"MATLAB 7.3 MAT-file", MATLAB),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x1aE\xdf\xa3", VIDEO),
    (b"\0\0\1\xba", VIDEO),
    (b"PK\3\4", ZIP),
    (b"PK\5\6", ZIP),
    (b"PK\7\x08", ZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"Rar!\x1a\x07", RAR),
    (b"\x1f\x8b", GZIP),
    (b"\x1f\x9d", COMPRESS),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\0", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"\x04\x22\x4d\x18", LZ4),
    (b"MSCF\0\0\0\0", CAB),
    (b"hsqs", SQUASHFS),
    (b"PAR1", PARQUET),
    (b"version https://git-lfs", LFS),
)
_BY_ENDING = {
    ending: format
    for format in (
        RAW, HEIC, AVIF, JPEG_XL, JPEG_2000, SVG, PDF, POSTSCRIPT, PSD, GIMP, ICON, TGA, HDR, DDS, NUMPY, MATLAB, HDF5,
        DICOM, VIDEO, *ARCHIVES, PARQUET,
    )
    for ending in format.endings
}  # fmt: skip
_BRANDS = {b"heic": HEIC, b"heix": HEIC, b"hevc": HEIC, b"hevx": HEIC, b"heim": HEIC, b"heis": HEIC, b"avif": AVIF}
_BRANDS |= {b"avis": AVIF, b"crx ": RAW}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def format_of(name: str, start: bytes) -> Format | None:
    """Return the format of a file, or None for text and every format without a name here.

    The content decides. The ending does so only where several formats share the beginning (many cameras' raw images
    begin as a TIFF does) or where the format has no mark.

    Args:
        start: its first `HEAD_BYTES`, or all of it where it is shorter.
    """
    if not start:
        return EMPTY
    found = _by_content(start)
    by_ending = _BY_ENDING.get(ending_of(name))
    if (found, by_ending) in ((TIFF, RAW), (ZIP, NUMPY), (HDF5, MATLAB)):
        return by_ending
    if found is TIFF and start[8:10] == b"CR":
        return RAW
    return found or by_ending


def _by_content(start: bytes) -> Format | None:
    for beginning, found in _BEGINNINGS:
        if start.startswith(beginning):
            return found
    if start[:4] == b"RIFF":
        return {b"WEBP": WEBP, b"AVI ": VIDEO}.get(start[8:12])
    if start[4:8] == b"ftyp":
        return _by_brand(start)
    if start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _BMP_HEADERS:
        return BMP
    # Netpbm: P1 to P6, white space, then the width or a comment.
    if re.match(rb"P[1-6]\s+[#\d]", start):
        return PNM
    if start[257:262] == b"ustar":
        return TAR
    if start[128:132] == b"DICM":
        return DICOM
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return WEB_PAGE
    if text.startswith((b"<svg", b"<!doctype svg")) or (text.startswith(b"<?xml") and b"<svg" in text):
        return SVG
    return None


def _by_brand(start: bytes) -> Format:
    """Return the format that the brands of an ISO base media file name (ISO/IEC 14496-12), images and videos alike.

    The major brand comes first.
    """
    size = int.from_bytes(start[:4], "big")
    brands = [start[8:12], *(start[offset : offset + 4] for offset in range(16, min(size, len(start)), 4))]
    found = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    return found or (HEIC if brands[0] in (b"mif1", b"msf1") else VIDEO)


def ending_of(name: str) -> str:
    """Return the ending of a file's name in lower case, empty where it has none."""
    return PurePosixPath(name).suffix.lower()


def has_image_ending(name: str) -> bool:
    """Return whether a file's name has the ending of an image that is read here."""
    return ending_of(name) in IMAGE_SUFFIXES


def stem_of(name: str) -> str:
    """Return a file's name without the ending of a format; `frame.0001` keeps its ending."""
    ending = ending_of(name)
    return name[: -len(ending)] if ending in IMAGE_SUFFIXES or ending in _BY_ENDING else name


def ending_for(name: str, start: bytes) -> str:
    """Return the ending under which an image is written: its own if that is an image's, else that of its content."""
    found, own = format_of(name, start), ending_of(name)
    return own if own in IMAGE_SUFFIXES or found is None or not found.read_here else found.endings[0]


def why_no_image(name: str, start: bytes) -> str:
    """Return why a file is not read as an image, with the way out where there is one; empty for one that is."""
    found = format_of(name, start)
    if found is not None and found.read_here:
        return ""
    if found is None or (found in (LFS, WEB_PAGE, EMPTY) and not has_image_ending(name)):
        return f"no image ({ending_of(name) or 'no ending'})"
    return f"{found.name.split(' ', 1)[1]}: {found.way_out}"


def why_unwanted(name: str) -> str:
    """Return why a file, by its path, was not added by the user on purpose; empty where it may have been."""
    for part in name.split("/"):
        if part.startswith("._") or LITTER.fullmatch(part):
            return "system file"
        if part.startswith(".") and part != ".":
            return HIDDEN
    unfinished = UNFINISHED.fullmatch(name)
    return f"unfinished file or backup ({unfinished[1]})" if unfinished else ""
