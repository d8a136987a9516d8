// Drives the official Phoenix client against a reference server and prints one JSON line per check:
//   {"check": "push ok", "ok": true, "seconds": 0.01}   or   {"check": …, "ok": false, "error": "…"}
// Usage: node checks.mjs ws://127.0.0.1:4000/socket/websocket     (or PHOENIX_URL in the environment)
//        node checks.mjs ws://127.0.0.1:4000/socket/websocket longpoll     the same over long poll
// The exit status is 0 when every check held. Node 18 or newer.

import assert from "node:assert/strict"
import { LongPoll, Presence, Socket } from "phoenix"
import WebSocket from "ws"

const url = process.argv[2] ?? process.env.PHOENIX_URL
if (!url) {
  console.error("usage: node checks.mjs ws://host:port/socket/websocket")
  process.exit(2)
}
const longPoll = process.argv[3] === "longpoll"
const endpoint = url.replace(/\/websocket$/, "")
const httpUrl = new URL(url.replace(/^ws/, "http")).origin
const run = Math.random().toString(36).slice(2, 10)

const PATIENCE = 10000
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const room = (name) => `room:${name}-${run}`

let sockets = []

function newSocket(params = {}, options = {}) {
  const socket = new Socket(endpoint, {
    transport: longPoll ? LongPoll : WebSocket,
    params,
    timeout: PATIENCE,
    reconnectAfterMs: () => 20,
    rejoinAfterMs: () => 20,
    ...options,
  })
  sockets.push(socket)
  return socket
}

function within(promise, what, ms = PATIENCE) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function open(params, options) {
  const socket = newSocket(params, options)
  const opened = new Promise((resolve) => socket.onOpen(() => resolve(socket)))
  socket.connect()
  return within(opened, "open")
}

function answer(push) {
  return within(
    new Promise((resolve) => {
      for (const status of ["ok", "error", "timeout"]) {
        push.receive(status, (response) => resolve([status, response]))
      }
    }),
    "answer",
  )
}

async function join(socket, topic, params = {}) {
  const channel = socket.channel(topic, params)
  const [status, response] = await answer(channel.join())
  assert.equal(status, "ok", JSON.stringify(response))
  channel.joinResponse = response
  return channel
}

const push = (channel, event, payload = {}, timeout = undefined) =>
  answer(channel.push(event, payload, timeout))

const next = (channel, event) =>
  within(
    new Promise((resolve) => {
      const ref = channel.on(event, (payload) => {
        channel.off(event, ref)
        resolve(payload)
      })
    }),
    event,
  )

async function until(condition, what, ms = PATIENCE) {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
    await sleep(5)
  }
}

