// The official Phoenix client, measured: node peer.mjs PORT ROW COUNT SIZE TOPICS wall|cpu
// Prints one number: seconds of one message, round trip, join, or connection with a join.

import { createRequire } from "node:module"

const require = createRequire(new URL("../tests/conformance/js/package.json", import.meta.url))
const { Socket } = require("phoenix")
const WebSocket = require("ws")

const [port, row, ...numbers] = process.argv.slice(2)
const [count, size, topics] = numbers.map(Number)
const cpu = () => process.cpuUsage().user + process.cpuUsage().system
const seconds = () => (numbers[3] === "cpu" ? cpu() / 1e6 : Number(process.hrtime.bigint()) / 1e9)

class Plain extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { perMessageDeflate: false })
  }
}

const connect = () =>
  new Promise((resolve) => {
    const socket = new Socket(`ws://127.0.0.1:${port}/socket`, { transport: Plain })
    socket.onOpen(() => resolve(socket))
    socket.connect()
  })
const join = (socket, topic, on = () => {}) =>
  new Promise((resolve, reject) => {
    const channel = socket.channel(topic, {})
    on(channel)
    channel.join().receive("ok", () => resolve(channel)).receive("error", reject)
  })
const push = (channel, event, payload) =>
  new Promise((resolve, reject) => {
    channel.push(event, payload, 600000).receive("ok", resolve).receive("error", reject)
  })

const rows = {
  async inbound() {
    const socket = await connect()
    let seen = 0
    let began = 0
    let done
    const all = new Promise((resolve) => (done = resolve))
    const handle = () => {
      seen += 1
      if (seen === count) done(seconds() - began)
    }
    const channels = []
    for (let number = 0; number < topics; number++) {
      channels.push(
        await join(socket, `room:${number}`, (channel) => {
          channel.on("tick", handle)
          channel.on("go", () => (began = seconds()))
        }),
      )
    }
    began = seconds()
    push(channels[0], "flood", { frames: count, n: count, topics, size })
    return (await all) / count
  },
  async alone() {
    const channel = await join(await connect(), "room:0")
    for (let n = 0; n < 200; n++) await push(channel, "echo", { body: "hello" })
    const began = seconds()
    for (let n = 0; n < count; n++) await push(channel, "echo", { body: "hello" })
    return (seconds() - began) / count
  },
  async flight() {
    const channel = await join(await connect(), "room:0")
    let sent = 0
    const one = async () => {
      while (sent < count) {
        sent += 1
        await push(channel, "echo", { body: "hello" })
      }
    }
    const began = seconds()
    await Promise.all(Array.from({ length: 100 }, one))
    return (seconds() - began) / count
  },
  async joins() {
    const socket = await connect()
    const began = seconds()
    for (let number = 0; number < count; number++) await join(socket, `room:${number}`)
    return (seconds() - began) / count
  },
  async connect() {
    const samples = []
    for (let number = 0; number < count; number++) {
      const began = seconds()
      const socket = await connect()
      await join(socket, "room:0")
      samples.push(seconds() - began)
      socket.disconnect()
    }
    return samples.sort((a, b) => a - b)[Math.floor(count / 2)]
  },
}

console.log(await rows[row]())
process.exit(0)
