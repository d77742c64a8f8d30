"""Reads golden Avro bodies with Apache Avro for Python, a codec that shares no code with this repository.

argv: folder of the avro package. stdin: JSON lines {"schema": path, "avro": path}.
stdout: one JSON line each: {"data": plain JSON, "again": base64 of what Apache Avro writes for the same value}.
"""

import base64
import datetime
import decimal
import io
import json
import sys

sys.path.insert(0, sys.argv[1])

import avro.io  # noqa: E402
import avro.schema  # noqa: E402


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.timezone.utc)
        return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


for line in sys.stdin:
    pair = json.loads(line)
    with open(pair["schema"], encoding="utf-8") as f:
        schema = avro.schema.parse(f.read())
    with open(pair["avro"], "rb") as f:
        body = f.read()
    source = io.BytesIO(body)
    value = avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(source))
    if source.read(1) != b"":
        raise ValueError(f"{pair['avro']}: bytes are left over")
    out = io.BytesIO()
    avro.io.DatumWriter(schema).write(value, avro.io.BinaryEncoder(out))
    print(json.dumps({"data": plain(value), "again": base64.b64encode(out.getvalue()).decode()}), flush=True)
