"""The packaged functions, deployed and run: `make e2e`.

ministack, an emulator, makes the stack of dist/template.yaml and runs the real binaries from its queues; their calls to SSM and ECS
go to the local AWS (`serve-aws`) through AWS_ENDPOINT_URL_SSM and AWS_ENDPOINT_URL_ECS. What the emulator cannot do is done here, in
AWS's place, and said: each such step prints a line that begins with "in AWS's place".

It does not check permissions: the emulator asks for none. The tests beside this file do.
"""

import contextlib
import json
import re
import sys
import time
import zipfile

import template as template_file
from stage import ACCOUNT, CLUSTER, DIST, FUNCTIONS, REGION, ROOT, Checks, Deployment, Emulator, LocalAws, check, say, until
from test_rules import EVENTS, EXPECTED, rules, watched_clusters


def main():
    with contextlib.ExitStack() as stack:
        aws = LocalAws(stack)
        emulator = Emulator(stack)
        deployment = Deployment(emulator, aws)
        deployment.deploy()
        check_packages()
        check_patterns(emulator)
        first_instance_is_mapped_by_reconcile_runs(aws)
        new_instance_is_mapped(emulator, deployment, aws)
        report_by_hand(deployment)
        invalid_task_definition_raises_its_alarm(deployment)
        poison_message_ends_in_the_dead_letter_queue(emulator, deployment, aws)
        reconcile_runs_keep_their_alarm_quiet(deployment)
    say("all as expected")
    print(f"e2e: {Checks.passed} passed, 0 failed")


def check_packages():
    """The linker left exactly the operations in a binary that its role allows."""
    resources, _ = template_file.resolve(template_file.load())
    for function, name in FUNCTIONS.items():
        binary = zipfile.ZipFile(DIST / f"{function}.zip").read("bootstrap")
        found = {
            f"{service.decode()}:{operation.decode()}"
            for service, operation in re.findall(rb"com\.amazonaws\.(ssm|ecs)\.synthetic#([A-Za-z]+?)Input", binary)
        }
        allowed = set()
        role = resources[name.replace("Function", "Role")]["Properties"]
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            allowed.update([actions] if isinstance(actions, str) else actions)
        allowed = {action for action in allowed if action.startswith(("ssm:", "ecs:"))}
        check(found == allowed, f"{function}: its binary has the {len(allowed)} operations that its role allows, no more, no less")


def check_patterns(emulator):
    """The emulator's EventBridge agrees with our reading of the patterns, for every file of events/ that is an event."""
    asked = 0
    for name, expected in EXPECTED.items():
        event = json.loads((EVENTS / name).read_text(encoding="utf-8"))
        if not isinstance(event, dict) or "detail-type" not in event:
            continue
        # The API wants every member of an envelope; some files lack one, as what arrives sometimes does.
        envelope = {"id": "1", "account": ACCOUNT, "time": "2027-01-05T08:00:00Z", "region": REGION, "resources": [], **event}
        for rule, pattern in rules(watched_clusters()).items():
            answer = emulator.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(envelope))
            if answer["Result"] != (rule in expected):
                sys.exit(f"e2e: FAILED: {name}: {rule} gives {answer['Result']}")
            asked += 1
    check(asked > 0, f"the emulator's EventBridge gives the expected answer to {asked} pairs of event and pattern")


def physical_rule(deployment, name):
    return deployment.resources[name].rsplit("/", 1)[-1].split("|")[-1]


def first_instance_is_mapped_by_reconcile_runs(aws):
    say("waiting for a tick of the deployed schedule, through the FIFO queue")
    until(f"{aws.first}, which was there before, is mapped by a reconcile run and its gate is open", 300,
          lambda: aws.attributes(aws.first).get("smb.G") == "mapped")


def new_instance_is_mapped(emulator, deployment, aws):
    """By map-share, if its event arrives within a minute after the first instance was let in; else by a reconcile run."""
    (instance,) = aws.control("POST", "hosts", {"cluster": CLUSTER})["instanceIds"]
    say(f"{instance} starts")
    delivered = []

    def deliver():
        for event in aws.control("GET", "events")["events"]:
            delivered.extend(deliver_event(emulator, deployment, event))
        return aws.attributes(instance).get("smb.G") == "mapped"

    until(f"a message is on the deployed queue, and {instance} ends mapped with an open gate", 150, deliver)
    check("ContainerInstanceRule" in delivered, f"its event passed the rule ({', '.join(sorted(set(delivered)))})")
    handled = [value for _, _, name, value in deployment.metrics("map-share") if name == "EventsContainerInstance"]
    check(sum(handled) >= 1, "map-share says that it handled the event")
    state = aws.attributes(instance)["smb.G.state"]
    check(state.startswith("mapped "), f"the state is written: {state}")
    answer = deployment.invoke("map-share", {"instanceIds": [instance]})
    check(answer["sent"] != [], f"map-share sends a command by hand: {answer}")


