"""`make report` prints what drain-unmapped answers: every field that it reads is one that the function writes."""

import importlib.util
import re
import unittest

from template import ROOT

SOURCE = ROOT / "functions" / "drain-unmapped"

_spec = importlib.util.spec_from_file_location("report", SOURCE / "report.py")
report = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(report)

MAPPED = {
    "cluster": "windows", "instance": "i-0aaaaaaaaaaaaaaa1", "containerInstance": "arn:…/1", "status": "ACTIVE",
    "connected": True, "gate": "mapped", "state": "mapped", "since": "2027-01-05T08:00:00.123Z", "inFlight": False,
    "unreachable": False, "drain": "none", "ownershipUnproven": False, "hold": False, "withoutPrivacy": False,
    "staleCredential": False,
}
UNMAPPED = {
    **MAPPED, "instance": "i-0bbbbbbbbbbbbbbb2", "gate": "shut", "state": "unmapped", "attempts": 3,
    "cause": {"code": "drive-in-use", "class": "host", "meaning": "the letter is taken", "remedy": "free it"},
    "nextTry": "2027-01-05T09:00:00Z", "notDrainedBecause": "budget",
}
ANSWER = {
    "at": "2027-01-05T08:30:00Z", "stack": "smb", "mode": "enforce", "drive": "G:", "remotePath": r"\\fs\share",
    "summary": "1 of 2 connected Windows instances mapped", "password": "proven", "checksWithheld": False,
    "ssmUnwell": False, "breakers": [{"cluster": "windows", "rule": "too-many"}],
    "unreadClusters": [{"cluster": "other", "error": "ecs:ListContainerInstances failed"}],
    "instances": [MAPPED, UNMAPPED], "ghosts": ["arn:…/9"],
}


class Rendering(unittest.TestCase):
    def test_what_is_wrong_is_listed_with_its_remedy_and_the_rest_is_counted(self):
        text = report.render(ANSWER)
        for expected in (
            "1 of 2 connected", "i-0bbbbbbbbbbbbbbb2", "drive-in-use", "2027-01-05T09:00:00Z", "failed 3×",
            "not drained: budget", "free it", "breaker open in windows", "not read: other", "arn:…/9", "1 more are mapped",
        ):
            self.assertIn(expected, text)
        self.assertNotIn("i-0aaaaaaaaaaaaaaa1", text)
        self.assertIn("i-0aaaaaaaaaaaaaaa1", report.render(ANSWER, everything=True))

    def test_whatever_an_operator_should_see_makes_an_instance_remarkable(self):
        for change in (
            {"hold": True}, {"withoutPrivacy": True}, {"staleCredential": True}, {"connected": False}, {"unreachable": True},
            {"drain": "ours"}, {"status": "DRAINING"}, {"ownershipUnproven": True}, {"inFlight": True}, {"gate": "shut"},
        ):
            self.assertIn(MAPPED["instance"], report.render({**ANSWER, "instances": [{**MAPPED, **change}]}), change)

    def test_an_empty_fleet_is_no_error(self):
        self.assertIn("smb", report.render({**ANSWER, "instances": [], "ghosts": [], "breakers": [], "unreadClusters": []}))

    def test_the_function_writes_every_field_that_is_read(self):
        rust = (SOURCE / "src" / "report.rs").read_text(encoding="utf-8")
        fields = set(re.findall(r"^    pub (\w+):", rust, re.MULTILINE))
        camel = {re.sub(r"_(\w)", lambda m: m.group(1).upper(), field) for field in fields}
        python = (SOURCE / "report.py").read_text(encoding="utf-8").split("def render")[1]
        read = set(re.findall(r'(?:report|row|cause|breaker|cluster)(?:\["cause"\])?(?:\.get\(|\[)["\'](\w+)["\']', python))
        self.assertGreater(len(read), 20)
        self.assertEqual(read - camel, set())
        sample = set(ANSWER) | set(UNMAPPED) | set(UNMAPPED["cause"])
        self.assertEqual(sample - camel, set())


if __name__ == "__main__":
    unittest.main()
