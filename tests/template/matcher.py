"""EventBridge's matching of an event against a pattern, as far as the template's patterns use it.

Rules of <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>: every field of the pattern must
match; a field matches when one of its values does; an array in the event matches when one element does; fields below an
array of objects must match within the same element. Of the comparison operators `exists` and `prefix` are known; any other is an error.
"""


def matches(pattern, event):
    """Whether the event matches."""
    if not isinstance(event, dict):
        return False
    return all(_field(expected, event, key) for key, expected in pattern.items())


def _field(expected, event, key):
    if isinstance(expected, dict):
        below = event.get(key)
        candidates = below if isinstance(below, list) else [below]
        return any(matches(expected, candidate) for candidate in candidates)
    assert isinstance(expected, list) and expected, f"{key}: a pattern's leaf is a list of values"
    return any(_value(one, event, key) for one in expected)


def _value(expected, event, key):
    actual = event.get(key)
    found = actual if isinstance(actual, list) else [actual]
    if isinstance(expected, dict):
        ((operator, operand),) = expected.items()
        if operator == "exists":
            return (key in event) == operand
        assert operator == "prefix", f"{key}: {expected} is not known here"
        return any(isinstance(one, str) and one.startswith(operand) for one in found)
    # `True == 1` in Python, not in JSON.
    return key in event and any(type(one) is type(expected) and one == expected for one in found)
