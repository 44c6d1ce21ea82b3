"""The ratio of a photo's sides to those of its input."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Self

ONE = Fraction(1)


@dataclass(frozen=True)
class Scale:
    """The ratio of a photo's height, and of its width, to that of its input."""

    height: Fraction = ONE
    width: Fraction = ONE

    @classmethod
    def of(cls, size: tuple[int, int], photo: tuple[int, int]) -> Self:
        """Return the ratio of a photo's (height, width) to its input's."""
        return cls(Fraction(photo[0], size[0]), Fraction(photo[1], size[1]))

    @property
    def alike(self) -> bool:
        """Return whether both sides have one ratio, so that forms stay."""
        return self.height == self.width

    @property
    def area(self) -> int:
        """The ratio of a photo's pixels to those of its input, rounded up."""
        return ceil(self.height * self.width)

    def applied(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Return the (height, width) of the photo of an input of this size, rounded down; numbers or tensors."""
        return _times(height, self.height), _times(width, self.width)

    def named(self, height: str = "H", width: str = "W") -> tuple[str, str]:
        """Return the sides of a photo in the names of its input's, e.g. `4H` and `4W`."""
        return _name(height, self.height), _name(width, self.width)

    def to_json(self) -> int | list[str]:
        """Return a whole ratio of both sides as a number, any other as two fractions."""
        if self.alike and self.height.denominator == 1:
            return self.height.numerator
        return [str(self.height), str(self.width)]

    @classmethod
    def from_json(cls, fields: int | list[str]) -> Self:
        height, width = fields if isinstance(fields, list) else (fields, fields)
        return cls(Fraction(height), Fraction(width))


def _times(side: Any, ratio: Fraction) -> Any:
    product = side * ratio.numerator
    return product if ratio.denominator == 1 else product // ratio.denominator


def _name(side: str, ratio: Fraction) -> str:
    times = "" if ratio.numerator == 1 else str(ratio.numerator)
    return f"{times}{side}" + ("" if ratio.denominator == 1 else f"/{ratio.denominator}")
