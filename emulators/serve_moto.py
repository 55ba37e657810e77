"""moto's server, with the writes of DynamoDB one after the other: moto checks a condition and then writes, and two of its
threads may do so at once, both of them successfully. DynamoDB does it as one step.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate"""

import functools
import sys
import threading

from moto.dynamodb.models import DynamoDBBackend
from moto.server import main

_one_at_a_time = threading.RLock()


def _locked(write):
    @functools.wraps(write)
    def locked(*args, **kwargs):
        with _one_at_a_time:
            return write(*args, **kwargs)

    return locked


for _name in ("put_item", "update_item", "delete_item", "transact_write_items"):
    setattr(DynamoDBBackend, _name, _locked(getattr(DynamoDBBackend, _name)))

if __name__ == "__main__":
    main(sys.argv[1:])
