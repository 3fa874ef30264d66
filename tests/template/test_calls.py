"""Each role allows exactly the SSM and ECS calls that its function makes.

The calls are a list in each function; a Rust test holds it against the calls that the local AWS sees.
"""

import unittest

from template import facts, load, resolve

ROLES = {
    "map-share": "MapShareRole",
    "drain-unmapped": "DrainUnmappedRole",
    "validate-task-definition": "ValidateTaskDefinitionRole",
}


def allowed(role):
    """The SSM and ECS actions that a function's role allows."""
    resources, _ = resolve(load())
    actions = set()
    for statement in resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
        listed = statement["Action"]
        actions.update([listed] if isinstance(listed, str) else listed)
    return {action for action in actions if action.startswith(("ssm:", "ecs:"))}


class Calls(unittest.TestCase):
    def test_roles_allow_exactly_what_is_called(self):
        self.assertEqual(set(facts()["operations"]), set(ROLES))
        for function, role in ROLES.items():
            self.assertEqual(allowed(role), set(facts()["operations"][function]), function)


if __name__ == "__main__":
    unittest.main()
