"""What the parameters' patterns let through, and what they refuse.

CloudFormation matches a pattern against the whole value (of a list: each item). The constructs that the patterns use
mean the same in Java, which CloudFormation uses, and in Python.
"""

import base64
import json
import re
import unittest

from template import ROOT, load, resolve

TEMPLATE = load()
PARAMETERS = TEMPLATE["Parameters"]

ARN = "arn:aws:ecs:eu-west-1:111122223333:cluster/windows"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

# What would break out of a quoted string, a path, a list or an ARN in one of the languages that a value meets:
# PowerShell, JSON, the `key=value` lines, IAM policies.
FRAGMENTS = [
    "'", '"', "\u2018", "\u2019", "\u201c", "\u201d", "`", "$(whoami)", "${env:TEMP}", "$env:x", ";", "&", "|", "\n", "\r\n",
    "\t", "\0", "{{ Action }}", "{{ssm:x}}", "%TEMP%", "*", "?", "<", ">", "..", "#", "\u00e9",
]

# Realistic values; the functions' configuration must take each of them, too.
ACCEPTED = json.loads((ROOT / "tests" / "template" / "accepted.json").read_text(encoding="utf-8"))

REFUSED = {
    "Clusters": ["windows", "arn:aws:ecs:eu-west-1:1:cluster/x", ARN + "/*", ARN.replace("cluster", "service"), "*", ""],
    "RemotePath": [
        "", r"\\fs", "\\\\fs\\", r"\fs\share", r"fs\share", "//fs/share", r"C:\share", r"G:", r"\\?\C:\share", r"\\.\pipe\x",
        r"\\fs\..\share", r"\\fs\share\..", r"\\fs\share\..\..\x", "\\\\fs\\share\\", r"\\fs\\share", r"\\fs\share\\x",
        r"\\-fs\share", r"\\fs-\share", r"\\f s\share", r"\\fs.\share", r"\\fs\sha$re", r"\\fs\$share", r"\\fs\share$$",
        r"\\fs\share\x$", r"\\fs\ share", "\\\\fs\\share ", r"\\fs\share\.hidden", r"\\fs\share.", r"\\fs@SSL\share",
        "\\\\fs\\share\nremote=\\\\evil\\share", r"\\fs\share; Remove-Item C:\ -Recurse", "\\\\fs\\" + "a" * 240,
    ],
    "DriveLetter": ["", "A", "B", "C", "g", "G:", "GG", "1", "\u00c9"],
    "ProbeDirectory": ["\\", r"\Directory", "Directory\\", r"G:\Directory", r"\\fs\share", r"..\x", r"a\..\b", "a/b", "a ", " a", ".x", "a\\\\b", "a" * 201],
    "UserNameParameterName": ["", "a b", "/", "a//b", "a/", "arn:aws:ssm:eu-west-1:111122223333:parameter/x", "../x", "a:1"],
    "PasswordParameterName": ["", "a b", "/", "a//b", "a/", "*", "/a/*", "x/../y"],
    "UserName": ["svc-ecs", r"\svc", "CORP\\", r"CORP\a b", r"CORP\a\b", "@corp", "a@", "CORP/svc", r"CORP\host$"],
    "KmsKeyArn": ["alias/aws/ssm", "arn:aws:kms:eu-west-1:111122223333:alias/x", "arn:aws:kms:*:111122223333:key/x", KEY + "/x"],
    "InstanceRoleNames": ["", "arn:aws:iam::111122223333:role/x", "a/b", "a b", "a" * 65],
    "AllowedSourcePrefix": ["G:", "G:\\", r"\\fs\share", r"C:\x", r"G:\..\x", "G:/x", "G:x", "G:\\x\\"],
    "AuditSchedule": ["", "daily", "rate(0 days)", "rate(1 day) ", "cron()"],
    "AlarmEmail": ["ops", "ops@", "@example.com", "a b@example.com", "a@b@example.com"],
    "MetricsNamespace": ["", "AWS/ECS", "a b"],
}

# Where a fragment is put to attack a value that is fine without it.
CARRIERS = {
    "Clusters": ARN,
    "RemotePath": r"\\fs\share",
    "DriveLetter": "G",
    "ProbeDirectory": "Directory",
    "UserNameParameterName": "domainUserName",
    "PasswordParameterName": "domainUserPassword",
    "UserName": r"CORP\svc",
    "KmsKeyArn": KEY,
    "InstanceRoleNames": "ecsInstanceRole",
    "AllowedSourcePrefix": r"G:\Directory",
}


