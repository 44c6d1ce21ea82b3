"""Film files, unpacked into folders of frames."""

import io
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from pix2street.core.archives import Source
from pix2street.core.errors import UserError
from pix2street.core.films import frames_of
from pix2street.core.formats import VIDEO, format_of, has_image_ending, stem_of
from pix2street.core.images import png_bytes
from pix2street.core.limits import GIB, Limits


def unpack_films(source: Source, folder: Path, limits: Limits) -> Source:
    """Return the source with the frames of each film, `<film without its ending>/<number>.png`, in place of the film.

    The frames are written below `folder`, from which the source then reads them. Without a film the source is returned
    as it is.

    Raises:
        UserError: a film cannot be decoded or has the name of a folder or of another film, or the frames of all films
            pass a limit.
    """
    films = films_of(source)
    if not films:
        return source
    others = [name for name in source.names if name not in {*films}]
    _refuse_equal_names(source.path, films, others)
    frames, taken = [], 0
    for name, content in source.read(films):
        (folder / stem_of(name)).mkdir(parents=True)
        for number, pixels in enumerate(frames_of(f"{source.path}: {name}", io.BytesIO(content)), 1):
            png = png_bytes(pixels)
            taken += len(png)
            if len(frames) == limits.max_files or taken > limits.max_gib * GIB:
                raise UserError(
                    f"{source.path}: {name}: frame {number} passes a limit: at most {limits.max_files:,} frames of all "
                    f"films (download.max_files) with {limits.max_gib:g} GiB (download.max_gib) are unpacked; raise "
                    "the limit, or make shorter or smaller films (ffmpeg -r 10 -s 512x288)"
                )
            frames.append(f"{stem_of(name)}/{number:06d}.png")
            (folder / frames[-1]).write_bytes(png)
    unpacked = {*frames}

    def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        yield from source.read([name for name in wanted if name not in unpacked])
        for name in frames:
            if name in wanted:
                yield name, (folder / name).read_bytes()

    def head(name: str) -> bytes:
        return (folder / name).read_bytes() if name in unpacked else source.head(name)

    return replace(source, names=sorted([*others, *frames]), read=read, head=head)


def films_of(source: Source) -> list[str]:
    """Return the names of the films of a source."""
    return [name for name in source.names if not has_image_ending(name) and _is_film(source, name)]


def _is_film(source: Source, name: str) -> bool:
    try:
        return format_of(name, source.head(name)) is VIDEO
    except OSError:
        return False


def _refuse_equal_names(path: Path, films: list[str], others: list[str]) -> None:
    """Raise an error where a film's frames would lie in the folder of other files or of another film."""
    folders = {str(parent): name for name in others for parent in Path(name).parents}
    for name in films:
        if (other := folders.setdefault(stem_of(name), name)) != name:
            raise UserError(f"{path}: the frames of {name!r} would be in one folder with {other!r}; rename the film")
