"""Logs through two handlers for Splunk and prints each event that must be in the log, one a line."""

import json
import logging
import os
import sys
from urllib.parse import urlparse

from splunk_handler import SplunkHandler
from splunk_hec_handler import SplunkHecHandler

url, key = urlparse(os.environ["INDELIBLE_URL"]), os.environ["INDELIBLE_KEY"]
logger = logging.getLogger("clients")
logger.setLevel(logging.INFO)


def sent(event):
    print(json.dumps(event))
    return event


if sys.argv[1] == "splunk_handler":
    handler = SplunkHandler(
        host=url.hostname, port=url.port, token=key, index="main", protocol="http", verify=False, flush_interval=0.1, source="clients"
    )
    logger.addHandler(handler)
    for number in range(500):
        logger.info("%s", sent(f'event {number}: quotes " and \u00e9\ttab'))
    handler.force_flush()
    handler.shutdown()
else:
    handler = SplunkHecHandler(url.hostname, key, port=url.port, proto="http", source="clients", sourcetype="_json")
    logger.addHandler(handler)
    for number in range(20):
        logger.info({"number": number, "user": {"name": "eve"}})
        sent({"log_level": "INFO", "number": number, "user": {"name": "eve"}})
