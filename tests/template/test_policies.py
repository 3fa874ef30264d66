"""What roles, queues and topics allow: parliament knows every AWS action with its resource types and conditions.

test_calls.py compares roles with the calls that the functions make.
"""

import itertools
import json
import re
import unittest

import parliament
from parliament.statement import iam_definition

from template import TEMPLATE as PATH
from template import load, resolve

TEMPLATE = load()

KEY = {"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
TAG = {"InstanceTagValue": "windows"}
HIERARCHICAL = {"UserNameParameterName": "/ecs/smb/user", "PasswordParameterName": "/ecs/smb/password"}

# parliament's findings that are let pass: (issue, detail that it must contain) -> why.
SUPPRESSED = {
    # The action needs a document and an instance. They stand in two statements, so that a condition on the instance's tag
    # does not apply to the document; parliament looks at one statement at a time and misses the document in the second.
    ("RESOURCE_MISMATCH", "ssm:SendCommand"): "the document is allowed by the statement before",
}


def identity_policies(resources):
    """(name, document) of every policy that says what a role may do."""
    for name, resource in resources.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, properties["PolicyDocument"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties["Policies"]:
                yield name, policy["PolicyDocument"]


def statements(document):
    for statement in document["Statement"]:
        actions = statement["Action"]
        yield {**statement, "Action": [actions] if isinstance(actions, str) else actions}


def resource_types(action):
    """The resource types that a permission for this action can name; empty: `*` only."""
    service, privilege = action.split(":")
    for known in iam_definition:
        if known["prefix"] == service:
            for candidate in known["privileges"]:
                if candidate["privilege"] == privilege:
                    return [kind["resource_type"] for kind in candidate["resource_types"] if kind["resource_type"]]
    raise KeyError(action)


class Policies(unittest.TestCase):
    def variants(self):
        for chosen in itertools.product([{}, KEY], [{}, TAG], [{}, HIERARCHICAL]):
            given = {name: value for part in chosen for name, value in part.items()}
            yield given, resolve(TEMPLATE, given)[0]

    def test_parliament_finds_nothing(self):
        for given, resources in self.variants():
            for name, document in identity_policies(resources):
                policy = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True)
                for finding in policy.findings:
                    if any(finding.issue == issue and part in str(finding.detail) for issue, part in SUPPRESSED):
                        continue
                    self.fail(f"{name} with {given}: {finding}")

    def test_parliament_would_find_something(self):
        wrong = {
            "unknown action": {"Action": "ecs:PutAttribute", "Resource": "*"},
            "wrong resource": {"Action": "ecs:PutAttributes", "Resource": "arn:aws:s3:::bucket"},
            "unknown condition": {
                "Action": "ecs:ListContainerInstances",
                "Resource": "arn:aws:ecs:eu-west-1:111122223333:cluster/x",
                "Condition": {"ArnEquals": {"ecs:clusterArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/x"}},
            },
        }
        for what, statement in wrong.items():
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
            self.assertTrue(parliament.analyze_policy_string(json.dumps(document)).findings, what)

    def test_a_star_stands_only_where_the_service_has_no_resource_level_permission(self):
        _, resources = next(self.variants())
        seen = 0
        for name, document in identity_policies(resources):
            for statement in statements(document):
                if statement["Resource"] != "*":
                    continue
                for action in statement["Action"]:
                    seen += 1
                    self.assertEqual(resource_types(action), [], f"{name}: {action}")
        self.assertGreater(seen, 0)

    def test_no_action_is_a_wildcard(self):
        for _, resources in self.variants():
            for name, document in identity_policies(resources):
                for statement in statements(document):
                    self.assertFalse([a for a in statement["Action"] if "*" in a], name)

    def test_no_function_can_read_a_parameter_or_use_a_key(self):
        for _, resources in self.variants():
            for name, document in identity_policies(resources):
                if name == "InstancePolicy":
                    continue
                for statement in statements(document):
                    for action in statement["Action"]:
                        self.assertNotRegex(action, r"^(kms:|secretsmanager:|ssm:Get)", name)

    def test_instances_may_read_exactly_the_two_parameters(self):
        for given, names in (({}, ["domainUserName", "domainUserPassword"]), (HIERARCHICAL, ["ecs/smb/user", "ecs/smb/password"])):
            resources, _ = resolve(TEMPLATE, {**given, **KEY})
            read, decrypt = statements(resources["InstancePolicy"]["Properties"]["PolicyDocument"])
            expected = [f"arn:aws:ssm:eu-west-1:111122223333:parameter/{name}" for name in names]
            self.assertEqual((read["Action"], read["Resource"]), (["ssm:GetParameters"], expected))
            self.assertEqual((decrypt["Action"], decrypt["Resource"]), (["kms:Decrypt"], KEY["KmsKeyArn"]))
            self.assertEqual(
                decrypt["Condition"]["StringEquals"],
                {"kms:ViaService": "ssm.eu-west-1.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": expected},
            )
        resources, _ = resolve(TEMPLATE)
        self.assertEqual(len(resources["InstancePolicy"]["Properties"]["PolicyDocument"]["Statement"]), 1)

    def test_commands_go_to_the_one_document_and_if_wanted_to_tagged_instances_only(self):
        document_arn = "arn:aws:ssm:eu-west-1:111122223333:document/smb-map-smb-test"
        instances = "arn:aws:ec2:eu-west-1:111122223333:instance/*"
        for given, condition in (({}, None), (TAG, {"StringEquals": {"ssm:resourceTag/ecs-smb-mapper": "windows"}})):
            resources, _ = resolve(TEMPLATE, given)
            for role in ("MapShareRole", "DrainUnmappedRole"):
                document = resources[role]["Properties"]["Policies"][0]["PolicyDocument"]
                sends = [s for s in statements(document) if "ssm:SendCommand" in s["Action"]]
                self.assertEqual([s["Resource"] for s in sends], [document_arn, instances])
                self.assertEqual([s.get("Condition") for s in sends], [None, condition])

    def test_all_that_names_ecs_resources_is_kept_to_the_watched_clusters(self):
        clusters = ["arn:aws:ecs:eu-west-1:111122223333:cluster/a", "arn:aws:ecs:eu-west-1:111122223333:cluster/b"]
        resources, _ = resolve(TEMPLATE, {"Clusters": ",".join(clusters)})
        for name, document in identity_policies(resources):
            for statement in statements(document):
                for action in statement["Action"]:
                    if not action.startswith("ecs:") or action == "ecs:DescribeTaskDefinition":
                        continue
                    condition = statement.get("Condition", {}).get("ArnEquals", {}).get("ecs:cluster")
                    self.assertIn(clusters, (condition, statement["Resource"]), f"{name}: {action}")

    def test_every_partition_gets_its_own_names(self):
        for partition, region, suffix in (
            ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
            ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ):
            cluster = f"arn:{partition}:ecs:{region}:111122223333:cluster/x"
            key = f"arn:{partition}:kms:{region}:111122223333:key/x"
            pseudo = {"AWS::Partition": partition, "AWS::Region": region, "AWS::URLSuffix": suffix}
            resources, outputs = resolve(TEMPLATE, {"Clusters": cluster, "KmsKeyArn": key}, pseudo)
            text = json.dumps([resources, outputs])
            self.assertEqual(set(re.findall(r"arn:(aws[a-z-]*):", text)), {partition})
            self.assertNotIn("eu-west-1", text)
            self.assertIn(f"ssm.{region}.{suffix}", text)

    def test_queue_and_topic_policies_allow_ours_alone_and_only_over_tls(self):
        resources, _ = resolve(TEMPLATE)
        covered = set()
        for name, resource in resources.items():
            if resource["Type"] not in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
                continue
            properties = resource["Properties"]
            covered.update(properties.get("Queues", properties.get("Topics")))
            *allowed, deny = properties["PolicyDocument"]["Statement"]
            self.assertEqual((deny["Effect"], deny["Principal"]), ("Deny", "*"), name)
            self.assertEqual(deny["Condition"], {"Bool": {"aws:SecureTransport": "false"}}, name)
            for statement in allowed:
                self.assertEqual(list(statement["Principal"]), ["Service"], name)
                self.assertRegex(json.dumps(statement["Condition"]), "aws:Source(Arn|Account)", name)
        wanted = {n if r["Type"] == "AWS::SQS::Queue" else f"arn:aws:sns:eu-west-1:111122223333:{n}"
                  for n, r in resources.items() if r["Type"] in ("AWS::SQS::Queue", "AWS::SNS::Topic")}
        self.assertEqual(covered, wanted)

    def test_a_queues_senders_are_the_rules_that_target_it(self):
        resources, _ = resolve(TEMPLATE)
        senders = {}
        for name, rule in resources.items():
            if rule["Type"] == "AWS::Events::Rule":
                for target in rule["Properties"]["Targets"]:
                    arn = f"arn:aws:events:eu-west-1:111122223333:rule/{name}"
                    senders.setdefault(target["Arn"], set()).add(arn)
                    senders.setdefault(target["DeadLetterConfig"]["Arn"], set()).add(arn)
        for name, resource in resources.items():
            if resource["Type"] == "AWS::SQS::QueuePolicy":
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if statement["Effect"] == "Allow":
                        sources = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
                        sources = {sources} if isinstance(sources, str) else set(sources)
                        self.assertEqual(sources, senders[statement["Resource"]], name)

    def test_every_statement_has_a_comment_that_says_why(self):
        lines = PATH.read_text(encoding="utf-8").splitlines()
        checked = 0
        for number, line in enumerate(lines):
            if not re.match(r"\s+- (Sid: |!If$)", line):
                continue
            above = lines[number - 1].strip()
            if re.match(r"- Has\w+$", above) or "- !Ref AWS::NoValue" in line or lines[number - 1].strip().startswith("Condition"):
                continue  # a branch of an `!If`, which has the comment
            if re.match(r"\s+- Sid: SendToInstances$", line):
                continue  # the other branch
            checked += 1
            self.assertTrue(above.startswith("#"), f"line {number + 1}: {line.strip()}")
        self.assertGreater(checked, 20)


if __name__ == "__main__":
    unittest.main()
