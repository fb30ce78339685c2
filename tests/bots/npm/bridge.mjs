// A bridge between one conversation and a webhook as Matrix bridges have them ({"text", "username"}), on the SDK `simplex-chat` of npm.
// What CONTACT writes is posted to WEBHOOK_URL; what is posted to 127.0.0.1:LISTEN_PORT is sent to CONTACT.
import { createServer } from "node:http"
import { ChatClient } from "simplex-chat"
import { ChatType } from "simplex-chat/dist/command.js"

const { BOT_PORT = "5225", CONTACT, WEBHOOK_URL, LISTEN_PORT = "8090" } = process.env
const chat = await ChatClient.create(`ws://localhost:${BOT_PORT}`)
const user = await chat.apiGetActiveUser()
const chats = await chat.apiGetChats(user.userId)
const contact = chats.map((c) => c.chatInfo.contact).find((c) => c?.localDisplayName === CONTACT)
if (!contact) throw new Error(`there is no contact ${CONTACT}`)

const server = createServer(async (request, response) => {
  let body = ""
  for await (const part of request) body += part
  const { text, username } = JSON.parse(body)
  await chat.apiSendTextMessage(ChatType.Direct, contact.contactId, username ? `${username}: ${text}` : text)
  response.end("{}")
})
server.listen(Number(LISTEN_PORT), "127.0.0.1", () => console.log(`address 127.0.0.1:${server.address().port}`))

for await (const event of chat.msgQ) {
  const resp = event instanceof Promise ? await event : event
  if (resp.type !== "newChatItems") continue
  for (const { chatInfo, chatItem } of resp.chatItems) {
    if (chatInfo.contact?.contactId !== contact.contactId || chatItem.content.type !== "rcvMsgContent") continue
    const message = { text: chatItem.content.msgContent.text, username: CONTACT }
    await fetch(WEBHOOK_URL, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(message) })
  }
}
