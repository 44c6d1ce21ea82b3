"""The styles that the page may ask its server for."""

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tiny_models import tiny_bank

from pix2street.core.decoding import decode
from pix2street.core.styles import seed_of, with_style
from pix2street.demo.server import NAME
from pix2street.demo.styles import MAX_FIXED, FixedColor, Wish

RAW = {"Content-Type": "application/octet-stream"}
ROAD, SKY, CAR = 7, 23, 26


def two_cars() -> np.ndarray:
    ids = np.full((32, 32), SKY, np.uint8)
    ids[16:] = ROAD
    ids[20:25, 2:10] = ids[20:25, 20:28] = CAR
    return ids


IDS = two_cars()


@pytest.fixture(scope="module")
def client(styled_app):
    return TestClient(styled_app, "http://127.0.0.1:7860")


def translate(client, query="", ids=IDS):
    return client.post(f"/translate?{query}", content=ids.tobytes(), headers=RAW)


def test_a_fixed_colour_changes_the_palette_in_its_region_alone():
    plain = Wish(5, None, ()).style_for(tiny_bank(), IDS)
    palette = Wish(5, None, [FixedColor.read("4,22,0a141e", 32, 32)]).style_for(tiny_bank(), IDS)
    region = np.zeros((32, 32), bool)
    region[20:25, 2:10] = True
    assert (palette[region] == [10, 20, 30]).all()
    np.testing.assert_array_equal(palette[~region], plain[~region])


def test_the_later_of_two_colours_of_a_region_counts():
    fixed = [FixedColor.read(text, 32, 32) for text in ("4,22,0a141e", "9,24,ffffff", "0,0,000000")]
    palette = Wish(5, None, fixed).style_for(tiny_bank(), IDS)
    assert (palette[22, 4] == 255).all()
    assert (palette[IDS == SKY] == 0).all()


def test_a_light_is_kept_whatever_is_painted():
    bank = tiny_bank()
    first = Wish(5, None, ())
    kept = Wish(5, first.light_for(bank, IDS), ())
    np.testing.assert_array_equal(kept.style_for(bank, IDS), first.style_for(bank, IDS))
    painted = IDS.copy()
    painted[:3] = 11
    assert (kept.light_for(bank, painted) == first.light_for(bank, IDS)).all()
    np.testing.assert_array_equal(kept.style_for(bank, painted)[3:], first.style_for(bank, IDS)[3:])


def test_the_photo_is_the_translators_with_the_colours_of_the_page(client, styled_translator):
    plain = translate(client, "seed=9")
    assert (decode(plain.content, "") == styled_translator.translate(IDS, NAME, 9)).all()
    bank = styled_translator.bank
    palette = bank.draw(IDS, seed_of(NAME, 9))
    palette[20:25, 2:10] = 200, 0, 0
    fixed = translate(client, "seed=9&fixed=4,22,c80000")
    assert (decode(fixed.content, "") == styled_translator.translate(with_style(IDS, palette), NAME, 9)).all()
    assert fixed.content != plain.content


def test_a_seed_and_its_light_give_the_same_bytes_again(client, styled_translator):
    first = translate(client, "seed=9")
    light = first.headers["style-light"]
    assert light == styled_translator.bank.light(IDS, seed_of(NAME, 9)).tobytes().hex()
    assert translate(client, "seed=9").content == translate(client, f"seed=9&light={light}").content == first.content
    assert translate(client, "seed=10").content != first.content


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("fixed=32,0,c80000", "the pixel in column 32 and row 0 is outside of the drawing, whose columns are 0 to 31"),
        ("fixed=0,32,c80000", "the pixel in column 0 and row 32 is outside"),
        ("fixed=-1,0,c80000", "fixed: must be column, row and six lowercase hexadecimal digits, as in 12,30,c80000"),
        ("fixed=1,1,red", "is '1,1,red'"),
        ("fixed=1,1,c80000&fixed=1,1", "is '1,1'"),
        ("&".join(["fixed=1,1,c80000"] * (MAX_FIXED + 1)), "fixed: Tuple should have at most 64 items"),
        ("light=dusk", "light: must be 6 lowercase hexadecimal digits, as in 8090a0, is 'dusk'"),
    ],
)
def test_unknown_pixels_and_colours_are_refused(client, query, message):
    answer = translate(client, query)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


def test_a_generator_without_styles_takes_no_light_and_no_colours(labels_app, client):
    plain = TestClient(labels_app, "http://127.0.0.1:7860")
    assert not plain.get("/model.json").json()["styles"]
    assert client.get("/model.json").json()["styles"]
    assert "style-light" not in translate(plain).headers
    for query in ("fixed=1,1,c80000", "light=8090a0"):
        answer = translate(plain, query)
        assert (answer.status_code, answer.json()["detail"]) == (
            422,
            "light and fixed: this generator takes no styles; leave them out",
        )


def test_a_generator_with_codes_keeps_a_light_and_takes_no_colours(coded_app, coded_translator):
    client = TestClient(coded_app, "http://127.0.0.1:7860")
    described = client.get("/model.json").json()
    assert (described["styles"], described["fixes_colors"], described["variants"]) == (True, False, True)
    first = translate(client, "seed=9")
    light = first.headers["style-light"]
    code = coded_translator.bank.draw(IDS, seed_of(NAME, 9))
    assert light == code.tobytes().hex()
    assert (decode(first.content, "") == coded_translator.translate(IDS, NAME, 9)).all()
    painted = np.full_like(IDS, ROAD)
    kept = translate(client, f"seed=9&light={light}", painted)
    assert (decode(kept.content, "") == coded_translator.translate(with_style(painted, code), NAME, 9)).all()
    assert kept.headers["style-light"] == light
    refusals = {
        "fixed=1,1,c80000": "fixed: this generator takes a code for the whole photo, and no colours; leave it out",
        "light=8090a0": "light: must be 16 lowercase hexadecimal digits, as in 8090a0b0c0d0e0f0, is '8090a0'",
    }
    for query, message in refusals.items():
        answer = translate(client, query)
        assert (answer.status_code, answer.json()["detail"]) == (422, message)
