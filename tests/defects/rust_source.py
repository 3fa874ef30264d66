"""Finds one function of the product by name, and one expression in it. It knows as much of Rust as that takes."""

import pathlib
import re

# Longest first: a comment may hold quotes, a string may hold slashes.
COMMENT = r"//[^\n]*|/\*.*?\*/"
STRING = r'b?r(?P<hashes>#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?\'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\\'])\''
LEXEMES = re.compile(f"(?P<comment>{COMMENT})|(?P<string>{STRING})", re.DOTALL)
TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|\w+|[^\w\s]')
BLOCK = re.compile(r"\b(?:impl|mod|trait)\b(?P<head>[^{};]*)\{")


class NotFound(Exception):
    """What is named is not there, or not only once."""


def blank(text, kinds):
    """The text with lexemes of these kinds blanked, every character where it was."""

    def replace(match):
        return re.sub(r"[^\n]", " ", match[0]) if match.lastgroup in kinds or match["string"] and "string" in kinds else match[0]

    return LEXEMES.sub(replace, text)


def end_of_block(code, opening):
    """Where the brace at `opening` is closed."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    raise NotFound("a brace is not closed")


def product_files(root):
    """The product's sources without tests."""
    for folder in ("functions", "shared"):
        for path in sorted((root / folder).rglob("*.rs")):
            inside = path.relative_to(root).parts
            if "src" in inside and "tests" not in inside and path.name != "tests.rs":
                yield path


def functions_named(path, name, root):
    """(start, end, words) of each function of that name in a file; the words may qualify the name."""
    text = path.read_text(encoding="utf-8")
    if f"fn {name}" not in text:
        return
    code = blank(text, {"comment", "string"})
    blocks = [(m.start(), end_of_block(code, m.end() - 1), m[0]) for m in BLOCK.finditer(code)]
    for match in re.finditer(rf"\bfn\s+{name}\b", code):
        # A signature holds no brace, so the first one opens the body; a semicolon first is a declaration without.
        opening = re.compile(r"[{;]").search(re.sub(r"\[[^\[\]{}]*\]", lambda m: " " * len(m[0]), code), match.end())
        around = [head for start, end, head in blocks if start < match.start() < end]
        if code[opening.start()] == ";" or any("mod tests" in head for head in around):
            continue
        words = set(re.findall(r"\w+", " ".join(around))) | set(path.relative_to(root).with_suffix("").parts)
        yield match.start(), end_of_block(code, opening.start()), {word.replace("-", "_") for word in words}


def find_function(root, qualified):
    """(path, start, end) of the only function of that name."""
    *qualifiers, name = qualified.split("::")
    found = [
        (path, start, end)
        for path in product_files(root)
        for start, end, words in functions_named(path, name, root)
        if words.issuperset(qualifiers)
    ]
    if len(found) != 1:
        where = ", ".join(str(path.relative_to(root)) for path, _, _ in found) or "nowhere"
        raise NotFound(f"function {qualified} is not in exactly one place: {where}")
    return found[0]


def pattern_of(expression):
    """Matches an expression however it is wrapped. A comma may trail where the line is broken."""
    parts = []
    for token in TOKENS.findall(expression):
        closes = token in ")]}" and parts and parts[-1] != ","
        parts.append((r"(?:,\s*)?" if closes else "") + re.escape(token))
    start, end = (r"\b" if re.match(r"\w", edge) else "" for edge in (expression.strip()[0], expression.strip()[-1]))
    return re.compile(start + r"\s*".join(parts) + end)


def replace_in_function(root, function, old, new):
    """(path, text) after the only `old` in a function is replaced."""
    path, start, end = find_function(root, function)
    text = path.read_text(encoding="utf-8")
    found = list(pattern_of(old).finditer(blank(text, {"comment"})[:end], start))
    if len(found) != 1:
        raise NotFound(f"{path.relative_to(root)}: fn {function} has {len(found)} times: {old}")
    return path, text[: found[0].start()] + new + text[found[0].end() :]


def self_test(folder):
    """It finds what it is for, and refuses what is ambiguous."""
    source = folder / "functions/f/src/some.rs"
    source.parent.mkdir(parents=True)
    source.write_text(
        '// fn a() {\nfn a(x: &\'static str) -> [u8; 2] { let c = \'{\'; /* } */ b("}", // one\n  1,\n) }\nimpl T { fn b() { 1 } }\n'
        "struct U; impl X for U { fn b() { 2 } }\n#[cfg(test)] mod tests { fn a() { b(1) } }\n",
        encoding="utf-8",
    )
    assert 'c = \'{\'; /* } */ 3 }' in replace_in_function(folder, "a", 'b("}", 1)', "3")[1]
    assert "fn b() { 3 } }\n#[cfg" in replace_in_function(folder, "U::b", "2", "3")[1]
    for function, old in (("b", "1"), ("T::b", "2"), ("none", "1"), ("a", "")):
        try:
            replace_in_function(folder, function, old or "let", "")
        except NotFound:
            continue
        assert not old, (function, old)
