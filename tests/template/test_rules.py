"""Which event passes which rule: every file in events/, and the cases that cost money or miss a host if they go wrong."""

import copy
import json
import unittest

from matcher import matches
from template import ROOT, load, resolve

TEMPLATE = load()
EVENTS = ROOT / "events"

CONTAINER_INSTANCE = {"ContainerInstanceRule"}
STATE = {"InstanceStateRule"}
SPOT = {"SpotInterruptionRule"}
TERMINATION = {"TerminationRule"}
REGISTERED = {"RegisterTaskDefinitionRule"}
NONE = set()

# Of each file below events/, the rules whose patterns let it through. What people invoke by hand, what a queue hands over
# and what a schedule sends are no events that a pattern sees: NONE.
EXPECTED = {
    "drain-unmapped/refused-bare-schedule.json": NONE,
    "drain-unmapped/release.json": NONE,
    "drain-unmapped/report-one-cluster.json": NONE,
    "drain-unmapped/report.json": NONE,
    "drain-unmapped/tick-odd-body.json": NONE,
    "drain-unmapped/tick.json": NONE,
    "drain-unmapped/ticks-waiting.json": NONE,
    "map-share/by-hand-one.json": NONE,
    "map-share/by-hand-several.json": NONE,
    "map-share/container-instance-disconnected.json": NONE,
    "map-share/container-instance-draining.json": NONE,
    "map-share/container-instance-external.json": NONE,
    "map-share/container-instance-linux.json": NONE,
    "map-share/container-instance-other-cluster.json": NONE,
    "map-share/container-instance-registered.json": CONTAINER_INSTANCE,
    "map-share/container-instance-registering.json": NONE,
    "map-share/container-instance-task-started.json": CONTAINER_INSTANCE,
    "map-share/event-of-another-kind.json": NONE,
    "map-share/instance-running-before-the-proof.json": STATE,
    "map-share/instance-running-not-ours.json": STATE,
    "map-share/instance-running.json": STATE,
    "map-share/instance-stopped.json": STATE,
    "map-share/instance-stopping.json": STATE,
    "map-share/instance-terminated.json": NONE,
    "map-share/spot-interruption-warning.json": SPOT,
    "map-share/sqs-doubled-and-out-of-order.json": NONE,
    "map-share/sqs-scale-out.json": NONE,
    "map-share/sqs-task-noise.json": NONE,
    "map-share/sqs-unreadable-records.json": NONE,
    "map-share/terminate-lifecycle-action-not-drained.json": TERMINATION,
    "map-share/terminate-lifecycle-action.json": TERMINATION,
    "map-share/terminate-test-notification.json": NONE,
    "map-share/terminate-to-warm-pool.json": TERMINATION,
    "validate-task-definition/by-name.json": NONE,
    "validate-task-definition/cloudformation-resource.json": NONE,
    "validate-task-definition/cluster.json": NONE,
    "validate-task-definition/container-definition.json": NONE,
    "validate-task-definition/described.json": NONE,
    "validate-task-definition/mount-points-at-the-top.json": NONE,
    "validate-task-definition/registered-body-omitted.json": REGISTERED,
    "validate-task-definition/registered-container-path-on-absent-drive.json": REGISTERED,
    "validate-task-definition/registered-denied.json": NONE,
    "validate-task-definition/registered-linux.json": REGISTERED,
    "validate-task-definition/registered-named-volume.json": REGISTERED,
    "validate-task-definition/registered-native-fsx-volume.json": REGISTERED,
    "validate-task-definition/registered-unc-source.json": REGISTERED,
    "validate-task-definition/registered-valid.json": REGISTERED,
    "validate-task-definition/registered-whole-share-without-constraint.json": REGISTERED,
    "validate-task-definition/schedule.json": NONE,
    "validate-task-definition/task-definition.json": NONE,
}

