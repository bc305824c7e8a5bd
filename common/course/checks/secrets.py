"""Keys and passwords: what detect-secrets knows by its form, and quoted values of telling names.

Of its plugins those are used whose patterns name their owner (a prefix, a header); random-looking
texts count only where a name such as `password` or `api_key` is given one, since hashes, seeds and
pictures look random too.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from common.course.checks import Context
from common.course.checks.project_texts import pieces
from common.course.problems import Problem

PLUGINS = {
    # module of detect_secrets.plugins -> class; and a quick sign that the text may hold one
    "artifactory": ("ArtifactoryDetector", r"\bAKC[a-zA-Z0-9]{60}"),
    "aws": (
        "AWSKeyDetector",
        r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}|(?i:aws.{0,20}key)",
    ),
    "azure_storage_key": ("AzureStorageKeyDetector", "AccountKey="),
    "discord": ("DiscordBotTokenDetector", r"\b[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27}\b"),
    "github_token": ("GitHubTokenDetector", "gh[pousr]_"),
    "gitlab_token": ("GitLabTokenDetector", r"\bgl[a-z]{2,6}-|GR1348941"),
    "jwt": ("JwtTokenDetector", r"\beyJ[\w=-]{10,}\.[\w=-]{10,}\.[\w=-]+"),
    "npm": ("NpmDetector", "_authToken"),
    "openai": ("OpenAIDetector", "T3BlbkFJ"),
    "private_key": ("PrivateKeyDetector", "PRIVATE KEY|PuTTY-User-Key"),
    "pypi_token": ("PypiTokenDetector", "pypi-Ag"),
    "sendgrid": ("SendGridDetector", r"\bSG\."),
    "slack": ("SlackDetector", r"(?i:xox[abpors]-)|hooks\.slack"),
    "square_oauth": ("SquareOAuthDetector", "sq0csp-"),
    "stripe": ("StripeDetector", "[rs]k_live_"),
    "telegram_token": ("TelegramBotTokenDetector", r"(?<![\w:])\d{8,10}:[\w-]{35}(?![\w-])"),
    "basic_auth": ("BasicAuthDetector", r"://[^\s/@:{}<>]{1,64}:[^\s/@:{}<>]{3,64}@"),
}
OWN = {
    # Keys that students of models have, and detect-secrets does not know.
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z]{30,}\b"),
    "a GitHub token": re.compile(r"\bgithub_pat_\w{60,}"),
    "an API key": re.compile(r"\bsk-(?:ant-|proj-)?[\w-]{32,}\b"),
    "a Google key": re.compile(r"\bAIza[\w-]{35}\b"),
}
ASSIGNED = re.compile(
    r"""(?i)(?<![^\W_])(?:login\(key|password|passwd|passphrase|pwd|secret|api_?key|access_?key|auth_?token"""
    r"""|secret_?key|private_?key|client_?secret|wandb_?key|parola|sifre|şifre|api_?token"""
    r"""|access_?token)[\w]{0,20}["']?\]?\)?\s{0,3}(?:[:=]|,)\s{0,3}(?:["'](?P<quoted>[^"'\s]{6,200})["'])"""
)
PLACEHOLDER = re.compile(
    r"(?i)[<{$%]|x{4,}|\*{3,}|\.{3}|your|example|placeholder|changeme|none|null"
)
FILES = re.compile(
    r"\.env(?:\..*)?|\.netrc|_netrc|\.pypirc|kaggle\.json|credentials(?:\.json)?|id_(?:rsa|dsa|ecdsa"
    r"|ed25519)|.*\.(?:pem|p12|pfx|key|keystore|kdbx)|\.git-credentials|\.htpasswd",
    re.IGNORECASE,
)
HINT = "revoke it now: it is in git's history; then read it from the environment"
MAX_LINE = 2000


def check(context: Context) -> Iterator[Problem]:
    """Every text of the project, line by line, and files that are made to hold secrets."""
    for path in context.files:
        name = path.rsplit("/", 1)[-1]
        if FILES.fullmatch(name):
            message = f"{name} is a file for credentials"
            yield Problem(path, 0, "secrets.file", message, HINT)
    for piece in pieces(context):
        if piece.kind == "metadata":
            continue
        signs = [
            plugin for plugin, (_, sign) in PLUGINS.items() if sign_of(sign).search(piece.text)
        ]
        is_result = piece.path.endswith((".json", "project.toml"))
        for number, line in enumerate(piece.text.split("\n"), 1):
            if len(line) > MAX_LINE:
                continue  # a picture, or data
            for kind in sorted(set(secrets_of(line, signs, is_result=is_result))):
                message = f"looks like {kind}"
                yield Problem(piece.path, piece.line(number), "secrets.found", message, HINT)


def secrets_of(line: str, signs: list[str], *, is_result: bool) -> Iterator[str]:
    """The kinds of secrets in a line; the secrets themselves are never shown."""
    for plugin in signs:
        if sign_of(PLUGINS[plugin][1]).search(line) and any(detector(plugin).analyze_string(line)):
            found = detector(plugin).secret_type
            if not (plugin == "basic_auth" and PLACEHOLDER.search(line.partition("://")[2])):
                yield f"a secret ({found})"
    for kind, pattern in OWN.items():
        if pattern.search(line):
            yield kind
    if not is_result:
        for match in ASSIGNED.finditer(line):
            value = match["quoted"]
            if not PLACEHOLDER.search(value) and is_random(value):
                yield "a password or key in the text"


@cache
def sign_of(pattern: str) -> re.Pattern[str]:
    """A sign, compiled once."""
    return re.compile(pattern)


@cache
def detector(plugin: str):
    """A detector of detect-secrets, imported when a text has its sign."""
    module = import_module(f"detect_secrets.plugins.{plugin}")
    return getattr(module, PLUGINS[plugin][0])()


def is_random(value: str) -> bool:
    """Whether a value is no word: letters with digits or signs among them, few of them repeated."""
    kinds = [any(map(test, value)) for test in (str.isalpha, str.isdigit)]
    has_signs = any(not character.isalnum() and character not in "_-./:" for character in value)
    is_mixed = sum(kinds) + has_signs >= 2
    return is_mixed and len(set(value)) >= 6 and "(" not in value
