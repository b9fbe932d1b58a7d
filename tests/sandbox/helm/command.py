"""Runs helm commands in this process, as a person would type them."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from sandbox.helm.cli import main

INGRESS_NGINX = ("ingress-nginx", "https://kubernetes.github.io/ingress-nginx")
SEALED_SECRETS = ("sealed-secrets", "https://bitnami-labs.github.io/sealed-secrets")
KEDA = ("keda", "https://kedacore.github.io/charts")


class HelmFailure(Exception):
    """The command ended with status 1; the text is what it wrote to stderr."""


def run(*arguments: str) -> str:
    """What the command wrote to stdout; raises HelmFailure."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(arguments))
    if status:
        raise HelmFailure(err.getvalue())
    return out.getvalue()


class HelmCommand:
    """helm with a kubeconfig and a namespace."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def __call__(self, *arguments: str) -> str:
        """One command."""
        return run(*arguments, "--namespace", self.namespace, "--kubeconfig", self.kubeconfig)

    def json(self, *arguments: str) -> Any:
        """One command with -o json."""
        return json.loads(self(*arguments, "-o", "json"))

    def install(self, chart: tuple[str, str], *more: str, release: str = "", version: str = "4.13.2") -> Any:
        """`helm upgrade --install` of a chart under its own name."""
        name, repository = chart
        source = ("--repo", repository, "--version", version, "--create-namespace")
        return self.json("upgrade", "--install", release or name, name, *source, *more)

    def install_with(self, chart: tuple[str, str], values: str, folder: Path) -> Any:
        """The same with a values file."""
        file = folder / "values.yaml"
        file.write_text(values, encoding="utf-8")
        return self.install(chart, "--values", str(file))
