// Tells a contact how a job has ended: `node built/notify.js CONTACT TEXT`, on the SDK `simplex-chat` of npm.
// In a pipeline: `make test || node built/notify.js alice "the tests of $CI_COMMIT_SHA failed"`. The exit code says whether the daemon has the message.
import { ChatClient } from "simplex-chat"

const [contact, ...words] = process.argv.slice(2)
if (!contact || words.length === 0) throw new Error("notify CONTACT TEXT")
const chat = await ChatClient.create(process.env.BOT_URL ?? "ws://localhost:5225")
const messages = [{ msgContent: { type: "text", text: words.join(" ") } }]
const answer = await chat.sendChatCmdStr(`/_send @'${contact}' json ${JSON.stringify(messages)}`)
await chat.disconnect()
if (answer.type !== "newChatItems") {
  console.error("not sent:", JSON.stringify(answer))
  process.exitCode = 1
}
