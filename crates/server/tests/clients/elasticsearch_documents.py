"""Keeps documents with the Elasticsearch client and prints each that must be in the log, one a line."""

import json
import os

from elasticsearch import ConflictError, Elasticsearch, helpers

client = Elasticsearch(os.environ["INDELIBLE_URL"], api_key=("clients", os.environ["INDELIBLE_KEY"]), http_compress=True)


def sent(document):
    print(json.dumps(document))
    return document


assert client.ping()
assert client.info()["version"]["number"].startswith("8.")
assert client.cluster.health()["status"] == "green"
assert client.license.get()["license"]["status"] == "active"
assert client.indices.exists_index_template(name="logs")
assert client.indices.put_index_template(name="logs", index_patterns=["logs-*"])["acknowledged"]

documents = [{"number": number, "text": 'quotes " and \u00e9\n', "nested": {"list": [1, 2.5, None, True]}} for number in range(1_000)]
actions = [{"_op_type": "create", "_index": "logs-app", "_id": str(number), "_source": document} for number, document in enumerate(documents)]
kept, errors = helpers.bulk(client, actions, chunk_size=300)
assert (kept, errors) == (1_000, []), (kept, errors)
for document in documents:
    sent(document)

# A shipper that did not hear the answer sends again: everything is there already.
kept, errors = helpers.bulk(client, actions, chunk_size=300, raise_on_error=False)
assert kept == 0 and all(error["create"]["status"] == 409 for error in errors), (kept, errors[:2])

assert client.index(index="logs-app", document=sent({"alone": 1}))["result"] == "created"
client.create(index="logs-app", id="once", document=sent({"alone": 2}))
try:
    client.create(index="logs-app", id="once", document={"alone": 2})
    raise SystemExit("the second `create` was not refused")
except ConflictError:
    pass

answer = client.bulk(operations=[{"delete": {"_index": "logs-app", "_id": "once"}}, {"update": {"_index": "logs-app", "_id": "once"}}, {"doc": {}}])
assert answer["errors"] and [item.popitem()[1]["status"] for item in answer["items"]] == [400, 400], answer
