"""Each role allows exactly the SSM and ECS calls that its function makes.

What a function calls is read from the sources: an SDK call is a method without arguments that has the name of an operation
(`client.put_attributes()`), and from the function's own package calls are followed by name through `shared`.
"""

import re
import unittest

from parliament.statement import iam_definition

from template import ROOT, load, resolve

OPERATIONS = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", privilege["privilege"]).lower(): f"{service['prefix']}:{privilege['privilege']}"
    for service in iam_definition
    if service["prefix"] in ("ssm", "ecs")
    for privilege in service["privileges"]
}

ROLES = {
    "map-share": "MapShareRole",
    "drain-unmapped": "DrainUnmappedRole",
    "validate-task-definition": "ValidateTaskDefinitionRole",
}


def sources(package):
    """The code of a package without comments and tests."""
    for path in sorted((ROOT / package / "src").rglob("*.rs")):
        if path.name.startswith("tests") or "tests" in path.relative_to(ROOT / package / "src").parts:
            continue
        text = path.read_text(encoding="utf-8").split("#[cfg(test)]")[0]
        yield re.sub(r"//.*", "", text)


def operations_in(code):
    return {OPERATIONS[name] for name in re.findall(r"\.(\w+)\(\)", code) if name in OPERATIONS}


def names_in(code):
    return set(re.findall(r"\b([a-z_][a-z0-9_]*)\b", code))


def functions_of_shared():
    """Name -> the code of every function of that name, from its head to the next one's."""
    bodies = {}
    for code in sources("shared"):
        starts = [(match.start(), match.group(1)) for match in re.finditer(r"\bfn (\w+)", code)]
        for (start, name), (end, _) in zip(starts, [*starts[1:], (len(code), "")]):
            bodies[name] = bodies.get(name, "") + code[start:end]
    return bodies


def calls_of(function):
    """The actions that a function needs."""
    own = "\n".join(sources(f"functions/{function}"))
    shared = functions_of_shared()
    actions, waiting, seen = operations_in(own), names_in(own), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in shared:
            continue
        seen.add(name)
        actions |= operations_in(shared[name])
        waiting |= names_in(shared[name])
    return actions


class Calls(unittest.TestCase):
    def test_roles_allow_exactly_what_is_called(self):
        resources, _ = resolve(load())
        for function, role in ROLES.items():
            allowed = set()
            for statement in resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
                listed = statement["Action"]
                allowed.update([listed] if isinstance(listed, str) else listed)
            allowed = {action for action in allowed if action.startswith(("ssm:", "ecs:"))}
            self.assertEqual(allowed, calls_of(function), function)


if __name__ == "__main__":
    unittest.main()
