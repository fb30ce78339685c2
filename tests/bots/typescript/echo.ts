// An echo bot on the SDK `simplex-chat` of npm.
import { ChatClient } from "simplex-chat"
import { ChatType } from "simplex-chat/dist/command.js"

const chat = await ChatClient.create(process.env.BOT_URL ?? "ws://localhost:5225")
if (!(await chat.apiGetActiveUser())) throw new Error("no user")
const address = (await chat.apiGetUserAddress()) ?? (await chat.apiCreateUserAddress())
await chat.enableAddressAutoAccept()
console.log(`address ${address}`)

for await (const event of chat.msgQ) {
  const resp = await event
  if (resp.type !== "newChatItems") continue
  for (const { chatInfo, chatItem } of resp.chatItems) {
    if (!("contact" in chatInfo) || chatItem.content.type !== "rcvMsgContent") continue
    await chat.apiSendTextMessage(ChatType.Direct, chatInfo.contact.contactId, `echo ${chatItem.content.msgContent.text}`)
  }
}