# The same of the events that a batch of such a file holds, by their numbers: verdicts of AWS's own matcher.
IN_BATCHES = {
    "map-share/sqs-doubled-and-out-of-order.json": [CONTAINER_INSTANCE, NONE, CONTAINER_INSTANCE, STATE, STATE],
    "map-share/sqs-scale-out.json": [STATE, STATE, STATE, CONTAINER_INSTANCE, CONTAINER_INSTANCE, CONTAINER_INSTANCE],
    "map-share/sqs-task-noise.json": [CONTAINER_INSTANCE] * 4,
    "drain-unmapped/tick.json": [NONE],
    "drain-unmapped/ticks-waiting.json": [NONE, NONE],
}

CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/windows"

WINDOWS_INSTANCE = {
    "version": "0",
    "source": "aws.ecs",
    "detail-type": "ECS Container Instance State Change",
    "detail": {
        "agentConnected": True,
        "attributes": [
            {"name": "com.amazonaws.ecs.capability.task-iam-role"},
            {"name": "ecs.instance-type", "value": "m6i.large"},
            {"name": "ecs.os-family", "value": "WINDOWS_SERVER_2022_CORE"},
            {"name": "ecs.os-type", "value": "windows"},
        ],
        "clusterArn": CLUSTER,
        "ec2InstanceId": "i-0a1b2c3d4e5f60718",
        "status": "ACTIVE",
    },
}


def rules(clusters):
    resources, _ = resolve(TEMPLATE, {"Clusters": ",".join(clusters)})
    return {
        name: rule["Properties"]["EventPattern"]
        for name, rule in resources.items()
        if rule["Type"] == "AWS::Events::Rule" and "EventPattern" in rule["Properties"]
    }


def passes(event, clusters=(CLUSTER,)):
    return {name for name, pattern in rules(clusters).items() if matches(pattern, event)}


def changed(event, **changes):
    event = copy.deepcopy(event)
    event["detail"].update(changes)
    return event


def watched_clusters():
    """The clusters that the files name, but for those that are meant to be foreign."""
    return [CLUSTER]


class Files(unittest.TestCase):
    def test_every_file_passes_exactly_the_rules_that_it_should(self):
        files = sorted(path.relative_to(EVENTS).as_posix() for path in EVENTS.rglob("*.json"))
        self.assertEqual(sorted(EXPECTED), files, "each file in events/ has an expectation here, and none is left over")
        for name in files:
            event = json.loads((EVENTS / name).read_text(encoding="utf-8"))
            with self.subTest(name=name):
                self.assertEqual(passes(event, watched_clusters()), EXPECTED[name])

    def test_every_event_in_a_batch_passes_exactly_the_rules_that_it_should(self):
        for name, expected in IN_BATCHES.items():
            batch = json.loads((EVENTS / name).read_text(encoding="utf-8"))
            bodies = [json.loads(record["body"]) for record in batch["Records"]]
            clusters = {body["detail"]["clusterArn"] for body in bodies if "clusterArn" in body.get("detail", {})}
            with self.subTest(name=name):
                self.assertEqual([passes(body, sorted(clusters) or [CLUSTER]) for body in bodies], expected)

    def test_every_rule_lets_some_file_through(self):
        self.assertEqual(set().union(*EXPECTED.values()), set(rules([CLUSTER])))


