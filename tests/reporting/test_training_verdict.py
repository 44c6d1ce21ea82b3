import math

import pytest

from pix2street.models import open_family
from pix2street.models.interface import Term
from pix2street.reporting.training_verdict import diagnostics_verdict, verdict, who_has_won

PIX2PIX = open_family("pix2pix").TERMS
SETTINGS = {"disc_loss_weight": 0.5, "gan_weight": 4.0}
GAME = {
    "gen_total": 30.0, "gen_gan": 1.0, "gen_l1": 0.3, "disc_real": 0.5, "disc_generated": 0.5, "disc_total": 0.5,
    "disc_real_accuracy": 0.8, "disc_generated_accuracy": 0.7,
}  # fmt: skip
HEALTHY = {"diversity": 0.9, "sensitivity": 0.8, "saturated_share": 0.0, "checkerboard": 1.0}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ((0.69, 0.69, 0.69), "Neither network has won ("),
        ((2.0, 0.2, 0.2), "Neither network has won; the discriminator is ahead"),
        ((0.2, 0.9, 0.9), "Neither network has won; the generator is ahead"),
        ((6.0, 0.01, 0.02), "The discriminator has won"),
        ((0.01, 0.7, 5.0), "The generator has won"),
        ((3.0, 0.01, 0.6), "Neither network has won"),
    ],
)
def test_the_sentence_follows_the_terms(terms, expected):
    row = {**GAME, **dict(zip(("gen_gan", "disc_real", "disc_generated"), terms, strict=True))}
    sentence = verdict(row, PIX2PIX, SETTINGS)
    assert sentence.startswith(expected)
    assert f"(gen_gan {terms[0]:.2f}, disc_real {terms[1]:.2f}, disc_generated {terms[2]:.2f}, even at 0.69" in sentence
    assert "disc_real_accuracy 0.80, disc_generated_accuracy 0.70, even at 0.50)" in sentence
    assert "total" not in sentence


LEAST_SQUARES = (
    Term("g", "game", "generator", 0.25, scaled_by="gan_weight"),
    Term("d_near", "game", "discriminator", 0.25),
    Term("d_far", "game", "discriminator", 0.25),
)


@pytest.mark.parametrize(
    ("g", "near", "far", "expected"),
    [
        (1.0, 0.25, 0.25, "Neither network has won ("),
        (0.099, 0.25, 0.25, "The generator has won"),
        (0.49, 0.25, 0.25, "Neither network has won; the generator is ahead"),
        (1.0, 0.024, 0.024, "The discriminator has won"),
        (1.0, 0.024, 0.026, "Neither network has won; the discriminator is ahead"),
        (1.0, 0.024, 0.25, "Neither network has won ("),
    ],
)
def test_every_side_is_measured_by_its_own_equilibrium(g, near, far, expected):
    sentence = who_has_won({"g": g, "d_near": near, "d_far": far}, LEAST_SQUARES, SETTINGS)
    assert sentence.startswith(expected)
    assert "even at 1.00" in sentence
    assert "even at 0.25" in sentence


@pytest.mark.parametrize(
    "terms",
    [
        (Term("g", "hinge", "generator"), Term("d", "hinge", "discriminator")),
        (Term("g", "game", "generator", 0.25), Term("d", "hinge", "discriminator")),
        (Term("l1", "L1, 0 to 2"),),
    ],
)
def test_a_game_without_an_equilibrium_has_no_sentence(terms):
    row = {"g": 0.01, "d": 0.01, "l1": 0.2, **HEALTHY}
    assert who_has_won(row, terms, {}) == ""
    assert verdict(row, terms, {}) == "No fault was found in the photos."


def test_faults_are_sentences_of_their_own():
    text = verdict({**GAME, **HEALTHY, "diversity": 0.0, "sensitivity": 0.0}, PIX2PIX, SETTINGS)
    assert "Different inputs give nearly the same photo (diversity 0.00)." in text
    assert "The photo hardly depends on the input (sensitivity 0.00)." in text
    assert verdict({**GAME, **HEALTHY}, PIX2PIX, SETTINGS).endswith("No fault was found in the photos.")


def test_the_diagnostics_say_whether_and_how_many_faults_they_found():
    assert diagnostics_verdict({**GAME, **HEALTHY}) == "The training's own diagnostics found no fault."
    row = {**GAME, **HEALTHY, "checkerboard": 10.11}
    one = "The training's own diagnostics found a fault: Up-sampling leaves a checkerboard (checkerboard 10.11)."
    assert diagnostics_verdict(row) == one
    two = diagnostics_verdict({**row, "diversity": 0.0})
    assert two.startswith("The training's own diagnostics found 2 faults: Different inputs")
    assert two.endswith("Up-sampling leaves a checkerboard (checkerboard 10.11).")


def test_the_terms_of_the_default_family_have_the_equilibria_of_cross_entropies():
    references = {term.name: term.reference(SETTINGS) for term in PIX2PIX if term.player or term.scaled_by}
    assert references == {
        "gen_gan": math.log(2), "disc_real": math.log(2), "disc_generated": math.log(2), "disc_total": math.log(2),
    }  # fmt: skip
