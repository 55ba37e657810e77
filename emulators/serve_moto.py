"""moto's server, with one request at a time. Its own server answers in threads, and moto's memory is not made for that: a
condition of DynamoDB is checked and its write made by two at once, and a list that grows while it is read ends in HTTP 500.
Python runs one thread at a time anyhow. What waits for messages does so beside the others."""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main

_one_at_a_time = threading.RLock()
_serve = DomainDispatcherApplication.__call__


def _serve_one(application, environ, start_response):
    if environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSQS"):
        return _serve(application, environ, start_response)
    with _one_at_a_time:
        return _serve(application, environ, start_response)


DomainDispatcherApplication.__call__ = _serve_one

if __name__ == "__main__":
    main(sys.argv[1:])
