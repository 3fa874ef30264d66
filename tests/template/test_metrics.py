"""Alarms and dashboard look at metrics that the functions emit, under the dimensions that they emit them with; and what is
emitted is looked at.

Every function has one table of its metrics, from which it emits them. Some are also emitted for each cluster, for looking at
one cluster alone; no alarm stands on those.
"""

import json
import unittest

from template import facts, load, resolve

TEMPLATE = load()

MISSING_DATA = {
    # Measured by every reconcile run: without one, the alarm on runs fires, and these keep their state.
    "ignore": {
        "OldestUnmappedMinutes", "BreakerOpen", "CredentialsRefused", "SsmUnwell", "OwnershipUnproven", "Unreachable",
        "ChecksWithheld", "DrainedByUs", "MappedWithoutPrivacy", "OtherStack", "RefusedAlone", "StaleCredentials",
    },
    # Silence is the fault.
    "breaching": {"ReconcileRuns"},
    # All others happen, or do not.
    "notBreaching": None,
}


def emitted():
    """Metric names by function."""
    return {function: {metric["name"] for metric in metrics} for function, metrics in facts()["metrics"].items()}


def alarms():
    resources, _ = resolve(TEMPLATE)
    return {n: r["Properties"] for n, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def dashboard():
    resources, _ = resolve(TEMPLATE)
    return json.loads(resources["Dashboard"]["Properties"]["DashboardBody"])


def plotted():
    """(namespace, metric, dimensions) of every line of the dashboard, its `.` filled in."""
    for widget in dashboard()["widgets"]:
        above = []
        for line in widget["properties"].get("metrics", []):
            line = [part for part in line if not isinstance(part, dict)]
            above = [above[index] if part == "." else part for index, part in enumerate(line)]
            namespace, metric, *dimensions = above
            yield namespace, metric, dict(zip(dimensions[::2], dimensions[1::2]))


class Metrics(unittest.TestCase):
    def test_what_is_alarmed_or_plotted_is_emitted(self):
        known = set().union(*emitted().values())
        stack = {"Stack": "smb-test"}
        for name, alarm in alarms().items():
            if alarm["Namespace"].startswith("AWS/"):
                continue
            self.assertEqual(alarm["Namespace"], "EcsSmbMapper", name)
            self.assertIn(alarm["MetricName"], known, name)
            self.assertEqual({d["Name"]: d["Value"] for d in alarm["Dimensions"]}, stack, name)
        for namespace, metric, dimensions in plotted():
            if not namespace.startswith("AWS/"):
                self.assertEqual((namespace, dimensions), ("EcsSmbMapper", stack), metric)
                self.assertIn(metric, known)

    def test_what_is_emitted_is_plotted_or_alarmed(self):
        shown = {metric for namespace, metric, _ in plotted() if namespace == "EcsSmbMapper"}
        shown |= {alarm["MetricName"] for alarm in alarms().values()}
        for function, names in emitted().items():
            self.assertTrue(names, function)
            self.assertEqual(names - shown, set(), function)

    def test_alarms_stand_on_the_whole_stack(self):
        alarmed = {d["Name"] for alarm in alarms().values() if not alarm["Namespace"].startswith("AWS/") for d in alarm["Dimensions"]}
        self.assertEqual((facts()["dimensions"], alarmed), (["Stack", "Cluster"], {"Stack"}))

    def test_missing_data_is_chosen_one_by_one(self):
        for name, alarm in alarms().items():
            treatment = alarm["TreatMissingData"]
            chosen = next((t for t, metrics in MISSING_DATA.items() if metrics and alarm["MetricName"] in metrics), "notBreaching")
            expected = "notBreaching" if alarm["Namespace"].startswith("AWS/") else chosen
            self.assertEqual(treatment, expected, name)

    def test_names_tell_the_tier_and_actions_follow_it(self):
        tiers = {"page": "arn:aws:sns:eu-west-1:111122223333:PageTopic", "ticket": "arn:aws:sns:eu-west-1:111122223333:TicketTopic"}
        seen = set()
        for name, alarm in alarms().items():
            tier = alarm["AlarmName"].removeprefix("smb-test-").split("-")[0]
            seen.add(tier)
            self.assertEqual(alarm["AlarmActions"], [tiers[tier]], name)
            self.assertEqual(alarm["OKActions"], [tiers[tier]], name)
        self.assertEqual(seen, set(tiers))
        self.assertEqual(len({a["AlarmName"] for a in alarms().values()}), len(alarms()))

    def test_a_stack_that_is_switched_off_is_not_paged_for_its_silence(self):
        for enabled, expected in (("true", True), ("false", False)):
            resources, _ = resolve(TEMPLATE, {"Enabled": enabled})
            self.assertIs(resources["NoReconcileRunAlarm"]["Properties"]["ActionsEnabled"], expected)

    def test_the_dashboard_shows_every_alarm_and_overlaps_nowhere(self):
        widgets = dashboard()["widgets"]
        shown = next(w["properties"]["alarms"] for w in widgets if w["type"] == "alarm")
        self.assertEqual({arn.rsplit(":", 1)[1] for arn in shown}, set(alarms()))
        cells = [(x, y) for w in widgets for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertTrue(all(x < 24 for x, _ in cells))

    def test_topics_are_encrypted_with_a_customer_key_or_not_at_all(self):
        key = "arn:aws:kms:eu-west-1:111122223333:key/x"
        for given, expected in (({}, None), ({"AlarmTopicKmsKeyArn": key}, key)):
            resources, _ = resolve(TEMPLATE, given)
            for topic in ("PageTopic", "TicketTopic"):
                self.assertEqual(resources[topic]["Properties"].get("KmsMasterKeyId"), expected)

    def test_both_tiers_reach_the_address(self):
        resources, _ = resolve(TEMPLATE, {"AlarmEmail": "ops@example.com"})
        endpoints = [r["Properties"]["Endpoint"] for r in resources.values() if r["Type"] == "AWS::SNS::Subscription"]
        self.assertEqual(endpoints, ["ops@example.com"] * 2)
        self.assertFalse([r for r in resolve(TEMPLATE)[0].values() if r["Type"] == "AWS::SNS::Subscription"])


if __name__ == "__main__":
    unittest.main()
