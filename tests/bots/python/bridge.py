"""A bridge between one conversation and a webhook as Matrix bridges have them ({"text", "username"}), on the SDK `simplex-chat-py` of PyPI.

Messages of CONTACT are posted to WEBHOOK_URL; those that are posted to 127.0.0.1:LISTEN_PORT are sent to CONTACT.
"""

import asyncio
import json
import os
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simplex_chat import SimplexBot

CONTACT = os.environ["CONTACT"]
WEBHOOK_URL = os.environ["WEBHOOK_URL"]
bot = SimplexBot()
bot.client.uri = os.environ.get("BOT_URL", "ws://localhost:5225")


def post(message):
    request = urllib.request.Request(WEBHOOK_URL, json.dumps(message).encode(), {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except OSError as error:
        print("not posted:", error, file=sys.stderr)


@bot.on_message
async def forward(message):
    if message.sender_name == CONTACT:
        await asyncio.to_thread(post, {"text": message.text, "username": CONTACT})


async def send(body):
    message = json.loads(body)
    text, username = message["text"], message.get("username")
    answer = await bot.client.send_message(CONTACT, f"{username}: {text}" if username else text)
    return answer.get("type") == "newChatItems"


def serve(loop):
    class Incoming(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            try:
                sent = asyncio.run_coroutine_threadsafe(send(body), loop).result()
            except (ValueError, KeyError):
                sent = False
            self.send_response(200 if sent else 400)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("LISTEN_PORT", "8090"))), Incoming)
    print(f"address 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


async def main():
    # The handlers are there before the first event comes.
    await bot.start()
    threading.Thread(target=serve, args=(asyncio.get_running_loop(),), daemon=True).start()
    # Over when the daemon is: whatever looks after the bot starts it again.
    await bot.client._listen_task
    sys.exit("the daemon is gone")


asyncio.run(main())