async function control(path, body = {}) {
  const response = await fetch(httpUrl + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  assert.equal(response.status, 200)
  return response.json()
}

const bytes = (buffer) => {
  assert.ok(buffer instanceof ArrayBuffer, `expected an ArrayBuffer, got ${buffer}`)
  return [...new Uint8Array(buffer)]
}
const buffer = (...values) => new Uint8Array(values).buffer

// Counts the rejoins that the server has accepted from now on.
function countRejoins(channel) {
  // The client calls back at once for the join that was answered already.
  let joins = -1
  channel.joinPush.receive("ok", () => joins++)
  return () => joins
}

const checks = {
  async "connect"() {
    const socket = await open()
    assert.equal(socket.connectionState(), "open")
  },

  async "connect params arrive unchanged"() {
    const params = { user_id: `u-${run}`, text: "a b+c&d=e%é", empty: "" }
    const channel = await join(await open(params), room("who"))
    const [status, me] = await push(channel, "whoami")
    assert.equal(status, "ok")
    for (const [name, value] of Object.entries(params)) assert.equal(me.params[name], value)
    const transport = longPoll ? "longpoll" : "websocket"
    assert.deepEqual([me.id, me.transport, me.vsn], [`user:u-${run}`, transport, "2.0.0"])
    assert.deepEqual([me.topic, me.join_ref], [channel.topic, channel.joinRef()])
  },

  async "params function"() {
    let calls = 0
    const socket = await open(() => ({ user_id: `f-${run}`, attempt: String(++calls) }))
    const channel = await join(socket, room("params"))
    assert.equal((await push(channel, "whoami"))[1].params.attempt, "1")
    const rejoins = countRejoins(channel)
    channel.push("disconnect_me", {})
    await until(() => rejoins() === 1, "rejoin")
    assert.equal((await push(channel, "whoami"))[1].params.attempt, "2")
  },

  async "join with params"() {
    const channel = await join(await open(), room("join"), { a: 1, é: "ü" })
    assert.deepEqual(channel.joinResponse, { joined: channel.topic, params: { a: 1, é: "ü" } })
    assert.equal(channel.state, "joined")
  },

  async "join refused"() {
    const channel = (await open()).channel("room:private", {})
    assert.deepEqual(await answer(channel.join()), ["error", { reason: "unauthorized" }])
    channel.leave()
  },

  async "join crashed"() {
    const channel = (await open()).channel("room:crash_on_join", {})
    assert.deepEqual(await answer(channel.join()), ["error", { reason: "join crashed" }])
    channel.leave()
  },

  async "unmatched topic"() {
    const channel = (await open()).channel(`nosuch:${run}`, {})
    assert.deepEqual(await answer(channel.join()), ["error", { reason: "unmatched topic" }])
    channel.leave()
  },

  async "duplicate join"() {
    const socket = await open()
    const first = await join(socket, room("twice"), { n: 1 })
    let closed = false
    first.onClose(() => (closed = true))
    // The client would leave the first one by itself; the server has to cope without that.
    first.state = "closed"
    const second = await join(socket, room("twice"), { n: 2 })
    assert.deepEqual(second.joinResponse.params, { n: 2 })
    assert.deepEqual(await push(second, "echo", { x: 1 }), ["ok", { x: 1 }])
    assert.equal(second.state, "joined")
    assert.equal(closed, true, "phx_close of the first join")
  },

  async "push ok"() {
    const channel = await join(await open(), room("echo"))
    assert.deepEqual(await push(channel, "echo", { x: "é", n: [1, 2.5, null, true, ""] }), [
      "ok",
      { x: "é", n: [1, 2.5, null, true, ""] },
    ])
  },

  async "push error reply"() {
    const channel = await join(await open(), room("fail"))
    assert.deepEqual(await push(channel, "fail", { why: "because" }), ["error", { why: "because" }])
  },

  async "reply of any JSON type"() {
    const channel = await join(await open(), room("types"))
    // The client itself makes {} of null, 0, "" and false.
    for (const value of [[1, 2], "s", 5, true]) {
      assert.deepEqual(await push(channel, "echo", value), ["ok", value])
    }
  },

  async "no_reply push times out"() {
    const channel = await join(await open(), room("silent"))
    assert.equal((await push(channel, "no_reply", {}, 200))[0], "timeout")
    assert.equal((await push(channel, "echo", {}))[0], "ok")
  },

  async "pushes are answered in order"() {
    const channel = await join(await open(), room("order"))
    const seen = []
    const all = Array.from({ length: 500 }, (_, n) =>
      push(channel, "echo", { n }).then(([, response]) => seen.push(response.n)),
    )
    await Promise.all(all)
    assert.deepEqual(seen, Array.from({ length: 500 }, (_, n) => n))
  },

  async "broadcast to two clients"() {
    const channels = [await join(await open(), room("all")), await join(await open(), room("all"))]
    const got = channels.map((channel) => next(channel, "shout"))
    channels[0].push("shout", { hi: 1 })
    assert.deepEqual(await Promise.all(got), [{ hi: 1 }, { hi: 1 }])
  },

  async "broadcast to the others only"() {
    const [from, to] = [await join(await open(), room("others")), await join(await open(), room("others"))]
    let own = 0
    from.on("shout", () => own++)
    const got = next(to, "shout")
    assert.deepEqual(await push(from, "shout_from", { hi: 2 }), ["ok", {}])
    assert.deepEqual(await got, { hi: 2 })
    await push(from, "echo")
    assert.equal(own, 0)
  },

  async "server push"() {
    const channel = await join(await open(), room("pushed"))
    const got = next(channel, "pushed")
    channel.push("push_me", { p: 1 })
    assert.deepEqual(await got, { p: 1 })
  },

  async "flood"() {
    const channel = await join(await open(), room("flood"))
    let ticks = 0
    channel.on("tick", ({ data }) => (ticks += data.length === 10 ? 1 : 0))
    assert.deepEqual(await push(channel, "flood", { n: 2000, size: 10 }), ["ok", { sent: 2000 }])
    assert.equal(ticks, 2000)
  },

  async "binary echo"() {
    const channel = await join(await open(), room("binary"))
    const [status, response] = await push(channel, "binary_echo", buffer(1, 2, 3, 255))
    assert.deepEqual([status, bytes(response)], ["ok", [1, 2, 3, 255]])
    assert.deepEqual(bytes((await push(channel, "binary_echo", buffer()))[1]), [])
  },

  async "binary push"() {
    const channel = await join(await open(), room("binary"))
    for (const [payload, expected] of [
      [buffer(0xde, 0xad), [0xde, 0xad]],
      [{ size: 3 }, [0xab, 0xab, 0xab]],
      [{}, [0, 1, 2, 3, 0xfe, 0xff]],
    ]) {
      const got = next(channel, "binary_pushed")
      channel.push("binary_push", payload)
      assert.deepEqual(bytes(await got), expected)
    }
  },

  async "binary broadcast"() {
    const channels = [await join(await open(), room("bb")), await join(await open(), room("bb"))]
    const got = channels.map((channel) => next(channel, "binary_shout"))
    channels[0].push("binary_broadcast", buffer(0xbe, 0xef))
    for (const payload of await Promise.all(got)) assert.deepEqual(bytes(payload), [0xbe, 0xef])
  },

  async "binary frames arrive"() {
    const channel = await join(await open(), room("arrive"))
    channel.push("no_reply", buffer(0, 1, 254, 255))
    assert.equal((await push(channel, "echo"))[0], "ok")
  },

  async "150 pushes at once arrive in order"() {
    const channel = await join(await open(), `counter:batch-${run}`)
    const sent = Array.from({ length: 150 }, (_, i) => ({ i }))
    for (const payload of sent) channel.push("seq_noreply", payload)
    assert.deepEqual(await push(channel, "dump"), ["ok", { items: sent }])
  },

  async "large binary echo"() {
    const channel = await join(await open(), room("large"))
    // Of no pattern: Bandit refuses what inflates to more than 25 times its length.
    const data = new Uint8Array(1 << 20).map(() => Math.random() * 256)
    const [, response] = await push(channel, "binary_echo", data.buffer)
    assert.deepEqual(Buffer.from(response), Buffer.from(data))
  },

  async "non-ASCII topic"() {
    const channel = await join(await open(), room("é☃"))
    assert.deepEqual(await push(channel, "echo", { ü: "ß" }), ["ok", { ü: "ß" }])
    if (!longPoll) assert.deepEqual(bytes((await push(channel, "binary_echo", buffer(9)))[1]), [9])
  },

  async "leave"() {
    const socket = await open()
    const channel = await join(socket, room("leave"))
    let closes = 0
    channel.onClose(() => closes++)
    assert.equal((await answer(channel.leave()))[0], "ok")
    assert.deepEqual([channel.state, closes], ["closed", 1])
    const again = await join(socket, room("leave"))
    assert.equal((await push(again, "echo"))[0], "ok")
  },

  async "server stops the channel"() {
    const channel = await join(await open(), room("stop"))
    const closed = within(new Promise((resolve) => channel.onClose(resolve)), "close")
    channel.push("stop", {})
    await closed
    assert.equal(channel.state, "closed")
  },

  async "server stops the channel with a reply"() {
    const channel = await join(await open(), room("stop_reply"))
    const closed = within(new Promise((resolve) => channel.onClose(resolve)), "close")
    assert.deepEqual(await push(channel, "stop_reply", { bye: 1 }), ["ok", { bye: 1 }])
    await closed
  },

  async "channel crash and rejoin"() {
    const channel = await join(await open(), room("crash"), { a: 1 })
    const rejoins = countRejoins(channel)
    const errors = []
    channel.onError((reason) => errors.push(reason))
    channel.push("crash", {})
    await until(() => rejoins() === 1, "rejoin")
    assert.equal(errors.length, 1)
    assert.deepEqual(await push(channel, "echo", { x: 2 }), ["ok", { x: 2 }])
  },

  async "unknown event crashes the channel"() {
    const channel = await join(await open(), room("unknown"))
    const rejoins = countRejoins(channel)
    channel.push("no_such_event", {})
    await until(() => rejoins() === 1, "rejoin")
  },

  async "kill_sockets, reconnect and rejoin"() {
    const socket = await open()
    const channel = await join(socket, room("killed"))
    const rejoins = countRejoins(channel)
    let opens = 0
    socket.onOpen(() => opens++)
    assert.ok((await control("/control/kill_sockets")).killed >= 1)
    await until(() => rejoins() === 1, "rejoin")
    assert.equal(opens, 1)
    assert.deepEqual(await push(channel, "echo", { x: 3 }), ["ok", { x: 3 }])
  },

  async "kill_channels and rejoin"() {
    const socket = await open()
    const channel = await join(socket, room("kc"))
    const other = await join(socket, room("untouched"))
    const [rejoins, otherRejoins] = [countRejoins(channel), countRejoins(other)]
    assert.deepEqual(await control("/control/kill_channels", { topic: room("kc") }), { killed: 1 })
    await until(() => rejoins() === 1, "rejoin")
    assert.equal((await push(channel, "echo"))[0], "ok")
    assert.equal(otherRejoins(), 0)
  },

  async "disconnect_me and reconnect"() {
    const socket = await open({ user_id: `d-${run}` })
    const channel = await join(socket, room("disconnected"))
    const rejoins = countRejoins(channel)
    const codes = []
    socket.onClose((event) => codes.push(event.code))
    channel.push("disconnect_me", {})
    await until(() => rejoins() === 1, "rejoin")
    // Over long poll the POST that ended its own session may be answered first, with 408: then 1011.
    assert.equal(codes.length, 1)
    assert.ok((longPoll ? [3410, 1011] : [1001]).includes(codes[0]), `closed with ${codes}`)
    assert.equal((await push(channel, "echo"))[0], "ok")
  },

  async "control broadcast"() {
    const channel = await join(await open(), room("control"))
    const got = next(channel, "hello")
    await control("/control/broadcast", { topic: channel.topic, event: "hello", payload: { k: "v" } })
    assert.deepEqual(await got, { k: "v" })
  },

  async "heartbeat answered"() {
    const socket = await open({}, { heartbeatIntervalMs: 500 })
    let [beats, closes] = [0, 0]
    socket.onMessage(({ topic, event }) => (beats += topic === "phoenix" && event === "phx_reply"))
    socket.onClose(() => closes++)
    await until(() => beats >= 3, "three heartbeats")
    assert.equal(closes, 0)
  },

  async "frozen server: heartbeat timeout, reconnect and rejoin"() {
    const socket = await open({}, { heartbeatIntervalMs: 150 })
    const channel = await join(socket, room("frozen"))
    const rejoins = countRejoins(channel)
    await control("/control/freeze", { ms: 6000 })
    const begin = Date.now()
    await until(() => rejoins() === 1, "rejoin")
    assert.ok(Date.now() - begin < 5000, "rejoined on a new connection before the old one thawed")
  },

  async "ping"() {
    const socket = await open()
    const pinged = within(new Promise((resolve) => assert.ok(socket.ping(resolve))), "ping")
    assert.ok((await pinged) >= 0)
  },

  async "token=bad refused"() {
    const socket = newSocket({ token: "bad" })
    const error = within(new Promise((resolve) => socket.onError(resolve)), "error")
    let opens = 0
    socket.onOpen(() => opens++)
    socket.connect()
    if (longPoll) assert.equal(await error, 403)
    else assert.match((await error).message, /403/)
    assert.equal(opens, 0)
  },

  async "slow_echo holds up its channel only"() {
    const socket = await open()
    const [slow, other] = [await join(socket, room("slow-a")), await join(socket, room("slow-b"))]
    const order = []
    const all = [
      push(slow, "slow_echo", { ms: 300 }).then(([status]) => order.push(`slow ${status}`)),
      push(slow, "echo").then(() => order.push("behind")),
      push(other, "echo").then(() => order.push("other")),
    ]
    await Promise.all(all)
    assert.deepEqual(order, ["other", "slow ok", "behind"])
  },

  async "slow join holds up the whole socket"() {
    const socket = await open()
    const other = await join(socket, room("waits"))
    const order = []
    const slow = answer(socket.channel("room:slow", {}).join()).then(() => order.push("join"))
    const echo = push(other, "echo").then(() => order.push("echo"))
    await Promise.all([slow, echo])
    assert.deepEqual(order, ["join", "echo"])
  },

  async "presence: two clients see each other"() {
    const [a, b] = await presences("see")
    await until(() => names(a) === "al,bo" && names(b) === "al,bo", "both in both")
    const { metas } = a.state.bo
    assert.equal(metas.length, 1)
    assert.deepEqual([metas[0].color, typeof metas[0].online_at], ["red", "number"])
    const [status, listed] = await push(a.channel, "list")
    assert.deepEqual([status, Object.keys(listed).sort()], ["ok", ["al", "bo"]])
  },

  async "presence: an update is seen, with its refs"() {
    const [a, b] = await presences("update")
    await until(() => names(a) === "al,bo" && names(b) === "al,bo", "both in both")
    const before = a.state.bo.metas[0].phx_ref
    assert.deepEqual(await push(b.channel, "update", { color: "blue" }), ["ok", {}])
    await until(() => a.state.bo?.metas[0]?.color === "blue", "the update")
    const [meta] = a.state.bo.metas
    assert.equal(meta.phx_ref_prev, before)
    assert.notEqual(meta.phx_ref, before)
  },

  async "presence: one name twice has two metas"() {
    const [a] = await presences("twice")
    const third = await join(await open(), `presence:twice-${run}`, { name: "bo" })
    await until(() => a.state.bo?.metas.length === 2, "two metas")
    await answer(third.leave())
    await until(() => a.state.bo?.metas.length === 1, "one meta")
  },

  async "presence: leaving and untracking are seen"() {
    const [a, b] = await presences("leave")
    await until(() => names(a) === "al,bo", "both")
    await answer(b.channel.leave())
    await until(() => names(a) === "al", "bo gone")
    assert.deepEqual(await push(a.channel, "untrack"), ["ok", {}])
    await until(() => names(a) === "", "nobody")
  },

  async "presence: a lost connection leaves"() {
    const [a, b] = await presences("lost")
    await until(() => names(a) === "al,bo", "both")
    b.socket.disconnect()
    // Over long poll that is noticed after up to three windows.
    await until(() => names(a) === "al", "bo gone", 2 * PATIENCE)
  },

  async "counter: add"() {
    const topic = `counter:add-${run}`
    const [a, b] = [await join(await open(), topic), await join(await open(), topic)]
    assert.deepEqual(await push(a, "add", { n: 2 }), ["ok", { sum: 2, total: 2 }])
    assert.deepEqual(await push(b, "add", { n: 5 }), ["ok", { sum: 5, total: 7 }])
    assert.deepEqual(await push(a, "add", { n: 1 }), ["ok", { sum: 3, total: 8 }])
  },

  async "counter: what seq recorded survives the channel"() {
    const socket = await open()
    const channel = await join(socket, `counter:seq-${run}`)
    assert.deepEqual(await push(channel, "seq", { i: 1 }), ["ok", { count: 1 }])
    channel.push("seq_noreply", { i: 2 })
    const rejoins = countRejoins(channel)
    channel.push("crash", {})
    await until(() => rejoins() === 1, "rejoin")
    assert.deepEqual(await push(channel, "seq", { i: 3 }), ["ok", { count: 3 }])
    const items = [{ i: 1 }, { i: 2 }, { i: 3 }]
    assert.deepEqual(await push(channel, "dump"), ["ok", { items }])
    const dumped = await fetch(`${httpUrl}/control/dump?topic=${encodeURIComponent(channel.topic)}`)
    assert.deepEqual(await dumped.json(), { items })
    assert.equal((await push(channel, "reset"))[0], "ok")
    assert.deepEqual(await push(channel, "dump"), ["ok", { items: [] }])
  },

  async "client disconnects with 1000"() {
    const socket = await open()
    const closed = within(new Promise((resolve) => socket.onClose(resolve)), "close")
    socket.disconnect()
    // Long poll has no close codes: this client makes one up.
    assert.equal((await closed).code, longPoll ? 1005 : 1000)
  },
}

async function presences(name) {
  const enter = async (params) => {
    const socket = await open()
    const channel = socket.channel(`presence:${name}-${run}`, params)
    const presence = new Presence(channel)
    const [status, response] = await answer(channel.join())
    assert.deepEqual([status, response], ["ok", { joined: channel.topic, name: params.name }])
    return Object.defineProperty({ socket, channel }, "state", { get: () => presence.state })
  }
  return [await enter({ name: "al" }), await enter({ name: "bo", meta: { color: "red" } })]
}

const names = ({ state }) => Object.keys(state).sort().join()

// Over long poll there are no heartbeats, and phoenix.js reads no binary frame.
const notOverLongPoll = [
  "binary echo",
  "binary push",
  "binary broadcast",
  "large binary echo",
  "heartbeat answered",
  "frozen server: heartbeat timeout, reconnect and rejoin",
]

let failed = 0
for (const [check, body] of Object.entries(checks)) {
  if (longPoll && notOverLongPoll.includes(check)) continue
  const begin = Date.now()
  const line = { check, ok: true }
  try {
    await within(body(), check, 3 * PATIENCE)
  } catch (error) {
    failed++
    Object.assign(line, { ok: false, error: String(error?.stack ?? error) })
  }
  line.seconds = (Date.now() - begin) / 1000
  console.log(JSON.stringify(line))
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.disconnect(resolve))))
  sockets = []
}
process.exit(failed ? 1 : 0)
