"""Beginnings of reviews, responses and verifications, for the tests of their readers."""

COMMIT = "0123456789" * 4
RESPONSE = "---\nschema: response/1\nproject: made\n---\n"
VERIFICATION = "---\nschema: verification/1\nproject: made\nreviewer: r-07\nversion: abc\n---\n"
FRONT = """---
schema: review/1
project: made
reviewer: r-07
commit: {commit}
verdict: {verdict}
environment: {{python: "3.11", device: cpu, ran: [install, demo]}}
conflict: none
---
"""
