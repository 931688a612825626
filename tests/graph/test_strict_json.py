from __future__ import annotations

import pytest

from graph.errors import MalformedError
from graph.strict_json import parse


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 255 + b"]" * 255,
        b'{"a":' * 600 + b"1" + b"}" * 600,
        b'{"a":' * 600 + b'"\\u0000"' + b"}" * 600,
        b'{"a":' * 600 + b'"\\n"' + b"}" * 600,
        b"NaN",
        b'{"a": Infinity}',
        b"1e999",
        b'"\\ud800"',
        b'{"a": "\\udc00x"}',
        b'"\xff"',
        b'{"a": "\xed\xa0\x80"}',
        b'"\x00"',
        b'"\\u0000"',
        b'{"\\u0000": 1}',
        b'[{"deep": ["\\u0000"]}]',
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"x": {"a": 1, "b": "\\"", "a": 2}}',
        b'[{"a": "1"}, {"a": "2", "a": "2"}]',
        b"{'a': 1}",
        b"1 2",
    ],
)
def test_what_is_no_strict_json_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}', {"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}),
        (b'{"a": "say \\"hi\\" \\\\u0000"}', {"a": 'say "hi" \\u0000'}),
        (b'{"a": "a", "b": "a"}', {"a": "a", "b": "a"}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"9223372036854775807", 2**63 - 1),
        ('{"ä": "ö"}'.encode(), {"ä": "ö"}),
    ],
)
def test_strict_json_is_read_as_it_is(raw: bytes, value: object) -> None:
    assert parse(raw) == value
