"""Resource quantities in their canonical form, as the API server returns them ("0.5" CPU -> "500m", "1024Mi" -> "1Gi").

Source of the rules: k8s.io/apimachinery/pkg/api/resource (Quantity.CanonicalizeBytes).
"""

import re
from decimal import ROUND_CEILING, Decimal

_PATTERN = re.compile(r"^([+-]?[0-9.]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse(text: str) -> Decimal:
    """The number meant; raises ValueError when it is none."""
    number, suffix = _split(text)
    if suffix in _BINARY[1:]:
        return number * Decimal(1024) ** _BINARY.index(suffix)
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number.scaleb(exponent)


def canonical(value: str | float) -> str:
    """The canonical text of a quantity; raises ValueError when it is none."""
    text = str(value)
    _, suffix = _split(text)
    amount = parse(text)
    if suffix in _BINARY[1:] and amount == amount.to_integral_value():
        return _binary(int(amount))
    return _exponent(amount) if suffix[:1] in ("e", "E") and suffix not in _DECIMAL else _decimal(amount)


def _split(text: str) -> tuple[Decimal, str]:
    found = _PATTERN.match(text)
    if not found or found[1].count(".") > 1 or not any(char.isdigit() for char in found[1]):
        raise ValueError(text)
    return Decimal(found[1]), found[2] or ""


def _binary(amount: int) -> str:
    power = 0
    while amount and amount % 1024 == 0 and power < len(_BINARY) - 1:
        amount, power = amount // 1024, power + 1
    return f"{amount}{_BINARY[power]}"


def _exponent(amount: Decimal) -> str:
    """As _decimal, with an exponent in place of a suffix: `1e3` stays so."""
    text = _decimal(amount)
    power = _DECIMAL.get(text[-1:], 0)
    return f"{text[:-1]}e{power}" if power else text


def _decimal(amount: Decimal) -> str:
    """The largest suffix that leaves a whole number; nano is the finest, rounded up."""
    nano = int(amount.scaleb(9).to_integral_value(rounding=ROUND_CEILING))
    if nano == 0:
        return "0"
    suffixes = list(_DECIMAL)
    index = 0
    while nano % 1000 == 0 and index < len(suffixes) - 1:
        nano, index = nano // 1000, index + 1
    return f"{nano}{suffixes[index]}"
