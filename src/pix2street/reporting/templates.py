"""The templates of this room, filled in; the only module that knows Jinja."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def fill(template: str, **values) -> str:
    """Return a template's text with these values; equal values give equal text.

    Values are escaped in HTML and left as they are in Markdown.

    Raises:
        jinja2.UndefinedError: the template names a value that was not given.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pix2street", "reporting"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
