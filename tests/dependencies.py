"""Checks licences, duplicates and sources of the dependencies offline, by the rules of deny.toml.

It reads the packages of Cargo.lock for Linux with `cargo metadata`. It does not check advisories: their database needs network
access, and `cargo deny check` reads it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = "x86_64-unknown-linux-gnu"


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET],
            cwd=ROOT, check=True, stdout=subprocess.PIPE,
        ).stdout
    )
    self_test()
    packages = metadata["packages"]
    shipped = shipped_packages()
    findings = [
        *licence_findings(packages, set(rules["licenses"]["allow"])),
        *source_findings(packages),
        *duplicate_findings(shipped, [skip["crate"] for skip in rules["bans"]["skip"]]),
    ]
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"dependencies: {len(packages)} packages, {len(shipped)} of them shipped, {len(findings)} findings")
    return 1 if findings else 0


def shipped_packages():
    """(name, version) of each crate in the default members. `cargo metadata` would add the crates that only tests enable."""
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--edges", "normal", "--target", TARGET, "--prefix", "none", "--format", "{p}"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout
    return sorted({(name, version.removeprefix("v")) for name, version in (line.split()[:2] for line in tree.splitlines() if line)})


def licence_findings(packages, allowed):
    for package in packages:
        expression = package["license"]
        if expression is None:
            yield f"{package['name']} {package['version']}: has no licence"
        elif not is_allowed(expression, allowed):
            yield f"{package['name']} {package['version']}: licence {expression!r} is not among {sorted(allowed)}"


def is_allowed(expression, allowed):
    """Whether the allowed licences satisfy an SPDX expression. `/` is the old spelling of OR."""
    tokens = re.findall(r"\(|\)|[A-Za-z0-9.+-]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def either():
        met = both()
        while peek() == "OR":
            take()
            met = both() or met
        return met

    def both():
        met = one()
        while peek() == "AND":
            take()
            met = one() and met
        return met

    def one():
        token = take()
        if token == "(":
            met = either()
            assert take() == ")", expression
            return met
        if peek() == "WITH":
            take()
            return f"{token} WITH {take()}" in allowed
        return token in allowed

    met = either()
    assert position == len(tokens), f"{expression!r} is not a licence expression that this check understands"
    return met


def source_findings(packages):
    for package in packages:
        source = package["source"]
        if source is not None and source != "registry+https://github.com/rust-lang/crates.io-index":
            yield f"{package['name']} {package['version']}: comes from {source}"


def duplicate_findings(packages, skipped):
    versions, unused = {}, set(skipped)
    for name, version in packages:
        versions.setdefault(name, []).append(version)
    for name, several in sorted(versions.items()):
        left = []
        for version in several:
            skip = next((s for s in skipped if s.split("@")[0] == name and f"{version}.".startswith(s.split("@")[1] + ".")), None)
            unused.discard(skip)
            left += [] if skip else [version]
        if len(left) > 1:
            yield f"{name}: ships in versions {', '.join(sorted(left))}"
        elif len(several) == 1 and len(left) == 0:
            yield f"{name}: ships in one version, so remove its line from deny.toml"
    for skip in sorted(unused):
        yield f"{skip}: does not ship, so remove its line from deny.toml"


def self_test():
    """Each check finds a violation."""
    allowed = {"MIT", "Apache-2.0"}
    for expression, expected in (
        ("MIT", True), ("GPL-3.0", False), ("GPL-3.0 OR MIT", True), ("GPL-3.0 AND MIT", False), ("MIT/GPL-3.0", True),
        ("(MIT OR GPL-3.0) AND Apache-2.0", True), ("(GPL-3.0 OR ISC) AND MIT", False),
        ("Apache-2.0 WITH LLVM-exception", False), ("Apache-2.0 WITH LLVM-exception OR MIT", True),
    ):
        assert is_allowed(expression, allowed) is expected, expression
    two = [("a", "1.2.0"), ("a", "2.0.0")]
    assert list(duplicate_findings(two, [])) and not list(duplicate_findings(two, ["a@1"]))
    assert list(duplicate_findings(two[:1], ["a@1"])) and list(duplicate_findings(two, ["a@1", "b@1"]))
    assert list(source_findings([{"name": "a", "version": "1", "source": "git+https://example.com/a"}]))


if __name__ == "__main__":
    sys.exit(main())