def accepts(name, value):
    """Whether CloudFormation would take the value (one item of a list)."""
    spec = PARAMETERS[name]
    if "MaxLength" in spec and len(value) > spec["MaxLength"]:
        return False
    return re.fullmatch(spec["AllowedPattern"], value) is not None


class Patterns(unittest.TestCase):
    def test_every_free_text_has_a_pattern_and_cases(self):
        for name, spec in PARAMETERS.items():
            if spec["Type"] == "Number":
                self.assertTrue("AllowedValues" in spec or {"MinValue", "MaxValue"} <= set(spec), name)
            elif "AllowedValues" not in spec:
                self.assertIn("AllowedPattern", spec, name)
                self.assertIn(name, ACCEPTED)

    def test_the_console_shows_every_parameter_in_one_group_with_a_description(self):
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        self.assertEqual(sorted(name for group in groups for name in group["Parameters"]), sorted(PARAMETERS))
        for name, spec in PARAMETERS.items():
            self.assertTrue(spec["Description"], name)

    def test_realistic_values_are_accepted(self):
        for name, values in ACCEPTED.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assertTrue(accepts(name, value))

    def test_malformed_values_are_refused(self):
        for name, values in REFUSED.items():
            for value in values:
                with self.subTest(name=name, value=value):
                    self.assertFalse(accepts(name, value))

    def test_hostile_fragments_are_refused_before_within_and_after_a_good_value(self):
        tried = 0
        for name, good in CARRIERS.items():
            self.assertTrue(accepts(name, good), name)
            for fragment in FRAGMENTS:
                middle = len(good) // 2
                for value in (fragment + good, good[:middle] + fragment + good[middle:], good + fragment):
                    tried += 1
                    with self.subTest(name=name, value=value):
                        self.assertFalse(accepts(name, value))
        self.assertGreaterEqual(tried, 40)

    def test_long_hostile_values_are_answered_at_once(self):
        # Nested repetitions would make CloudFormation's matcher run for minutes.
        for name in ACCEPTED:
            spec = PARAMETERS[name]
            for unit in ("a", "a.", "a-", "\\a", " a", "a "):
                re.fullmatch(spec["AllowedPattern"], "\\\\fs\\" + unit * 2000 + "'")


class DocumentSettings(unittest.TestCase):
    def settings(self, given=None):
        resources, _ = resolve(TEMPLATE, given)
        line = resources["MappingDocument"]["Properties"]["Content"]["mainSteps"][0]["inputs"]["runCommand"][0]
        encoded = re.fullmatch(r"\$EncodedSettings = '([A-Za-z0-9+/=]+)'", line)
        self.assertIsNotNone(encoded, line)
        text = base64.b64decode(encoded.group(1)).decode()
        return dict(pair.split("=", 1) for pair in text.splitlines())

    def test_the_settings_are_one_line_that_only_base64_can_stand_in(self):
        settings = self.settings({"RemotePath": r"\\fs\apps$\App State", "DriveLetter": "H"})
        self.assertIn(r"\\fs\apps$\App State", settings.values())
        self.assertIn("H", settings.values())

    def test_the_document_has_no_parameter_but_the_action(self):
        resources, _ = resolve(TEMPLATE)
        content = resources["MappingDocument"]["Properties"]["Content"]
        self.assertEqual(list(content["parameters"]), ["Action"])
        self.assertEqual(content["parameters"]["Action"]["allowedValues"], ["check", "map"])
        # The agent looks for the pattern anywhere in the value; Go's `$` is Python's `\Z`.
        pattern = re.compile(content["parameters"]["Action"]["allowedPattern"].replace("$", r"\Z"))
        for action in ("check", "map"):
            self.assertTrue(pattern.search(action), action)
            for fragment in FRAGMENTS:
                for value in (fragment, fragment + action, action + fragment):
                    self.assertFalse(pattern.search(value), value)
        script = "\n".join(content["mainSteps"][0]["inputs"]["runCommand"])
        for placeholder in re.findall(r"\{\{.*?(?:\}\}|$)", script, re.MULTILINE):
            self.assertEqual(placeholder, "{{ Action }}")


if __name__ == "__main__":
    unittest.main()
