"""IAM's policy simulator as AWS answers, which no emulator does: one result for each action, with a decision for each
resource inside of it, in pages; condition keys that were not told; and NoSuchEntity for a role that is not there.

The decisions come from a table: role → "action resource" → `allowed`, `implicitDeny`, `explicitDeny`, or
{"decision", "missing": [condition keys], "told": {key: value}, "details": {kind of policy: decision}, "organization": false,
"boundary": false}: with `told`, it is `allowed` once the request says all of that; the last two say that a policy of the
organization, or the permissions boundary, does not allow it. What is not in the table is `implicitDeny`. Actions of one
list under "apart" are refused together with those of another.
"""

from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import aws_wire


class Simulator:
    """`page`: resources in one answer."""

    def __init__(self, table, page=100):
        self.table = table
        self.page = page

    def answer(self, call, body):
        """(status, content type, extra header lines, body), as aws_wire has it."""
        asked = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        role = asked["PolicySourceArn"]
        if role not in self.table:
            return aws_wire.error(call, 404, "NoSuchEntity", f"The role with name {role.rsplit('/')[-1]} cannot be found.")
        actions, resources = _members(asked, "ActionNames"), _members(asked, "ResourceArns")
        apart = [[a for a in actions if a in group] for group in self.table.get("apart", [])]
        if len(apart := [group for group in apart if group]) > 1:
            lists = " and ".join(f"[{','.join(group)}]" for group in apart)
            return aws_wire.error(
                call, 400, "InvalidInput", f"Invalid Input Actions: {lists} require different authorization information.")
        told = dict(zip(_members(asked, "ContextEntries", ".ContextKeyName"), _members(
            asked, "ContextEntries", ".ContextKeyValues.member.1")))
        start = int(asked.get("Marker", 0))
        shown, more = resources[start:start + self.page], start + self.page < len(resources)
        results = "".join(self._result(self.table[role], action, shown, told) for action in actions)
        marker = f"<Marker>{start + self.page}</Marker>" if more else ""
        text = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}<EvaluationResults>{results}</EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        return 200, b"text/xml;charset=UTF-8", b"", text.encode()

    def _result(self, table, action, resources, told):
        entries = [self._entry(table, action, one) for one in resources]
        by_organization = any(entry.get("organization") is False for entry in entries)
        each = "".join(self._specific(entry, one, told) for entry, one in zip(entries, resources))
        # The whole says what is strictest, and names no resource.
        return (
            f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>"
            f"<EvalDecision>explicitDeny</EvalDecision><ResourceSpecificResults>{each}</ResourceSpecificResults>"
            f"<OrganizationsDecisionDetail><AllowedByOrganizations>{str(not by_organization).lower()}</AllowedByOrganizations>"
            "</OrganizationsDecisionDetail></member>"
        )

    @staticmethod
    def _entry(table, action, resource):
        entry = table.get(f"{action} {resource}", "implicitDeny")
        return {"decision": entry} if isinstance(entry, str) else entry

    @staticmethod
    def _specific(entry, resource, told):
        wanted = entry.get("told", {})
        decision = "allowed" if wanted and wanted.items() <= told.items() else entry["decision"]
        missing = [key for key in entry.get("missing", []) if key not in told]
        keys = "".join(f"<member>{escape(key)}</member>" for key in missing)
        details = "".join(
            f"<entry><key>{kind}</key><value>{said}</value></entry>" for kind, said in entry.get("details", {}).items()
        )
        return (
            f"<member><EvalResourceName>{escape(resource)}</EvalResourceName>"
            f"<EvalResourceDecision>{decision}</EvalResourceDecision><MissingContextValues>{keys}</MissingContextValues>"
            + (f"<EvalDecisionDetails>{details}</EvalDecisionDetails>" if details else "")
            + "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
            f"{str(entry.get('boundary', True)).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail></member>"
        )


def _members(asked, name, field=""):
    found = []
    while (key := f"{name}.member.{len(found) + 1}{field}") in asked:
        found.append(asked[key])
    return found
