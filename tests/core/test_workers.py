"""Work is shared among processes without taking all of it at once."""

import pytest

from pix2street.core.workers import CHUNK_ITEMS, in_processes


def test_results_come_in_order_and_items_are_taken_when_their_turn_is_near(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    taken = []

    def items():
        for number in range(-200, 0):
            taken.append(number)
            yield number

    results = in_processes(abs, items())
    assert next(results) == 200
    assert len(taken) <= 9 * CHUNK_ITEMS
    assert [*results] == [*range(199, 0, -1)]
    assert [*in_processes(abs, [])] == []


def test_an_error_of_a_process_is_raised():
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_processes(int, ["1", "x"]))
