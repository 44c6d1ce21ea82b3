"""What stands around every script."""

import logging
import sys

import pytest

from pix2street.stage import load_quietly

CHATTY = """
import logging, os
os.write(2, b"compiled code says hello")
logging.getLogger(__name__).setLevel(logging.WARNING)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("chatty", "broken"):
        sys.modules.pop(name, None)


def test_a_library_is_loaded_without_a_word_and_warns_of_nothing(place, capfd):
    (place / "chatty.py").write_text(CHATTY)
    load_quietly("chatty")
    assert capfd.readouterr() == ("", "")
    logger = logging.getLogger("chatty")
    assert not logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.ERROR)


def test_what_a_library_said_is_shown_where_it_fails(place, capfd):
    (place / "broken.py").write_text(CHATTY + "1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_quietly("broken")
    assert "compiled code says hello" in capfd.readouterr().err
