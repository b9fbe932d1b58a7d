"""What a command says when it cannot go on."""


class CliError(Exception):
    """Ends the command with `code`; the text says what to do."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
