"""Answers that no emulator gives, put on the wire: a task's exit code, a failed rollout, a service's history."""

import json


def set_at(document, path, value):
    """Sets what `path` leads to, if the way there exists: field names with dots between, `*` for each member of a list,
    a number for one of them, `field$end` for those whose field ends so. `None` as value removes."""
    first, _, rest = path.partition(".")
    if isinstance(document, list):
        for member in members(document, first):
            set_at(member, rest, value)
    elif isinstance(document, dict):
        if rest:
            set_at(document.get(first), rest, value)
        elif value is None:
            document.pop(first, None)
        else:
            document[first] = value


def members(document, which):
    if which == "*":
        return document
    field, dollar, end = which.partition("$")
    if dollar:
        return [member for member in document if str(member.get(field)).endswith(end)]
    return document[int(which):][:1]


class Rewrites:
    """`rewrites`: `service:Operation:path=JSON`; `answers`: `service:Operation=JSON`."""

    def __init__(self, rewrites, answers):
        self._rewrites = [self._split(text) for text in rewrites]
        self._answers = {name: json.dumps(value).encode() for name, value in map(self._parse, answers)}

    @staticmethod
    def _parse(text):
        left, equals, right = text.partition("=")
        if not equals or ":" not in left:
            raise ValueError(f"{text}: write service:Operation, `=` and JSON")
        return left, json.loads(right)

    def _split(self, text):
        left, value = self._parse(text)
        service, operation, path = (left.split(":", 2) + ["", ""])[:3]
        if not path:
            raise ValueError(f"{text}: write service:Operation:path, `=` and JSON")
        return f"{service}:{operation}", path, value

    def answer(self, name):
        """The body to answer with instead of asking the emulator, or None."""
        return self._answers.get(name)

    def rewrite(self, name, body):
        """The emulator's JSON, as it shall be."""
        wanted = [(path, value) for call, path, value in self._rewrites if call == name]
        if not wanted:
            return body
        document = json.loads(body)
        for path, value in wanted:
            set_at(document, path, value)
        return json.dumps(document).encode()
