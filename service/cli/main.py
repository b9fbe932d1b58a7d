"""The `podium` command. Each command imports what it needs when it runs, so that `podium --help` answers at once."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="podium",
    help="Installs a self-hosted DBOS Conductor on AWS EKS, as a durable workflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help needs no rich, which takes longer to load than all the rest
)

Home = Annotated[Path, typer.Option("--home", envvar="PODIUM_HOME", help="Folder of the sandbox and its state.")]
Speed = Annotated[
    str, typer.Option("--speed", help="How much faster than AWS the sandbox is: a number, or max for no delays.")
]
Name = Annotated[str, typer.Argument(help="Name of the installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EnvFile = Annotated[
    Path | None, typer.Option("--env-file", help="KEY=value lines, e.g. sandbox.env; the environment goes first.")
]
ParentPipe = Annotated[bool, typer.Option("--parent-pipe", hidden=True)]
_HOME = Path(".podium")


@app.command()
def serve(env_file: EnvFile = None, parent_pipe: ParentPipe = False) -> None:
    """Run the service; it takes everything from the environment (PODIUM_URL, PODIUM_DATABASE_URL, …)."""
    _run("serve", env_file, parent_pipe=parent_pipe)


@app.command()
def api(env_file: EnvFile = None, parent_pipe: ParentPipe = False) -> None:
    """Run only the REST API and the status page; `podium worker` does the work (needs PostgreSQL)."""
    _run("api", env_file, parent_pipe=parent_pipe)


@app.command()
def worker(env_file: EnvFile = None, parent_pipe: ParentPipe = False) -> None:
    """Run only the work; several workers share one PostgreSQL database. Health and metrics: PODIUM_WORKER_BIND."""
    _run("worker", env_file, parent_pipe=parent_pipe)


def _run(role: Literal["serve", "api", "worker"], env_file: Path | None, *, parent_pipe: bool) -> None:
    if env_file is not None:
        from service.cli.documents import into_environment  # noqa: PLC0415

        into_environment(env_file)
    from service.server import serve as run  # noqa: PLC0415

    raise typer.Exit(run(role, with_parent=parent_pipe))


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(help="Installation spec, YAML or JSON; - reads standard input.")],
    as_json: AsJson = False,
) -> None:
    """Show what an install would do: phases, resources by name, warnings. Calls nothing, creates nothing."""
    from service.cli import planning  # noqa: PLC0415

    planning.show(file, as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the installation spec."""
    import json  # noqa: PLC0415

    from workflows.schema import json_schema  # noqa: PLC0415

    print(json.dumps(json_schema(), indent=2))


@app.command()
def sandbox(home: Home = _HOME, speed: Speed = "60") -> None:
    """Run the stand-ins for AWS, Kubernetes and Conductor until Ctrl-C; their addresses go to HOME/sandbox.env."""
    from service.cli import sandboxes  # noqa: PLC0415

    sandboxes.become(home, sandboxes.checked_speed(speed))


@app.command()
def demo(
    home: Home = _HOME,
    speed: Speed = "60",
    spec: Annotated[Path | None, typer.Option("--spec", help="What to install [default: the guide].")] = None,
    leave: Annotated[bool, typer.Option("--exit", help="Leave when READY (exit code 0) or failed (1).")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Retry an install that failed or was cancelled.")] = False,
) -> None:
    """Start a sandbox and the service, install a Conductor, watch it, and keep it running until Ctrl-C."""
    from service.cli import demo as demonstration  # noqa: PLC0415
    from service.cli.sandboxes import checked_speed  # noqa: PLC0415

    wanted = demonstration.Wanted(home=home, speed=checked_speed(speed), spec=spec, leave=leave, retry=retry)
    raise typer.Exit(demonstration.run(wanted))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="Name of the installation; without it, all.")] = None,
    home: Home = _HOME,
    as_json: AsJson = False,
) -> None:
    """Show installations, or one with its phases."""
    from service.cli import remote  # noqa: PLC0415

    remote.status(home, name, as_json=as_json)


@app.command()
def retry(
    name: Name,
    from_phase: Annotated[
        str | None, typer.Option("--from-phase", help="Run this phase and all after it again.")
    ] = None,
    home: Home = _HOME,
) -> None:
    """Retry what failed or was cancelled."""
    from service.cli import remote  # noqa: PLC0415

    remote.retry(home, name, from_phase)


@app.command()
def cancel(name: Name, home: Home = _HOME) -> None:
    """Cancel the running operation; what was made stays."""
    from service.cli import remote  # noqa: PLC0415

    remote.cancel(home, name)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="The whole changed spec, YAML or JSON; - reads standard input.")],
    plan_only: Annotated[bool, typer.Option("--plan", help="Show what would change; begin nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = _HOME,
    as_json: AsJson = False,
) -> None:
    """Bring an installation to a changed spec; only what differs is touched."""
    from service.cli import applying  # noqa: PLC0415

    applying.apply(home, file, plan_only=plan_only, ask=not yes, as_json=as_json)


@app.command()
def drift(name: Name, home: Home = _HOME, as_json: AsJson = False) -> None:
    """Compare AWS and the cluster with what was applied; changes nothing. Exit code 0 in sync, 3 drifted."""
    from service.cli import drifting  # noqa: PLC0415

    raise typer.Exit(drifting.drift(home, name, as_json=as_json))


@app.command()
def repair(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, home: Home = _HOME
) -> None:
    """Do again what has drifted."""
    from service.cli import drifting  # noqa: PLC0415

    raise typer.Exit(drifting.repair(home, name, ask=not yes))


@app.command()
def uninstall(
    name: Name,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete the database for good; without it a last snapshot is kept.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Leave Kubernetes alone when the cluster cannot be reached.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Home = _HOME,
) -> None:
    """Remove everything that Podium made for an installation; what was given to it is left alone."""
    from service.cli import remote  # noqa: PLC0415

    if not yes:
        typer.confirm(f"Remove {name}, its cluster and its database?", abort=True)
    remote.uninstall(home, name, delete_data=delete_data, force=force)


@app.command()
def events(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and print what happens.")] = False,
    home: Home = _HOME,
    as_json: AsJson = False,
) -> None:
    """Print an installation's log."""
    from service.cli import remote  # noqa: PLC0415

    remote.events(home, name, follow=follow, as_json=as_json)


def main() -> None:
    """The entry point: errors for people are one line each, on stderr, with exit code 1."""
    from service.cli.errors import CliError  # noqa: PLC0415

    try:
        app()
    except CliError as error:
        sys.stderr.write(f"podium: {error}\n")
        sys.exit(error.code)


if __name__ == "__main__":
    main()
