"""JSON objects that are valid, that real events hold, and that break exporters.

Each is written as JSON text, because a Python value would lose what makes it hostile: which escape
was used, how a number was spelled.
"""

HOSTILE: dict[str, str] = {
    "unicode": '{"text":"Ω≈ç√∫ 田中さん 찦차를 Ёлка ̡͓̞"}',
    "emoji": '{"text":"👩‍👩‍👧‍👦 🏳️‍🌈 👾 \\ud83d\\ude00"}',
    "right to left": '{"text":"\u202eمرحبا \u2067שלום\u2069"}',  # noqa: RUF001
    "quotes": '{"it\'s \\"quoted\\"":"\'; DROP TABLE events; -- \\" $$ $1 `"}',
    "backslashes": '{"path":"C:\\\\new\\\\table\\\\","end":"\\\\"}',
    "control characters": '{"text":"a\\tb\\nc\\r\\nd\\u001be\\u0085f\\u2028g"}',
    "NUL": '{"text":"before\\u0000after","\\u0000":1}',
    "lone surrogate": '{"high":"\\ud800","low":"x\\udfff"}',
    "400 digits": '{"number":' + "1234567890" * 40 + "}",
    "deep": '{"nested":' + "[" * 25 + '{"a":' * 25 + "null" + "}" * 25 + "]" * 25 + "}",
    "empty and null": '{"empty":"","null":null,"":"","word":"null","list":[],"object":{}}',
    "integers": '{"2^53+1":9007199254740993,"2^63-1":9223372036854775807,'
    '"2^63":9223372036854775808,"-2^63":-9223372036854775808,"-0":-0}',
    "floats": '{"tiny":1e-300,"huge":1.7976931348623157e308,"spelled":1.50,"sum":0.1}',
    "copy codes": '{"text":"\\\\N \\\\. \\\\x41 ,;|\\t%s {0} ${HOME} <script>alert(1)</script>"}',
    "repeated key": '{"a":1,"a":2,"A":3}',
    "long word": '{"text":"' + "é" * 40_000 + '"}',
}
