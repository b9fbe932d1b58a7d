"""helm's command line: the commands and flags that an installation uses; any other flag is an error, as in helm."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from sandbox.helm.actions import Deployment, Helm
from sandbox.helm.charts import Chart
from sandbox.helm.errors import HelmError
from sandbox.helm.kube import Kube
from sandbox.helm.kubeconfig import read_access
from sandbox.helm.printing import (
    history_document,
    list_document,
    release_document,
    release_text,
    render,
    table,
)
from sandbox.helm.releases import MAX_HISTORY, Release, ReleaseNotFound, status_of
from sandbox.helm.sources import configured_repositories, find_chart, pull, read_index
from sandbox.helm.values import merge_values

VERSION = "v3.20.0"
COMMIT = "sandbox"
GO_VERSION = "go1.25.5"

Action = Callable[[Helm, argparse.Namespace], str]


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status. The result goes to stdout, `Error: …` to stderr."""
    try:
        sys.stdout.write(_run(_parser().parse_args(arguments)))
    except HelmError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _run(options: argparse.Namespace) -> str:
    if options.command == "version":
        return _version(options)
    if options.command in _WITHOUT_CLUSTER:
        return _WITHOUT_CLUSTER[options.command](options)
    access = read_access(options.kubeconfig, options.kube_context)
    options.namespace = options.namespace or access.namespace
    everywhere = options.command == "list" and options.all_namespaces
    with Kube(access) as kube:
        history_max = getattr(options, "history_max", MAX_HISTORY)
        helm = Helm(kube, "" if everywhere else options.namespace, history_max)
        helm.check_reachable()
        return _ACTIONS[options.command](helm, options)


class _Parser(argparse.ArgumentParser):
    """Ends with helm's wording instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise HelmError."""
        unknown = re.match(r"unrecognized arguments: (-\S+)", message)
        if unknown:
            flag = unknown.group(1).partition("=")[0]
            message = f"unknown flag: {flag}" if flag.startswith("--") else f"unknown shorthand flag: {flag}"
        raise HelmError(message)


