"""Answers of RDS as AWS gives them where no emulator does: one field of one database, rewritten on the wire."""

from xml.etree import ElementTree
from xml.sax.saxutils import escape

_ELEMENTS = {"DescribeDBInstances": "DBInstance", "DescribeDBClusters": "DBCluster"}
_NAMESPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
ElementTree.register_namespace("", _NAMESPACE)


class Replay:
    """`saying` holds (service:Operation, identifier, field, value) tuples. Without a value the field is left out."""

    def __init__(self, saying):
        self.fields = {}
        for call, identifier, field, value in saying:
            operation = call.removeprefix("rds:")
            if operation not in _ELEMENTS:
                raise ValueError(f"{call}: only {' and '.join('rds:' + known for known in _ELEMENTS)} can be rewritten")
            self.fields.setdefault(operation, {}).setdefault(identifier, []).append((field, value))

    def rewrite(self, call, body):
        databases = self.fields.get(call.operation) if call.service == "rds" else None
        if not databases:
            return body
        answer = ElementTree.fromstring(body)
        # An answer without a namespace is as good to the SDKs.
        space = answer.tag.partition("}")[0] + "}" if answer.tag.startswith("{") else ""
        element = _ELEMENTS[call.operation]
        for database in answer.iter(f"{space}{element}"):
            for field, value in databases.get(database.findtext(f"{space}{element}Identifier"), []):
                for old in database.findall(f"{space}{field}"):
                    database.remove(old)
                if value:
                    database.append(_field(space, field, value))
        return ElementTree.tostring(answer, encoding="utf-8", xml_declaration=True)


def _field(space, field, value):
    inside = value if value.startswith("<") else escape(value)
    namespace = f' xmlns="{space[1:-1]}"' if space else ""
    return ElementTree.fromstring(f"<{field}{namespace}>{inside}</{field}>")
