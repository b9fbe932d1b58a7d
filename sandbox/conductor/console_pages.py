"""What a person did in the Console's pages before Conductor had an HTTP API: register an application, make a key.

Only there in the mode CONDUCTOR_API=none, where /v2 is not; the paths are the sandbox's own.
"""

from fastapi import APIRouter

from sandbox.conductor.database import ORGANIZATION
from sandbox.conductor.models import AppName, TokenCreated, TokenName
from sandbox.conductor.routes import TheRegistry

router = APIRouter(prefix="/_sandbox/console")


@router.put("/apps/{appName}", status_code=204)
async def register_app(app: AppName, known: TheRegistry) -> None:
    await known.register(ORGANIZATION, app, None)


@router.post("/tokens/{tokenName}", status_code=201)
async def create_token(token: TokenName, known: TheRegistry) -> TokenCreated:
    return TokenCreated(token=await known.create_token(ORGANIZATION, token, [], []), token_name=token)
