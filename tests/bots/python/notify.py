"""Tells a contact how a job has ended: `notify.py CONTACT TEXT`, on the SDK `simplex-chat-py` of PyPI.

In a pipeline: `make test || notify.py alice "the tests of $CI_COMMIT_SHA failed"`. The exit code says whether the daemon has the message.
"""

import asyncio
import os
import sys

from simplex_chat.client import SimplexClient


async def main(contact, text):
    client = SimplexClient()
    client.uri = os.environ.get("BOT_URL", "ws://localhost:5225")
    await client.connect()
    answer = await client.send_message(contact, text)
    await client.disconnect()
    if answer.get("type") != "newChatItems":
        sys.exit(f"not sent: {answer}")


asyncio.run(main(sys.argv[1], " ".join(sys.argv[2:])))
