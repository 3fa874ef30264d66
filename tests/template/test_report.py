"""`make report` prints what drain-unmapped answers. The sample is made with the function's own type, every field filled."""

import importlib.util
import unittest

from template import ROOT, facts

_spec = importlib.util.spec_from_file_location("report", ROOT / "functions" / "drain-unmapped" / "report.py")
report = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(report)

ANSWER = facts()["report"]
MAPPED, UNMAPPED = ANSWER["instances"]


class Asked(dict):
    """An answer that fails where a field is asked for that the function never writes."""

    def __init__(self, answer, fields):
        super().__init__({key: asked(value, fields.get(key)) for key, value in answer.items()})
        self.fields = fields

    def get(self, key, default=None):
        assert key in self.fields, f"the function writes no field {key}"
        return super().get(key, default)


def asked(value, sample):
    if isinstance(value, dict):
        return Asked(value, sample)
    if isinstance(value, list):
        every = {key: field for one in sample if isinstance(one, dict) for key, field in one.items()}
        return [asked(one, every) for one in value]
    return value


class Rendering(unittest.TestCase):
    def test_what_is_wrong_is_listed_with_its_remedy_and_the_rest_is_counted(self):
        text = report.render(ANSWER)
        for expected in (
            "1 of 2 connected", UNMAPPED["instance"], "drive-in-use", "2027-01-05T09:00:00Z", "failed 3×",
            "not drained: budget", UNMAPPED["cause"]["meaning"], UNMAPPED["cause"]["remedy"], "breaker open in windows",
            "not read: other", "arn:…/9", "1 more are mapped",
        ):
            self.assertIn(expected, text)
        self.assertNotIn(MAPPED["instance"], text)
        self.assertIn(MAPPED["instance"], report.render(ANSWER, everything=True))

    def test_whatever_an_operator_should_see_makes_an_instance_remarkable(self):
        for change in (
            {"hold": True}, {"withoutPrivacy": True}, {"staleCredential": True}, {"connected": False}, {"unreachable": True},
            {"drain": "ours"}, {"status": "DRAINING"}, {"ownershipUnproven": True}, {"inFlight": True}, {"gate": "shut"},
        ):
            self.assertIn(MAPPED["instance"], report.render({**ANSWER, "instances": [{**MAPPED, **change}]}), change)

    def test_an_empty_fleet_is_no_error(self):
        empty = {"instances": [], "staleRegistrations": [], "breakers": [], "unreadClusters": []}
        self.assertIn("smb", report.render({**ANSWER, **empty}))

    def test_every_field_that_is_read_is_one_that_the_function_writes(self):
        self.assertEqual(report.render(asked(ANSWER, ANSWER), everything=True), report.render(ANSWER, everything=True))


if __name__ == "__main__":
    unittest.main()