def _parser() -> argparse.ArgumentParser:
    everywhere = _Parser(add_help=False, allow_abbrev=False)
    everywhere.add_argument("-n", "--namespace")
    everywhere.add_argument("--kubeconfig")
    everywhere.add_argument("--kube-context")
    everywhere.add_argument("--debug", action="store_true")
    parser = _Parser(prog="helm", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def command(name: str, help_text: str, *, output: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_text, parents=[everywhere], allow_abbrev=False)
        if output:
            made.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table")
        return made

    _add_deployments(command)
    _add_queries(command)
    _add_removals(command)
    return parser


def _add_deployments(command: Callable[..., argparse.ArgumentParser]) -> None:
    for name in ("install", "upgrade"):
        made = command(name, f"{name} a release")
        made.add_argument("release")
        made.add_argument("chart")
        _add_chart_source(made)
        made.add_argument("-f", "--values", action="append", default=[])
        made.add_argument("--set", action="append", default=[])
        made.add_argument("--create-namespace", action="store_true")
        made.add_argument("--skip-crds", action="store_true")
        made.add_argument("--wait", action="store_true")
        made.add_argument("--timeout", type=_seconds, default=300.0)
        if name == "upgrade":
            made.add_argument("-i", "--install", action="store_true")
            made.add_argument("--history-max", type=int, default=MAX_HISTORY)
    show = command("show", "show information of a chart", output=False)
    show.add_argument("what", choices=("chart",))
    show.add_argument("chart")
    _add_chart_source(show)
    download = command("pull", "download a chart from a repository", output=False)
    download.add_argument("chart")
    download.add_argument("-d", "--destination", default=".")
    _add_chart_source(download)
    repo = command("repo", "add, list, remove, update, and index chart repositories", output=False)
    repo.add_argument("verb", choices=("update",))
    repo.add_argument("names", nargs="*")


def _add_chart_source(made: argparse.ArgumentParser) -> None:
    made.add_argument("--repo")
    made.add_argument("--version")
    made.add_argument("--plain-http", action="store_true")


def _add_queries(command: Callable[..., argparse.ArgumentParser]) -> None:
    status = command("status", "display the status of the named release")
    status.add_argument("release")
    status.add_argument("--revision", type=int, default=0)
    history = command("history", "fetch release history")
    history.add_argument("release")
    history.add_argument("--max", type=int, default=256)
    listing = command("list", "list releases")
    listing.add_argument("-a", "--all", action="store_true")
    listing.add_argument("-A", "--all-namespaces", action="store_true")
    listing.add_argument("-q", "--short", action="store_true")
    listing.add_argument("-f", "--filter", default="")
    version = command("version", "print the helm version information", output=False)
    version.add_argument("--template")
    version.add_argument("--short", action="store_true")


def _add_removals(command: Callable[..., argparse.ArgumentParser]) -> None:
    rollback = command("rollback", "roll back a release to a previous revision", output=False)
    rollback.add_argument("release")
    rollback.add_argument("revision", type=int, nargs="?", default=0)
    rollback.add_argument("--no-hooks", action="store_true")
    rollback.add_argument("--history-max", type=int, default=MAX_HISTORY)
    rollback.add_argument("--timeout", type=_seconds, default=300.0)
    uninstall = command("uninstall", "uninstall a release", output=False)
    uninstall.add_argument("releases", nargs="+")
    uninstall.add_argument("--ignore-not-found", action="store_true")
    uninstall.add_argument("--keep-history", action="store_true")
    uninstall.add_argument("--wait", action="store_true")
    uninstall.add_argument("--timeout", type=_seconds, default=300.0)


def _seconds(text: str) -> float:
    """A Go duration such as `5m0s` in seconds."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f'time: invalid duration "{text}"')
    return sum(float(number) * units[unit] for number, unit in parts)


def _chart(options: argparse.Namespace) -> Chart:
    return find_chart(options.chart, options.repo, options.version, plain_http=options.plain_http)


def _show(options: argparse.Namespace) -> str:
    return render(_chart(options).metadata, "yaml")


def _pull(options: argparse.Namespace) -> str:
    pull(_chart(options), Path(options.destination))
    return ""


def _repo(options: argparse.Namespace) -> str:
    known = {each["name"]: each for each in configured_repositories()}
    for name in options.names or known:
        if name not in known:
            raise HelmError(f"no repositories found matching '{name}'.  Nothing will be updated")
        read_index(known[name]["url"], known[name])
    return "Update Complete. ⎈Happy Helming!⎈\n"


def _deployment(options: argparse.Namespace) -> Deployment:
    return Deployment(
        name=options.release,
        namespace=options.namespace,
        chart=_chart(options),
        values=merge_values(options.values, options.set),
        create_namespace=options.create_namespace,
        skip_crds=options.skip_crds,
        wait=options.wait,
        timeout=options.timeout,
    )


def _install(helm: Helm, options: argparse.Namespace) -> str:
    try:
        release = helm.install(_deployment(options))
    except HelmError as error:
        raise HelmError(f"INSTALLATION FAILED: {error}") from error
    return _deployed(release, options)


def _upgrade(helm: Helm, options: argparse.Namespace) -> str:
    asked = _deployment(options)
    release = helm.upgrade_or_install(asked) if options.install else helm.upgrade(asked)
    return _deployed(release, options)


def _deployed(release: Release, options: argparse.Namespace) -> str:
    if options.output != "table":
        return render(release_document(release, with_chart=True), options.output)
    if options.command == "install":
        return release_text(release)
    if release["version"] == 1:
        return f'Release "{options.release}" does not exist. Installing it now.\n{release_text(release)}'
    return f'Release "{options.release}" has been upgraded. Happy Helming!\n{release_text(release)}'


def _status(helm: Helm, options: argparse.Namespace) -> str:
    release = _revision(helm, options.release, options.revision)
    if options.output == "table":
        return release_text(release)
    return render(release_document(release), options.output)


def _revision(helm: Helm, name: str, revision: int) -> Release:
    if not revision:
        return helm.storage.last(name)
    for release in helm.storage.history(name):
        if release["version"] == revision:
            return release
    raise ReleaseNotFound


def _history(helm: Helm, options: argparse.Namespace) -> str:
    history = helm.storage.history(options.release)[-options.max :]
    if not history:
        raise ReleaseNotFound
    rows = history_document(history)
    if options.output == "table":
        return table(rows, ("revision", "updated", "status", "chart", "app_version", "description"))
    return render(rows, options.output)


def _list(helm: Helm, options: argparse.Namespace) -> str:
    shown = [release for release in helm.storage.all() if options.all or _is_listed(release)]
    rows = list_document([release for release in shown if re.search(options.filter, release["name"])])
    if options.short:
        return "".join(f"{row['name']}\n" for row in rows)
    if options.output == "table":
        return table(rows, ("name", "namespace", "revision", "updated", "status", "chart", "app_version"))
    return render(rows, options.output)


def _is_listed(release: Release) -> bool:
    """Whether the release is shown without --all."""
    return status_of(release) in ("deployed", "failed")


def _rollback(helm: Helm, options: argparse.Namespace) -> str:
    helm.rollback(options.release, options.revision)
    return "Rollback was a success! Happy Helming!\n"


def _uninstall(helm: Helm, options: argparse.Namespace) -> str:
    lines = []
    for name in options.releases:
        if not (options.ignore_not_found and not helm.storage.history(name)):
            left = helm.uninstall(name, keep_history=options.keep_history, wait=options.wait, timeout=options.timeout)
            if left:
                lines.append("These resources were kept due to the resource policy:")
                lines += [f"[{obj['kind']}] {obj['metadata']['name']}" for obj in left]
        lines.append(f'release "{name}" uninstalled')
    return "".join(f"{line}\n" for line in lines)


def _version(options: argparse.Namespace) -> str:
    fields = {"Version": VERSION, "GitCommit": COMMIT, "GitTreeState": "clean", "GoVersion": GO_VERSION}
    if options.template:
        return re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda match: fields.get(match.group(1), ""), options.template)
    if options.short:
        return f"{VERSION}+g{COMMIT[:7]}\n"
    shown = ", ".join(f'{key}:"{value}"' for key, value in fields.items())
    return f"version.BuildInfo{{{shown}}}\n"


_WITHOUT_CLUSTER: dict[str, Callable[[argparse.Namespace], str]] = {"show": _show, "pull": _pull, "repo": _repo}

_ACTIONS: dict[str, Action] = {
    "install": _install,
    "upgrade": _upgrade,
    "status": _status,
    "history": _history,
    "list": _list,
    "rollback": _rollback,
    "uninstall": _uninstall,
}
