"""Asks a deployed drain-unmapped for its report and prints it as a table.

    python3 functions/drain-unmapped/report.py STACK [--cluster NAME] [--all]

Needs the AWS CLI, version 1 or 2, with credentials that may describe the stack and invoke the function. Instances that are
mapped and unremarkable are counted, not listed, unless `--all` is given. Changes nothing.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def main():
    arguments = argparse.ArgumentParser(description="the fleet, as drain-unmapped sees it")
    arguments.add_argument("stack")
    arguments.add_argument("--cluster", help="one of the watched clusters")
    arguments.add_argument("--all", action="store_true", help="also list what is mapped and unremarkable")
    given = arguments.parse_args()
    request = {"report": True, **({"cluster": given.cluster} if given.cluster else {})}
    print(render(invoke(function_of(given.stack), request), given.all), end="")


def function_of(stack):
    outputs = json.loads(aws("cloudformation", "describe-stacks", "--stack-name", stack))["Stacks"][0].get("Outputs", [])
    for output in outputs:
        if output["OutputKey"] == "DrainUnmappedFunctionName":
            return output["OutputValue"]
    sys.exit(f"stack {stack} has no output DrainUnmappedFunctionName: it is not one of ecs-smb-mapper")


def invoke(function, request):
    with tempfile.TemporaryDirectory() as directory:
        payload, answer = pathlib.Path(directory, "payload"), pathlib.Path(directory, "answer")
        payload.write_text(json.dumps(request), encoding="utf-8")
        # Bytes from a file mean the same to both versions of the CLI.
        said = aws("lambda", "invoke", "--function-name", function, "--payload", f"fileb://{payload}", str(answer))
        text = answer.read_text(encoding="utf-8")
    if "FunctionError" in json.loads(said):
        sys.exit(f"{function} failed: {text}")
    return json.loads(text)


def aws(*words):
    done = subprocess.run(["aws", *words, "--output", "json"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"aws {words[0]} {words[1]} failed")
    return done.stdout


def render(report, everything=False):
    """The report as text: the sentence, what is wrong with the fleet, the instances, the remedies."""
    lines = [f"{report['stack']}: {report['remotePath']} on {report['drive']}, mode {report['mode']}, at {report['at']}"]
    lines.append(report["summary"])
    lines += [f"breaker open in {breaker['cluster']}: {breaker['rule']}" for breaker in report["breakers"]]
    lines += [f"not read: {cluster['cluster']}: {cluster['error']}" for cluster in report["unreadClusters"]]
    lines += [f"stale registration, deregister it: {arn}" for arn in report["staleRegistrations"]]
    rows = [row for row in report["instances"] if everything or not is_unremarkable(row)]
    if rows:
        lines += ["", *columns([HEADER, *(cells(row) for row in rows)])]
    left_out = len(report["instances"]) - len(rows)
    if left_out:
        lines += ["", f"{left_out} more are mapped, active and unremarkable"]
    causes = {row["cause"]["code"]: row["cause"] for row in rows if row.get("cause")}
    for code, cause in sorted(causes.items()):
        lines += ["", f"{code} ({cause['class']}): {cause['meaning']}", f"  {cause['remedy']}"]
    return "\n".join(lines) + "\n"


HEADER = ["CLUSTER", "INSTANCE", "ECS", "GATE", "STATE", "SINCE", "CAUSE", "NEXT TRY", "NOTES"]


def cells(row):
    return [
        row["cluster"],
        row["instance"],
        row["status"],
        row["gate"],
        row["state"],
        seconds(row.get("since")),
        row["cause"]["code"] if row.get("cause") else "",
        seconds(row.get("nextTry")),
        ", ".join(notes(row)),
    ]


def notes(row):
    """What an operator should see beside state and cause."""
    if not row["connected"]:
        yield "ECS agent not connected"
    if row["unreachable"]:
        yield "SSM agent silent"
    if row["inFlight"]:
        yield "command in flight"
    if row.get("attempts"):
        yield f"failed {row['attempts']}×"
    if row["drain"] != "none":
        yield f"drain {row['drain']}"
    if row["ownershipUnproven"]:
        yield "ownership unproven"
    if row["hold"]:
        yield "hold"
    if row["withoutPrivacy"]:
        yield "mapped without privacy"
    if row["staleCredential"]:
        yield "earlier password"
    if row.get("notDrainedBecause"):
        yield f"not drained: {row['notDrainedBecause']}"


def is_unremarkable(row):
    return row["state"] == "mapped" and row["gate"] == "mapped" and row["status"] == "ACTIVE" and not list(notes(row))


def seconds(time):
    """A time of RFC 3339 without its milliseconds."""
    return time.split(".")[0].rstrip("Z") + "Z" if time else ""


def columns(rows):
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


if __name__ == "__main__":
    main()
