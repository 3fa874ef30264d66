"""template.yaml as CloudFormation would see it: intrinsic functions resolved for given parameters.

Only the functions that the template uses are known; any other one is an error, so that nothing is passed over.
It does not check that the template is well formed: cfn-lint and `sam validate` do.
"""

import base64
import functools
import json
import os
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "smb-test",
    "AWS::URLSuffix": "amazonaws.com",
}

# A value for each parameter without a default.
REQUIRED = {
    "Clusters": "arn:aws:ecs:eu-west-1:111122223333:cluster/windows",
    "RemotePath": r"\\fs.corp.example.com\share",
}


@functools.cache
def facts():
    """What the product says of its causes, metrics, drain rules, AWS calls and variables: the file that FACTS names."""
    path = os.environ.get("FACTS")
    assert path, "FACTS names no file: run `make validate-template`, or `make facts > facts.json` and FACTS=facts.json"
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


class _Loader(yaml.SafeLoader):
    pass


def _intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def load():
    """The template with its intrinsic functions in their long form."""
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)


def parameters(template, given=None):
    """The value of every parameter: what is given, else its default, else the one in REQUIRED."""
    values = {name: str(spec["Default"]) for name, spec in template["Parameters"].items() if "Default" in spec}
    values.update(REQUIRED)
    values.update(given or {})
    unknown = set(values) - set(template["Parameters"])
    assert not unknown, f"no such parameters: {unknown}"
    return {
        name: value.split(",") if template["Parameters"][name]["Type"] == "CommaDelimitedList" else value
        for name, value in values.items()
    }


def resolve(template, given=None, pseudo=None):
    """All resources and outputs, with those left out whose condition is false."""
    resolver = _Resolver(template, parameters(template, given), {**PSEUDO, **(pseudo or {})})
    resources = {
        name: {**resource, "Properties": resolver.value(resource.get("Properties", {}))}
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"])
    }
    return resources, resolver.value(template["Outputs"])


class _Resolver:
    def __init__(self, template, parameters_, pseudo):
        self.template, self.parameters, self.pseudo = template, parameters_, pseudo

    def condition(self, name):
        return self._test(self.template["Conditions"][name])

    def _test(self, expression):
        ((function, argument),) = expression.items()
        if function == "Fn::Equals":
            left, right = (self.value(side) for side in argument)
            return left == right
        if function == "Fn::Not":
            return not self._test(argument[0])
        raise ValueError(f"condition function {function}")

    def value(self, node):
        if isinstance(node, list):
            items = [self.value(item) for item in node]
            return [item for item in items if item is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref":
                return self.ref(argument)
            if function.startswith("Fn::"):
                return getattr(self, "_" + function[4:].lower())(argument)
        items = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in items.items() if item is not None}

    def ref(self, name):
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        resource = self.template["Resources"][name]
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::SSM::Document":
            return self.value(properties["Name"])
        if kind == "AWS::SNS::Topic":
            return self._arn("sns", name)
        return name

    def _getatt(self, argument):
        name, attribute = argument
        kind = self.template["Resources"][name]["Type"]
        if attribute == "QueueName":
            return name
        assert attribute == "Arn", f"attribute {attribute} of {name}"
        service, resource = {
            "AWS::SQS::Queue": ("sqs", name),
            "AWS::Events::Rule": ("events", f"rule/{name}"),
            "AWS::Logs::LogGroup": ("logs", f"log-group:{name}:*"),
            "AWS::Serverless::Function": ("lambda", f"function:{name}"),
            "AWS::CloudWatch::Alarm": ("cloudwatch", f"alarm:{name}"),
            "AWS::IAM::Role": ("iam", f"role/{name}"),
        }[kind]
        return self._arn(service, resource)

    def _arn(self, service, resource):
        region = "" if service == "iam" else self.pseudo["AWS::Region"]
        return f"arn:{self.pseudo['AWS::Partition']}:{service}:{region}:{self.pseudo['AWS::AccountId']}:{resource}"

    def _sub(self, text):
        def replace(match):
            name, _, attribute = match.group(1).partition(".")
            value = self._getatt([name, attribute]) if attribute else self.ref(name)
            assert isinstance(value, str), f"${{{match.group(1)}}} is not a string"
            return value

        return re.sub(r"\$\{([^!}]+)\}", replace, text)

    def _join(self, argument):
        separator, items = argument
        return separator.join(self.value(items))

    def _split(self, argument):
        separator, text = argument
        return self.value(text).split(separator)

    def _base64(self, argument):
        return base64.b64encode(self.value(argument).encode()).decode()

    def _if(self, argument):
        condition, yes, no = argument
        return self.value(yes if self.condition(condition) else no)