class Cases(unittest.TestCase):
    def test_a_connected_active_windows_instance_of_a_watched_cluster_passes(self):
        self.assertEqual(passes(WINDOWS_INSTANCE), CONTAINER_INSTANCE)
        self.assertEqual(passes(WINDOWS_INSTANCE, [CLUSTER + "-2", CLUSTER]), CONTAINER_INSTANCE)

    def test_all_other_container_instance_events_are_held_back(self):
        linux = [{"name": "ecs.os-type", "value": "linux"}]
        # `windows` under another name: both must be of one attribute.
        crossed = [{"name": "ecs.os-type", "value": "linux"}, {"name": "team", "value": "windows"}]
        for change in (
            {"agentConnected": False},
            {"status": "DRAINING"},
            {"status": "REGISTERING"},
            {"clusterArn": CLUSTER + "-2"},
            {"attributes": linux},
            {"attributes": crossed},
            {"attributes": []},
            {"ec2InstanceId": "mi-0a1b2c3d4e5f60718"},
            {"ec2InstanceId": None},
        ):
            with self.subTest(change):
                self.assertEqual(passes(changed(WINDOWS_INSTANCE, **change)), NONE)

    def test_of_ec2_states_only_those_pass_that_are_acted_on(self):
        for state, expected in (
            ("pending", NONE), ("running", STATE), ("stopping", STATE), ("stopped", STATE), ("shutting-down", NONE),
            ("terminated", NONE),
        ):
            event = {
                "source": "aws.ec2",
                "detail-type": "EC2 Instance State-change Notification",
                "detail": {"instance-id": "i-0a1b2c3d4e5f60718", "state": state},
            }
            self.assertEqual(passes(event), expected, state)

    def test_a_refused_registration_does_not_pass(self):
        event = {
            "source": "aws.ecs",
            "detail-type": "AWS API Call via CloudTrail",
            "detail": {"eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition"},
        }
        self.assertEqual(passes(event), REGISTERED)
        self.assertEqual(passes(changed(event, errorCode="AccessDenied")), NONE)
        self.assertEqual(passes(changed(event, eventName="DeregisterTaskDefinition")), NONE)

    def test_custom_events_that_only_look_like_ours_do_not_pass(self):
        self.assertEqual(passes({**WINDOWS_INSTANCE, "source": "my.app"}), NONE)


class Targets(unittest.TestCase):
    def resources(self, **given):
        return resolve(TEMPLATE, given)[0]

    def test_false_switches_every_rule_off(self):
        for enabled, state in (("true", "ENABLED"), ("false", "DISABLED")):
            states = {r["Properties"]["State"] for r in self.resources(Enabled=enabled).values() if r["Type"] == "AWS::Events::Rule"}
            self.assertEqual(states, {state})

    def test_every_target_puts_aside_what_it_cannot_deliver(self):
        for name, rule in self.resources().items():
            if rule["Type"] == "AWS::Events::Rule":
                for target in rule["Properties"]["Targets"]:
                    self.assertIn("RuleDeadLetters", target["DeadLetterConfig"]["Arn"], name)

    def test_a_tick_has_no_constant_input_and_one_message_group(self):
        (target,) = self.resources()["ReconcileRule"]["Properties"]["Targets"]
        self.assertFalse({"Input", "InputPath", "InputTransformer"} & set(target))
        self.assertIn("MessageGroupId", target["SqsParameters"])
        queue = self.resources()["ReconcileQueue"]["Properties"]
        self.assertTrue(queue["FifoQueue"] and queue["ContentBasedDeduplication"])
        self.assertNotIn("RedrivePolicy", queue)

    def test_queues_outlast_their_functions(self):
        resources = self.resources()
        for function, queue, factor in (("MapShareFunction", "InstanceEventQueue", 6), ("DrainUnmappedFunction", "ReconcileQueue", 1)):
            timeout = resources[function]["Properties"]["Timeout"]
            visibility = resources[queue]["Properties"]["VisibilityTimeout"]
            (source,) = resources[function]["Properties"]["Events"].values()
            window = source["Properties"].get("MaximumBatchingWindowInSeconds", 0)
            self.assertGreaterEqual(visibility, factor * timeout + window, queue)
            self.assertEqual(source["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"])
            self.assertEqual(source["Properties"]["ScalingConfig"], {"MaximumConcurrency": 2})
        self.assertLess(resources["ReconcileQueue"]["Properties"]["VisibilityTimeout"],
                        resources["ReconcileQueue"]["Properties"]["MessageRetentionPeriod"])

    def test_nothing_that_is_invoked_directly_is_retried(self):
        for name, resource in self.resources().items():
            if resource["Type"] == "AWS::Serverless::Function":
                self.assertEqual(resource["Properties"]["EventInvokeConfig"]["MaximumRetryAttempts"], 0, name)
                self.assertNotIn("ReservedConcurrentExecutions", resource["Properties"], name)

    def test_queues_are_encrypted(self):
        for name, resource in self.resources().items():
            if resource["Type"] == "AWS::SQS::Queue":
                self.assertIs(resource["Properties"]["SqsManagedSseEnabled"], True, name)


if __name__ == "__main__":
    unittest.main()
