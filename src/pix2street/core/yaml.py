"""YAML 1.2 as DVC reads it, and settings written in the layout of `params.yaml`."""

import io
import textwrap
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from pix2street.core.errors import UserError


def load_yaml(text: str, name: str) -> Any:
    """Return the values of YAML 1.2, the dialect that DVC reads: `1e-4` is a number and `no` is a word.

    Raises:
        UserError: the text is not YAML; the message gives `name`, line, column and reason.
    """
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = " ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{name}: no valid YAML: {position}{reason}; correct the line") from error
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: no valid YAML: {reason}; correct the file") from error


def as_yaml(values: Mapping[str, Any], indent: int = 0) -> str:
    """Return nested settings as YAML in the layout of `params.yaml`.

    Args:
        values: sections of sections; a mapping three levels down is written on one line.
        indent: spaces before every line.
    """
    yaml = YAML()
    yaml.width = 1000
    stream = io.StringIO()
    yaml.dump(_laid_out(values, 0), stream)
    return textwrap.indent(stream.getvalue(), " " * indent).rstrip()


def _laid_out(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        mapping = CommentedMap((key, _laid_out(one, depth + 1)) for key, one in value.items())
        if depth > 2:
            mapping.fa.set_flow_style()
        return mapping
    # Quotes make a pattern easier to read, even if YAML does not need them.
    return SingleQuotedScalarString(value) if isinstance(value, str) and value.startswith("^") else value
