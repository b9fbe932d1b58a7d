"""The command line that the programs of one cluster share: its folder, its names, its address, the AWS stand-in."""

import argparse
from pathlib import Path

from sandbox.kubernetes.settings import Settings


def parser_of(program: str, description: str | None, *, port: bool = True) -> argparse.ArgumentParser:
    """A parser of them, to which a program may add its own. `port`: whether the program listens."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--dir", type=Path, required=True, help="the cluster's directory")
    if port:
        parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--cluster", required=True, help="the EKS cluster's name")
    parser.add_argument("--account", required=True, help="the AWS account's number")
    parser.add_argument("--region", required=True, help="the AWS region")
    parser.add_argument("--aws-endpoint", required=True, help="URL of the AWS stand-in")
    parser.add_argument("--speed", default="60", help="what AWS's durations are divided by, or max")
    parser.add_argument("--parent-pipe", action="store_true", help="end when stdin does")
    return parser


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that they are."""
    return Settings(
        cluster=arguments.cluster,
        account=arguments.account,
        region=arguments.region,
        aws_endpoint=arguments.aws_endpoint.rstrip("/"),
        speed=float("inf") if arguments.speed == "max" else float(arguments.speed),
        directory=arguments.dir.resolve(),
        port=getattr(arguments, "port", 0),
    )
