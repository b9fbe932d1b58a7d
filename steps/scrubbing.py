"""Takes what looks like a secret out of text that comes from outside: logs, error messages, helm's stderr.

Nothing that reaches an exception, an event or the page may hold a credential, and a program's last words often are the
URL that it could not connect to. Better one word too many than one too few.
"""

import re

HIDDEN = "[hidden]"
_PATTERNS = (
    # scheme://user:password@host, with any password (also one with @ or / in it, up to the last @ of the word)
    (re.compile(r"(://[^\s:/@'\"]*:)[^\s'\"]+@"), rf"\1{HIDDEN}@"),
    # password=…, "api_key": "…", DBOS_CONDUCTOR_KEY=…, Authorization: Bearer …; quoted values may hold blanks
    (
        re.compile(
            r"((?:pass(?:word|wd)?|pwd|secret|token|api[-_ ]?key|licen[cs]e[-_ ]?key|conductor[-_]key|credentials?)"
            r"[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # SQL: PASSWORD '…' and the verifiers that PostgreSQL stores
    (re.compile(r"(password\s+)'[^']*'", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"SCRAM-SHA-256\$\S+"), HIDDEN),
    (re.compile(r"(bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    # Conductor's API keys, and the bearer tokens of EKS
    (re.compile(r"\bdbos_[A-Za-z0-9_-]{12,}"), HIDDEN),
    (re.compile(r"k8s-aws-v1\.[A-Za-z0-9_-]+"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
)


def scrub(text: str) -> str:
    """`text` without anything that looks like a password, a token or a key."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def last_lines(text: str, count: int = 8, width: int = 300) -> str:
    """The last `count` lines that are not blank, scrubbed, each at most `width` characters."""
    lines = [line.rstrip() for line in scrub(text).splitlines() if line.strip()]
    return "\n".join(line[:width] for line in lines[-count:])
