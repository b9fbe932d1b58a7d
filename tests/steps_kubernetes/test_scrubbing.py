"""What comes from outside loses its secrets before anybody sees it."""

import pytest

from steps.scrubbing import last_lines, scrub

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    "text",
    [
        f"could not connect to postgresql://dbos_app_role:{CANARY}@db.example:5432/dbos_app?sslmode=require",
        f"postgres://u:p@ss/{CANARY}@host/db",
        f"connection with password={CANARY} failed",
        f"DBOS_CONDUCTOR_KEY={CANARY}",
        f'{{"api_key": "{CANARY}"}}',
        f"license-key: '{CANARY} {CANARY}'",
        f"Authorization: Bearer {CANARY}",
        f"ALTER ROLE r PASSWORD '{CANARY}'",
        f"token: {CANARY}",
        "SCRAM-SHA-256$4096:c4n4ry-s3cret$a:b".replace("c4n4ry-s3cret", CANARY),
        f"key dbos_{CANARY}_1234567890",
        f"k8s-aws-v1.{CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_hidden(text: str) -> None:
    assert CANARY not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        'psql: error: connection to server at "db.example" (10.0.0.1), port 5432 failed: Connection refused',
        'FATAL:  password authentication failed for user "postgres"',
        "http://conductor.dbos.svc.cluster.local:8090/healthz",
        "role dbos_app_role does not exist in database dbos_conductor",
    ],
)
def test_plain_messages_stay_as_they_are(text: str) -> None:
    assert scrub(text) == text


def test_last_lines_are_the_last_ones_that_say_something() -> None:
    assert last_lines("one\n\ntwo\nthree\n\n", count=2) == "two\nthree"
