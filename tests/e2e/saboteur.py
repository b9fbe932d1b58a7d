"""`python -m tests.e2e.saboteur serve`: podium whose functions break, once each, where their variables hold secrets.

The modules are changed while they are imported: before a function of TARGETS returns, and before a step's result is
taken, an unexpected error is raised whose text has all variables in it. SABOTAGE names a folder, where a file for each
place says that it has broken already.
"""

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

TARGETS = {
    "steps.secret_store": {"put", "get", "ensure_password"},
    "steps.databases": {"scram_verifier", "_secret"},
    "steps.sealed_secrets": {"ensure", "_manifest"},
    "steps.clients.sealing": {"seal"},
    "steps.clients.helm": {"_registry_login", "_repositories"},
    "steps.charts": {"_with_credentials"},
    "steps.api_key": {"swap"},
    "workflows.durable": {"listened"},
    "workflows.intake": {"store"},
}
"""Functions by module; in `listened` a step's call has come back."""


def sabotage(place: str, variables: Mapping[str, Any]) -> None:
    """Raises RuntimeError the first time that it is called for the place; in a step, for each phase of an operation."""
    if place.endswith("listened"):
        place += f".{variables['self'].operation_id}.{variables['self'].phase}"
    folder = Path(os.environ["SABOTAGE"])
    try:
        (folder / place).touch(exist_ok=False)
    except FileExistsError:
        return
    raise RuntimeError(f"sabotage at {place}: {dict(variables)!r}")


class _Saboteur(ast.NodeTransformer):
    """Before each `return` of the functions of these names: `sabotage(...)`, with what is about to be returned."""

    def __init__(self, module: str, names: set[str]) -> None:
        self._module, self._names = module, names
        self._place: str | None = None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        before, self._place = self._place, f"{self._module}.{node.name}" if node.name in self._names else None
        self.generic_visit(node)
        self._place = before
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        if self._place is None or node.value is None:
            return node
        kept = ast.Assign([ast.Name("_returned", ast.Store())], node.value)
        # `self` is named so that a function within a method has it among its variables.
        names = "{**locals(), 'self': self}" if self._place.endswith("listened") else "locals()"
        call = ast.parse(
            f"__import__('tests.e2e.saboteur', fromlist=['sabotage']).sabotage({self._place!r}, {names})"
        ).body[0]
        new = [kept, call, ast.Return(ast.Name("_returned", ast.Load()))]
        return [ast.fix_missing_locations(ast.copy_location(one, node)) for one in new]


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Always from the source: a cached one is whole."""
        path = self.get_filename(fullname)
        tree = _Saboteur(fullname, TARGETS[fullname]).visit(ast.parse(self.get_data(path)))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in TARGETS:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.origin is not None:
            found.loader = _Loader(fullname, found.origin)
        return found


if __name__ == "__main__":
    sys.meta_path.insert(0, _Finder())
    sys.modules["tests.e2e.saboteur"] = sys.modules["__main__"]
    from service.cli.main import main

    main()
