"""The syntax of label selectors in queries: `app in (a,b),!tier,track!=canary`.

Source of grammar and texts: k8s.io/apimachinery/pkg/labels/selector.go.
"""

import re
from collections.abc import Callable

from sandbox.kubernetes.errors import BadRequest, render
from sandbox.kubernetes.strategy.names import label_value_problems, qualified_name_problems

LabelTest = Callable[[dict[str, str]], bool]
_TOKENS = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_SYMBOLS = ("==", "!=", "=", "!", "(", ")", ",", "<", ">", "")
_OPERATORS = "in, notin, =, ==, !=, gt, lt"


class _Wrong(ValueError):
    """A text that is no selector."""


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [found[1] for found in _TOKENS.finditer(text)]

    def peek(self) -> str:
        """The next token, empty at the end."""
        return self._tokens[0] if self._tokens else ""

    def take(self) -> str:
        """The next token, which is used up."""
        return self._tokens.pop(0) if self._tokens else ""

    def requirements(self) -> list[LabelTest]:
        """All of them."""
        tests: list[LabelTest] = []
        while found := self.peek():
            if found in _SYMBOLS and found != "!":
                raise _Wrong(f"found '{found}', expected: !, identifier, or 'end of string'")
            tests.append(self._named())
            after = self.take()
            if after not in (",", ""):
                raise _Wrong(f"found '{after}', expected: ',' or 'end of string'")
            if after == "," and self.peek() in _SYMBOLS and self.peek() != "!":
                raise _Wrong(f"found '{self.peek()}', expected: identifier after ','")
        return tests

    def _named(self) -> LabelTest:
        try:
            return self._requirement()
        except _Wrong as error:
            raise _Wrong(f"unable to parse requirement: {error}") from error

    def _requirement(self) -> LabelTest:
        key = self.take()
        absent = key == "!"
        key = self.take() if absent else key
        if key in _SYMBOLS:
            raise _Wrong(f"found '{key}', expected: identifier")
        _refuse("<nil>", key, qualified_name_problems(key))
        if absent or self.peek() in (",", ""):
            return lambda labels: (key in labels) != absent
        return self._comparison(key)

    def _comparison(self, key: str) -> LabelTest:
        operator = self.take()
        if operator in ("in", "notin"):
            values = self._values()
        elif operator in ("=", "==", "!="):
            values = {self._exact()}
        elif operator in ("<", ">"):
            return self._number(key, operator)
        else:
            raise _Wrong(f"found '{operator}', expected: {_OPERATORS}")
        for index, value in enumerate(sorted(values)):
            _refuse(f"values[{index}][{key}]", value, label_value_problems(value))
        if operator in ("in", "=", "=="):
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: key not in labels or labels[key] not in values

    def _number(self, key: str, operator: str) -> LabelTest:
        value = self._exact()
        if not re.fullmatch(r"[+-]?\d+", value):
            text = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise _Wrong(f'values[0]: Invalid value: "{value}": {text}')
        wanted = int(value)

        def matches(labels: dict[str, str]) -> bool:
            if not re.fullmatch(r"[+-]?\d+", labels.get(key, "")):
                return False
            return int(labels[key]) > wanted if operator == ">" else int(labels[key]) < wanted

        return matches

    def _exact(self) -> str:
        if self.peek() in ("", ","):
            return ""
        value = self.take()
        if value in _SYMBOLS:
            raise _Wrong(f"found '{value}', expected: identifier")
        return value

    def _values(self) -> set[str]:
        opening = self.take()
        if opening != "(":
            raise _Wrong(f"found '{opening}' expected: '('")
        values = {self._item()}
        while (after := self.take()) == ",":
            values.add(self._item())
        if after != ")":
            raise _Wrong(f"found '{after}', expected: ',' or ')'")
        return values

    def _item(self) -> str:
        """An entry of a list of values, which may be empty."""
        if self.peek() in (",", ")"):
            return ""
        if self.peek() in _SYMBOLS:
            raise _Wrong(f"found '{self.peek()}', expected: ',', ')' or identifier")
        return self.take()


def _refuse(field: str, value: str, problems: list[str]) -> None:
    if problems:
        raise _Wrong(f"{field}: Invalid value: {render(value)}: {'; '.join(problems)}")


def parse_labels(text: str) -> list[LabelTest]:
    """The tests that a selector consists of; raises BadRequest."""
    try:
        return _Parser(text).requirements()
    except _Wrong as error:
        raise BadRequest(str(error)) from error
