"""What SECURITY.md and docs/key-policy.json say is what template.yaml has."""

import json
import re
import unittest

from parliament.statement import iam_definition

from template import ROOT, load, resolve

SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
KEY_POLICY = json.loads((ROOT / "docs" / "key-policy.json").read_text(encoding="utf-8"))

# The right that makes somebody a user of such a resource.
RIGHTS = {
    "AWS::SQS::Queue": "sqs:SendMessage",
    "AWS::Serverless::Function": "lambda:InvokeFunction",
    "AWS::SSM::Document": "ssm:SendCommand",
}


class Holders(unittest.TestCase):
    def rows(self):
        below = SECURITY.split("<!-- holders: ")[1].split("-->\n")[1]
        return [[cell.strip() for cell in line.split("|")[1:-1]] for line in below.splitlines() if line.startswith("|")][2:]

    def test_each_queue_function_and_document_has_a_row(self):
        holders = [row[0] for row in self.rows()]
        expected = {(RIGHTS[r["Type"]], name) for name, r in load()["Resources"].items() if r["Type"] in RIGHTS}
        self.assertGreater(len(expected), 5)
        for right, name in expected:
            self.assertTrue([h for h in holders if f"`{right}`" in h and f"`{name}`" in h], f"{right} on {name}")

    def test_a_row_names_what_exists(self):
        named = re.findall(r"\bon `(\w+)`", " ".join(row[0] for row in self.rows()))
        self.assertGreater(len(named), 5)
        self.assertLessEqual(set(named), set(load()["Resources"]))
        known = {f"{service['prefix']}:{action['privilege']}" for service in iam_definition for action in service["privileges"]}
        rights = set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", SECURITY)) - {"kms:ViaService"}
        self.assertGreater(len(rights), 10)
        self.assertLessEqual(rights, known)

    def test_a_row_says_what_and_within_what_bounds(self):
        for row in self.rows():
            self.assertTrue(len(row) == 3 and all(row), row)


class KeyPolicy(unittest.TestCase):
    def test_only_the_instances_decrypt_and_only_as_the_stacks_policy_lets_them(self):
        given = {"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
        resources, _ = resolve(load(), given)
        policy = resources["InstancePolicy"]["Properties"]
        _, allowed = policy["PolicyDocument"]["Statement"]
        condition = dict(allowed["Condition"]["StringEquals"])
        # The user name is no SecureString, so no key decrypts it.
        _, condition["kms:EncryptionContext:PARAMETER_ARN"] = condition["kms:EncryptionContext:PARAMETER_ARN"]
        administrators, writers, readers = KEY_POLICY["Statement"]
        self.assertEqual((readers["Action"], readers["Condition"]), (allowed["Action"], {"StringEquals": condition}))
        self.assertEqual(readers["Principal"]["AWS"], [f"arn:aws:iam::111122223333:role/{role}" for role in policy["Roles"]])
        self.assertEqual(writers["Condition"], readers["Condition"])
        # No other statement lets anybody decrypt, or pass that right on.
        others = administrators["Action"] + writers["Action"]
        self.assertFalse({"kms:Decrypt", "kms:CreateGrant", "kms:ReEncryptFrom"} & set(others) or [a for a in others if "*" in a])
        known = {f"kms:{a['privilege']}" for service in iam_definition if service["prefix"] == "kms" for a in service["privileges"]}
        self.assertLessEqual(set(others), known)


if __name__ == "__main__":
    unittest.main()
