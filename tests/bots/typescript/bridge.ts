// A bridge between one conversation and a webhook as Matrix bridges have them ({"text", "username"}), on the SDK `simplex-chat` of npm.
// Messages of CONTACT are posted to WEBHOOK_URL; those that are posted to 127.0.0.1:LISTEN_PORT are sent to CONTACT.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ChatClient } from "simplex-chat"
import { ChatType } from "simplex-chat/dist/command.js"

const { BOT_URL = "ws://localhost:5225", CONTACT, WEBHOOK_URL, LISTEN_PORT = "8090" } = process.env
if (!CONTACT || !WEBHOOK_URL) throw new Error("CONTACT and WEBHOOK_URL say what is to be bridged")
const chat = await ChatClient.create(BOT_URL)
const user = await chat.apiGetActiveUser()
if (!user) throw new Error("no user")
const chats = await chat.apiGetChats(user.userId)
const contacts = chats.flatMap(({ chatInfo }) => ("contact" in chatInfo ? [chatInfo.contact] : []))
const contact = contacts.find(({ localDisplayName }) => localDisplayName === CONTACT)
if (!contact) throw new Error(`there is no contact ${CONTACT}`)
const { contactId } = contact

const server = createServer(async (request, response) => {
  try {
    let body = ""
    for await (const part of request) body += part
    const { text, username } = JSON.parse(body)
    await chat.apiSendTextMessage(ChatType.Direct, contactId, username ? `${username}: ${text}` : `${text}`)
    response.end("{}")
  } catch (error) {
    console.error("not sent:", error)
    response.writeHead(400).end("{}")
  }
})
// The process lasts as long as the daemon: whatever looks after the bot starts it again.
server.unref()
server.listen(Number(LISTEN_PORT), "127.0.0.1", () => console.log(`address 127.0.0.1:${(server.address() as AddressInfo).port}`))

for await (const event of chat.msgQ) {
  const resp = await event
  if (resp.type !== "newChatItems") continue
  for (const { chatInfo, chatItem } of resp.chatItems) {
    if (!("contact" in chatInfo) || chatInfo.contact.contactId !== contactId || chatItem.content.type !== "rcvMsgContent") continue
    const message = { text: chatItem.content.msgContent.text, username: CONTACT }
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(message) }
    await fetch(WEBHOOK_URL, post).catch((error) => console.error("not posted:", error))
  }
}
