"""Checks the local AWS against AWS's own service models: every operation, every response, every refusal."""

import copy
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

import drive
from walk import ALWAYS, walk

# Error codes that the services return although their models do not list them. Neither service models ThrottlingException; both
# document it.
UNMODELLED = {
    "ssm": {"ThrottlingException", "ValidationException", "SerializationException", "AccessDeniedException"},
    "ecs": {"ThrottlingException", "SerializationException"},
}


def code_of(body):
    return body["__type"].rsplit("#")[-1]


def setUpModule():
    global AWS
    AWS = drive.LocalAws()
    unittest.addModuleCleanup(AWS.stop)
    drive.drive(AWS)


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.aws = AWS
        cls.good = [(s, op, body) for s, op, status, body in cls.aws.responses if status == 200]
        cls.bad = [(s, op, body) for s, op, status, body in cls.aws.responses if status != 200]

    def shape(self, service, operation):
        return self.aws.clients[service].meta.service_model.operation_model(operation).output_shape

    def test_every_operation_succeeded_once(self):
        known = {target.rsplit(".")[-1] for target in self.aws.control("operations")["operations"]}
        self.assertEqual(known, {operation for _, operation, _ in self.good})

    def test_every_response_matches_its_model(self):
        met = set()
        for service, operation, body in self.good:
            with self.subTest(operation=operation):
                self.assertEqual(walk(self.shape(service, operation), body, met=met), [])
        # The walk checks only what it meets, so every structure of ALWAYS must be in some response.
        self.assertEqual(set(ALWAYS), met)

    def test_every_refusal_has_a_code_that_the_operation_models(self):
        for service, operation, body in self.bad:
            code = code_of(body)
            with self.subTest(operation=operation, code=code):
                model = self.aws.clients[service].meta.service_model.operation_model(operation)
                modelled = {shape.name: shape for shape in model.error_shapes}
                if code in modelled:
                    unknown = set(body) - {"__type"} - set(modelled[code].members)
                    self.assertEqual(unknown, set(), "members that the error's shape does not have")
                else:
                    self.assertIn(code, UNMODELLED[service])

    def test_every_refusal_has_the_expected_code(self):
        refused = [(s, op, code_of(body)) for s, op, body in self.bad[: len(drive.REFUSED)]]
        self.assertEqual(refused, [(s, op, code) for s, op, _, code in drive.REFUSED])
        rest = [(op, code_of(body)) for _, op, body in self.bad[len(drive.REFUSED) :]]
        self.assertEqual(
            rest,
            [
                ("PutAttributes", "AttributeLimitExceededException"),
                *(("ListCommands", c) for c in ("ThrottlingException", "InternalServerError", "InternalServerError", "AccessDeniedException")),
                *(("ListServices", c) for c in ("ThrottlingException", "ServerException", "ServerException", "AccessDeniedException")),
            ],
        )


class Walk(unittest.TestCase):
    """Spoils the same responses in one place at a time. The walk must find each spoilt place."""

    @classmethod
    def setUpClass(cls):
        cls.aws = AWS
        cls.longest = {}
        for service, operation, status, body in cls.aws.responses:
            # The longest response of an operation has the most members.
            if status == 200 and len(str(body)) > len(str(cls.longest.get(operation, (None, ""))[1])):
                cls.longest[operation] = (service, body)

    def spoil(self, kind, spoilers):
        spoilt = 0
        for operation, (service, body) in self.longest.items():
            shape = self.aws.clients[service].meta.service_model.operation_model(operation).output_shape
            for spoil in spoilers(shape, body):
                changed = copy.deepcopy(body)
                where = spoil(changed)
                spoilt += 1
                self.assertNotEqual(walk(shape, changed), [], f"{kind} {where} of {operation} was not found")
        return spoilt

    def test_an_extra_member_is_found_in_every_structure(self):
        def spoilers(shape, body):
            for keys, _, _ in structures(shape, body):

                def add(changed, keys=keys):
                    at(changed, keys)["surprise"] = "!"
                    return f"{keys} surprise"

                yield add

        self.assertGreater(self.spoil("extra member", spoilers), 100)

    def test_a_missing_member_is_found_in_every_structure(self):
        def spoilers(shape, body):
            for keys, name, _ in structures(shape, body):
                for member in ALWAYS[name].split():

                    def remove(changed, keys=keys, member=member):
                        del at(changed, keys)[member]
                        return f"{keys} {member}"

                    yield remove

        self.assertGreater(self.spoil("missing member", spoilers), 300)

    def test_a_mistyped_member_is_found_in_every_structure(self):
        def spoilers(shape, body):
            for keys, _, value in structures(shape, body):
                for member in value:

                    def mistype(changed, keys=keys, member=member):
                        holder = at(changed, keys)
                        holder[member] = 1 if isinstance(holder[member], (str, bool, list, dict)) else str(holder[member])
                        return f"{keys} {member}"

                    yield mistype

        self.assertGreater(self.spoil("mistyped member", spoilers), 500)


def structures(shape, value, keys=()):
    """Yields every structure of a response: the keys that lead to it, the name of its shape, and its value."""
    if shape.type_name == "structure":
        yield keys, shape.name, value
        for name, member in value.items():
            yield from structures(shape.members[name], member, (*keys, name))
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from structures(shape.member, item, (*keys, index))


def at(value, keys):
    for key in keys:
        value = value[key]
    return value


class CommandLine(unittest.TestCase):
    """The AWS CLI works against the local AWS as its README shows."""

    @classmethod
    def setUpClass(cls):
        cls.aws = drive.LocalAws()
        cls.addClassCleanup(cls.aws.stop)

    def run_aws(self, *words):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "cli",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [Path(sys.executable).with_name("aws"), *words, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_the_calls_of_an_operator(self):
        host = "i-0f1ee700000000001"
        named = f"ec2InstanceId == {host}"
        listed = self.run_aws("ecs", "list-container-instances", "--cluster", drive.CLUSTER, "--filter", named)
        [arn] = listed["containerInstanceArns"]
        send = ("ssm", "send-command", "--document-name", drive.DOCUMENT, "--parameters", "Action=map", "--instance-ids", host)
        command = self.run_aws(*send)["Command"]["CommandId"]
        self.aws.control("advance", {"seconds": 60})
        [done] = self.run_aws("ssm", "list-command-invocations", "--command-id", command, "--details")["CommandInvocations"]
        self.assertIn('"smbMapping":"mapped"', done["CommandPlugins"][0]["Output"])
        gate = f"name=smb.G,value=mapped,targetType=container-instance,targetId={arn}"
        self.run_aws("ecs", "put-attributes", "--cluster", drive.CLUSTER, "--attributes", gate)
        listing = ("ecs", "list-attributes", "--cluster", drive.CLUSTER, "--target-type", "container-instance", "--attribute-name", "smb.G")
        self.assertEqual(self.run_aws(*listing)["attributes"][0]["value"], "mapped")
        run = self.run_aws("ecs", "run-task", "--cluster", drive.CLUSTER, "--task-definition", "legacy-app")
        self.assertEqual(run["tasks"][0]["containerInstanceArn"], arn)
        callers = {call["caller"] for call in self.aws.control("calls")["calls"]}
        self.assertEqual(callers, {"cli"})


if __name__ == "__main__":
    unittest.main()
