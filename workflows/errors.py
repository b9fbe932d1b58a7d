"""What can be wrong with a request to `Control`, before anything durable happens."""


class RequestError(Exception):
    """Base of the errors that a caller can mend."""


class NotFound(RequestError):
    """There is no installation or operation of that name."""


class AlreadyExists(RequestError):
    """An installation of that name exists already; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"an installation named {name} exists already")
        self.name = name


class AlreadyInUse(RequestError):
    """Another installation has for itself what the spec wants to use; `fields` has {field, message, remedy} of each."""

    def __init__(self, fields: list[dict[str, str]]) -> None:
        super().__init__("; ".join(one["message"] for one in fields))
        self.fields = fields


class IdempotencyMismatch(RequestError):
    """The Idempotency-Key was used before with another body."""


class WrongState(RequestError):
    """The operation's state does not allow the request; `allowed` lists the states that do."""

    def __init__(self, state: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"the operation is {state}; this needs {' or '.join(allowed)}")
        self.state = state
        self.allowed = allowed


class OperationInProgress(RequestError):
    """Another operation on the installation has not ended; `id`, `kind` and `state` are its."""

    def __init__(self, operation_id: str, kind: str, state: str) -> None:
        super().__init__(f"operation {operation_id} ({kind}) is {state}")
        self.id = operation_id
        self.kind = kind
        self.state = state


class NothingApplied(RequestError):
    """Nothing of the installation has been made yet, so that there is nothing to compare."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nothing of {name} has been made yet")
        self.name = name


class Impossible(RequestError):
    """A change that an installation cannot go through; `fields` has {field, message, remedy} of each."""

    def __init__(self, fields: list[dict[str, str]]) -> None:
        super().__init__(f"cannot be changed: {', '.join(one['field'] for one in fields)}")
        self.fields = fields


class Renamed(RequestError):
    """A spec for one installation names another."""

    def __init__(self, name: str, other: str) -> None:
        super().__init__(f"the spec of {name} names {other}")
        self.name = name


class UninstallBegun(RequestError):
    """An uninstall was begun and has not ended well: all that can be done is to bring it to its end."""


class UnknownPhase(RequestError):
    """No phase of that name; `names` lists those that exist."""

    def __init__(self, phase: str, names: tuple[str, ...]) -> None:
        super().__init__(f"there is no phase {phase}")
        self.phase = phase
        self.names = names


class DatabaseUnavailable(Exception):
    """Podium's own database cannot be reached or migrated."""


class DatabaseInUse(Exception):
    """Another process uses the SQLite file, which serves one only; `holder` says which."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is in use by {holder}")
        self.path = path
        self.holder = holder


class ExecutorIdInUse(Exception):
    """A worker of this executor id runs already on this machine; `holder` says which."""

    def __init__(self, executor_id: str, holder: str) -> None:
        super().__init__(f"executor id {executor_id} is in use by {holder}")
        self.executor_id = executor_id
        self.holder = holder
