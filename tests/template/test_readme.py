"""What the README says is what template.yaml, the sources and the Makefile say."""

import json
import re
import shlex
import unittest

import botocore.session
from botocore import xform_name

from template import ROOT, facts, load, resolve
from test_calls import ROLES, allowed
from test_metrics import emitted

README = (ROOT / "README.md").read_text(encoding="utf-8")
TEMPLATE = load()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/causes.md"]

# Options that the AWS CLI itself has; all others are members of a call's input.
GLOBAL_OPTIONS = {"query", "output", "cli-binary-format", "cli-input-json", "max-items", "region", "profile", "endpoint-url"}


def table(marker):
    """The cells of the table below a marker comment."""
    below = README.split(f"<!-- {marker}: ")[1].split("-->\n")[1]
    rows = []
    for line in below.splitlines():
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows[2:]


def blocks(language):
    """Code blocks, also those within a list, with their lines joined where one goes on."""
    for indent, body in re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL):
        yield "\n".join(line.removeprefix(indent) for line in body.splitlines())


def aws_commands():
    """Every `aws …` of the shell blocks, those in `$(…)` apart."""
    for block in blocks("sh"):
        inner = re.findall(r'"\$\((aws [^)]*)\)"', block)
        outer = re.sub(r'"\$\(aws [^)]*\)"', "NESTED", block)
        for command in inner + re.findall(r"(?:^|\|\s*)(aws .*)$", outer, re.MULTILINE):
            yield shlex.split(command)


class Tables(unittest.TestCase):
    def test_parameters(self):
        rows = [(row[0].strip("`"), row[1].strip("`")) for row in table("parameters")]
        expected = []
        for name, spec in TEMPLATE["Parameters"].items():
            default = spec.get("Default")
            expected.append((name, "required" if default is None else "empty" if default == "" else str(default)))
        self.assertEqual(sorted(rows), sorted(expected))

    def test_alarms(self):
        resources, _ = resolve(TEMPLATE)
        names = set()
        for resource in resources.values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                described = re.search(r'README, "Alarms", ([a-z-]+)\.$', resource["Properties"]["AlarmDescription"]).group(1)
                self.assertTrue(resource["Properties"]["AlarmName"].startswith(f"smb-test-{described}"))
                names.add(described)
        rows = table("alarms")
        self.assertEqual({row[0].strip("`") for row in rows}, names)
        for row in rows:
            self.assertTrue(all(row) and len(row) == 4, row)

    def test_rules_that_withhold_a_drain(self):
        rules = [(f"`{rule['rule']}`", rule["means"]) for rule in facts()["drainRules"]]
        self.assertEqual([tuple(row) for row in table("rules")], rules)

    def test_permissions(self):
        rows = {row[0].strip("`"): set(re.findall(r"`((?:ssm|ecs|kms):\w+)`", row[1])) for row in table("permissions")}
        rows["drain-unmapped"] |= rows["map-share"]  # "all of that"
        for function, role in ROLES.items():
            self.assertEqual(rows[function], allowed(role), function)


class Costs(unittest.TestCase):
    def test_the_numbers_of_metrics_and_alarms_are_those_that_exist(self):
        metrics, clusters = re.search(r"\((\d+) of the stack \+ (\d+) a cluster\)", README).groups()
        names = set().union(*emitted().values())
        self.assertEqual(int(metrics), len(names))
        every = [metric for listed in facts()["metrics"].values() for metric in listed]
        self.assertEqual(int(clusters), len({metric["name"] for metric in every if metric["scope"] == "stackAndCluster"}))
        alarms = int(re.search(r"\| alarms \| (\d+) × 0.10", README).group(1))
        resources, _ = resolve(TEMPLATE)
        self.assertEqual(alarms, sum(r["Type"] == "AWS::CloudWatch::Alarm" for r in resources.values()))

    def test_the_sums_are_right(self):
        rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in README.split("| | arithmetic |")[1].splitlines() if line.startswith("| ")]
        *items, total = rows
        for column in (-3, -2, -1):
            self.assertAlmostEqual(sum(float(row[column]) for row in items), float(total[column].strip("*")), places=2)


class Commands(unittest.TestCase):
    def test_the_aws_cli_knows_every_command_and_option(self):
        session = botocore.session.get_session()
        seen = 0
        for words in aws_commands():
            _, service, command, *rest = words
            if (service, command) == ("ssm", "start-session"):
                continue  # a plugin's
            model = session.get_service_model(service)
            operation = next((o for o in model.operation_names if xform_name(o, "-") == command), None)
            self.assertIsNotNone(operation, words)
            members = {xform_name(member, "-") for member in model.operation_model(operation).input_shape.members}
            booleans = {"details"}
            for option in [word[2:] for word in rest if word.startswith("--")]:
                self.assertIn(option, members | GLOBAL_OPTIONS | booleans, words)
            payload = rest[rest.index("--payload") + 1] if "--payload" in rest else "{}"
            self.assertIsInstance(json.loads(payload), dict, words)
            seen += 1
        self.assertGreater(seen, 10)

    def test_each_shell_command_has_its_twin_in_powershell(self):
        # make and sam are the same in both; getting into a host has no cmdlet.
        same = re.compile(r"^(make|sam|\.venv/aws-sam-cli/bin/sam|aws ssm start-session)\b")
        body = README.split("## Development")[0]
        pieces = re.split(r"^ *```(sh|powershell|json)?$", body, flags=re.MULTILINE)
        for position, piece in enumerate(pieces):
            if piece == "sh":
                first = pieces[position + 1].strip()
                if not same.match(first) and "make " not in first:
                    self.assertEqual(pieces[position + 4], "powershell", first)

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        for name in DOCUMENTS:
            text = (ROOT / name).read_text(encoding="utf-8")
            for target in re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.MULTILINE):
                self.assertIn(target, targets, name)

    def test_outputs_and_resources_that_commands_name_exist(self):
        for name in re.findall(r"OutputKey(?:==| -eq )'?(\w+)", README):
            self.assertIn(name, TEMPLATE["Outputs"])
        for name in re.findall(r"(?:--logical-resource-id|-LogicalResourceId) (\w+)", README):
            self.assertIn(name, TEMPLATE["Resources"])
        self.assertIn("smb-map-${AWS::StackName}", str(TEMPLATE["Resources"]["MappingDocument"]["Properties"]["Name"]))


class Links(unittest.TestCase):
    def test_local_links_lead_somewhere(self):
        for name in DOCUMENTS:
            text = (ROOT / name).read_text(encoding="utf-8")
            anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
            for target in re.findall(r"\]\(([^)]+)\)", text):
                if target.startswith("#"):
                    self.assertIn(target[1:], anchors, name)
                elif not target.startswith("http"):
                    self.assertTrue((ROOT / target).exists(), f"{name}: {target}")


if __name__ == "__main__":
    unittest.main()
