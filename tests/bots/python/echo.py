"""An echo bot on the SDK `simplex-chat-py` of PyPI."""

import asyncio
import os
import sys

from simplex_chat import SimplexBot

bot = SimplexBot()
bot.client.uri = os.environ.get("BOT_URL", "ws://localhost:5225")


@bot.on_message
async def echo(message):
    await message.reply(f"echo {message.text}")


async def main():
    # The handlers are there before the first event comes.
    await bot.start()
    print(f"address {await bot.setup_address()}", flush=True)
    # Over when the daemon is: whatever looks after the bot starts it again.
    await bot.client._listen_task
    sys.exit("the daemon is gone")


asyncio.run(main())
