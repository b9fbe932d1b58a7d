"""Names and ids in paths: what cannot be one is not looked up in the database, it is simply not there."""

import re
from typing import Annotated

from fastapi import Depends, Path, Request

from service.ports import Runtime
from workflows.errors import NotFound

_INSTALLATION = re.compile(r"[a-z0-9-]{1,64}")
_OPERATION = re.compile(r"[A-Za-z0-9._:-]{1,64}")


async def _installation_name(
    name: Annotated[str, Path(description="Name of the installation.", examples=["dbos-conductor"])],
) -> str:
    if not _INSTALLATION.fullmatch(name):
        raise NotFound("There is no installation of this name.")
    return name


async def _operation_id(operation_id: Annotated[str, Path(alias="id", description="Id of the operation.")]) -> str:
    if not _OPERATION.fullmatch(operation_id):
        raise NotFound("There is no operation of this id.")
    return operation_id


async def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


InstallationName = Annotated[str, Depends(_installation_name)]
OperationId = Annotated[str, Depends(_operation_id)]
Engine = Annotated[Runtime, Depends(_runtime)]