def deliver_event(emulator, deployment, event):
    """The emulator refuses `aws.*` sources, as AWS does: rules are asked one by one, and the queue gets what passes."""
    passed = []
    for rule in ("ContainerInstanceRule", "InstanceStateRule", "SpotInterruptionRule", "TerminationRule"):
        pattern = emulator.client("events").describe_rule(Name=physical_rule(deployment, rule))["EventPattern"]
        if emulator.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]:
            emulator.client("sqs").send_message(QueueUrl=deployment.outputs["InstanceEventQueueUrl"], MessageBody=json.dumps(event))
            say(f"in AWS's place: {event['detail-type']} passes {rule} and is put on its queue")
            passed.append(rule)
    return passed


def report_by_hand(deployment):
    sys.path.insert(0, str(ROOT / "functions" / "drain-unmapped"))
    import report

    answer = deployment.invoke("drain-unmapped", {"report": True})
    states = {row["instance"]: (row["state"], row.get("cause", {}).get("code")) for row in answer["instances"]}
    check(len(states) == 3, "the report has the three Windows instances and not the Linux one")
    check(states[LocalAws.broken] == ("unmapped", "drive-in-use"), "the one with a disk on the letter has that cause")
    print(report.render(answer, everything=True))


def invalid_task_definition_raises_its_alarm(deployment):
    check(deployment.alarm("ticket-invalid-task-definition") != "ALARM", "the alarm on task definitions is quiet")
    event = "validate-task-definition/registered-unc-source.json"
    report = deployment.invoke("validate-task-definition", json.loads((EVENTS / event).read_text(encoding="utf-8")))
    check(report["valid"] is False, f"{event} is found invalid: {[f['rule'] for f in report['findings']]}")
    until("it is logged as a metric", 30, lambda: [
        value for _, _, name, value in deployment.metrics("validate-task-definition")
        if name == "TaskDefinitionsInvalidRegistered" and value >= 1])
    deployment.put_metrics("validate-task-definition", {"TaskDefinitionsInvalidRegistered"})
    until("that metric raises its alarm", 60, lambda: deployment.alarm("ticket-invalid-task-definition") == "ALARM")


def poison_message_ends_in_the_dead_letter_queue(emulator, deployment, aws):
    sqs = emulator.client("sqs")
    for operation in ("ListContainerInstances", "DescribeContainerInstances"):
        aws.control("POST", "faults", {"fault": "throttle", "operation": operation, "times": 1_000_000})
    poison = {
        "version": "0", "id": "00000000-0000-4000-8000-000000000001", "source": "aws.ec2", "account": ACCOUNT, "region": REGION,
        "detail-type": "EC2 Instance State-change Notification", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "resources": [], "detail": {"instance-id": aws.first, "state": "stopping"},
    }
    sqs.send_message(QueueUrl=deployment.outputs["InstanceEventQueueUrl"], MessageBody=json.dumps(poison))
    say("a message whose AWS calls are all throttled is on the queue")
    received = until("after its five tries it is in the dead-letter queue", 240, lambda: sqs.receive_message(
        QueueUrl=deployment.outputs["InstanceEventDeadLettersUrl"], WaitTimeSeconds=1).get("Messages"))
    check([json.loads(message["Body"]) for message in received] == [poison], "that message and no other")
    aws.control("DELETE", "faults")


def reconcile_runs_keep_their_alarm_quiet(deployment):
    check(deployment.alarm("page-no-reconcile-run") != "OK", "without a metric the alarm on missing runs is not OK")
    deployment.put_metrics("drain-unmapped", {"ReconcileRuns", "Mapped", "OldestUnmappedMinutes"})
    until("the alarm on missing runs is OK once runs ended", 60, lambda: deployment.alarm("page-no-reconcile-run") == "OK")


if __name__ == "__main__":
    main()
