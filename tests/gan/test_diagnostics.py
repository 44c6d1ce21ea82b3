import pytest

from pix2street.gan.diagnostics import who_has_won


@pytest.mark.parametrize(
    ("terms", "verdict"),
    [
        ((0.69, 0.69, 0.69), "Neither network has won ("),
        ((2.0, 0.2, 0.2), "Neither network has won; the discriminator is ahead"),
        ((0.2, 0.9, 0.9), "Neither network has won; the generator is ahead"),
        ((6.0, 0.01, 0.02), "The discriminator has won"),
        ((0.01, 0.7, 5.0), "The generator has won"),
        ((3.0, 0.01, 0.6), "Neither network has won"),
    ],
)
def test_the_sentence_follows_the_terms(terms, verdict):
    sentence = who_has_won(*terms)
    assert sentence.startswith(verdict)
    assert f"gen_gan {terms[0]:.2f}" in sentence
