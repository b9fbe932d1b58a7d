"""The operations of the HTTP API that Conductor answers from its own database: applications, executors, tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import HTTPConnection

from sandbox.conductor.executors import Executors
from sandbox.conductor.models import (
    Application,
    AppName,
    CreateToken,
    Executor,
    OrgName,
    RegisterApplication,
    Token,
    TokenCreated,
    TokenName,
    UpdateApplication,
)
from sandbox.conductor.registry import Registry
from sandbox.conductor.sessions import Sessions

router = APIRouter(prefix="/v2/orgs/{orgName}")


def registry(connection: HTTPConnection) -> Registry:
    found: Registry = connection.app.state.registry
    return found


def executors(connection: HTTPConnection) -> Executors:
    found: Executors = connection.app.state.executors
    return found


def sessions(connection: HTTPConnection) -> Sessions:
    found: Sessions = connection.app.state.sessions
    return found


TheRegistry = Annotated[Registry, Depends(registry)]
TheExecutors = Annotated[Executors, Depends(executors)]
TheSessions = Annotated[Sessions, Depends(sessions)]


@router.get("/apps", operation_id="listApps")
async def list_apps(org: OrgName, known: TheRegistry) -> list[Application]:
    return await known.applications(org)


@router.get("/apps/{appName}", operation_id="getApp")
async def get_app(org: OrgName, app: AppName, known: TheRegistry) -> Application:
    return await known.application(org, app)


@router.put("/apps/{appName}", operation_id="registerApp", status_code=204)
async def register_app(org: OrgName, app: AppName, known: TheRegistry, body: RegisterApplication | None = None) -> None:
    await known.register(org, app, body.private_mode if body else None)


@router.patch("/apps/{appName}", operation_id="updateApp", status_code=204)
async def update_app(org: OrgName, app: AppName, known: TheRegistry, body: UpdateApplication) -> None:
    await known.update(org, app, body.model_dump(exclude_unset=True))


@router.delete("/apps/{appName}", operation_id="deleteApp", status_code=204)
async def delete_app(org: OrgName, app: AppName, known: TheRegistry, connected: TheSessions) -> None:
    app_id = await known.delete(org, app)
    await connected.close_where(f"application {app} was deleted", app_id=app_id)


@router.get("/apps/{appName}/executors", operation_id="listExecutors")
async def list_executors(org: OrgName, app: AppName, known: TheRegistry, seen: TheExecutors) -> list[Executor]:
    return await seen.of((await known.application(org, app)).id)


@router.get("/tokens", operation_id="listTokens")
async def list_tokens(org: OrgName, known: TheRegistry) -> list[Token]:
    return await known.tokens(org)


@router.post("/tokens/{tokenName}", operation_id="createToken", status_code=201)
async def create_token(
    org: OrgName, token: TokenName, known: TheRegistry, body: CreateToken | None = None
) -> TokenCreated:
    scope = body or CreateToken()
    secret = await known.create_token(org, token, scope.app_names or [], scope.permissions or [])
    return TokenCreated(token=secret, token_name=token)


@router.delete("/tokens/{tokenName}", operation_id="deleteToken", status_code=204)
async def delete_token(org: OrgName, token: TokenName, known: TheRegistry, connected: TheSessions) -> None:
    token_id = await known.delete_token(org, token)
    await connected.close_where("the API key was revoked", token_id=token_id)
