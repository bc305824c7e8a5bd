"""Where things stand in a JSON text: the line of every field and item, by location."""

import json
import re

Location = tuple[str | int, ...]

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|\n|[^\s{}\[\],:"]+')


def line_numbers(text: str) -> dict[Location, int]:
    """The line (from 1) of every field and item of a valid JSON text, by location.

    >>> line_numbers('{"a": 1,\\n "b": [2,\\n 3]}')
    {('a',): 1, ('b',): 2, ('b', 0): 2, ('b', 1): 3}
    """
    found: dict[Location, int] = {}
    location: list[str | int] = []  # of the value that comes next
    kinds: list[str] = []  # the brackets that are open
    line, expects_key = 1, False
    for match in TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token in "}]" and kinds:
            kinds.pop()
            location.pop()
            expects_key = False
        elif token == ",":
            expects_key = bool(kinds) and kinds[-1] == "{"
            if location and not expects_key:
                location[-1] = next_index(location[-1])
        elif token == ":":
            expects_key = False
        elif expects_key and token[0] == '"':
            location[-1] = unquote(token)
            found[tuple(location)] = line
        else:
            if location and kinds[-1] == "[":
                found[tuple(location)] = line
            if token in "{[":
                kinds.append(token)
                location.append("" if token == "{" else 0)
                expects_key = token == "{"
    return found


def next_index(index: str | int) -> int:
    """The index of the item after this one."""
    return index + 1 if isinstance(index, int) else 0


def unquote(token: str) -> str:
    """The text of a JSON string."""
    return json.loads(token, strict=False)


def line_of(location: Location, lines: dict[Location, int]) -> int:
    """The line of a location, or of the nearest that holds it; 1 if there is none."""
    for end in range(len(location), 0, -1):
        if location[:end] in lines:
            return lines[location[:end]]
    return 1
