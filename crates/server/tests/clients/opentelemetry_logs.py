"""Sends log records with the OpenTelemetry SDK and prints what it sent, one record a line.

What it prints is protobuf's own reading of the SDK's messages, in the OTLP JSON mapping.
"""

import base64
import json
import logging
import os
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

URL, KEY, WAY = os.environ["INDELIBLE_URL"], os.environ["INDELIBLE_KEY"], sys.argv[1]


def exporter_class():
    if WAY == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    return OTLPLogExporter


def settings():
    headers = {"authorization": f"Bearer {KEY}"}
    if WAY == "grpc":
        from grpc import Compression

        return {"endpoint": URL.removeprefix("http://"), "insecure": True, "headers": headers, "compression": Compression.Gzip}
    from opentelemetry.exporter.otlp.proto.http import Compression

    return {"endpoint": f"{URL}/v1/logs", "headers": headers, "compression": Compression.Gzip}


def hexadecimal(record):
    """OTLP writes these two in hexadecimal, protobuf's mapping in base64."""
    for name in ("traceId", "spanId"):
        if name in record:
            record[name] = base64.b64decode(record[name]).hex()
    return record


def shown(batch):
    request = MessageToDict(encode_logs(batch), use_integers_for_enums=True)
    for resource_logs in request["resourceLogs"]:
        for scope_logs in resource_logs["scopeLogs"]:
            for record in scope_logs["logRecords"]:
                yield {"resource": resource_logs["resource"], "scope": scope_logs["scope"], "logRecord": hexadecimal(record)}


class Showing(exporter_class()):
    """The SDK's exporter, which also prints what it exports."""

    def export(self, batch):
        result = super().export(batch)
        if result.name == "SUCCESS":
            for record in shown(batch):
                print(json.dumps(record))
        return result


BODIES = ["a line", 'quotes " and \u00e9\u4e2d\u0001', True, 7, -(2**60), 1.5, b"\x00\xff", ["a", 1, [None]], {"user": {"name": "eve"}, "n": 1}, ""]

logging.basicConfig(stream=sys.stderr)
provider = LoggerProvider(resource=Resource({"service.name": "login", "host.cpus": 2}))
provider.add_log_record_processor(BatchLogRecordProcessor(Showing(**settings())))
logger = provider.get_logger("clients", "1.2.3")
for number in range(200):
    logger.emit(
        LogRecord(
            timestamp=1_764_076_800_000_000_000 + number,
            observed_timestamp=1_764_076_801_000_000_000,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=BODIES[number % len(BODIES)],
            attributes={"number": number, "ratio": number / 3, "list": ["x", "y"], "ok": number % 2 == 0},
            event_name="user.login" if number % 3 == 0 else None,
        )
    )
provider.shutdown()
