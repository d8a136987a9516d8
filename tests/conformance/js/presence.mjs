// Runs the presence of the official client through the steps on standard input, a list of lists of
// steps; writes what it tells and lists as JSON, one line for each list.
import {readFileSync} from "node:fs"
import {Presence} from "phoenix"

function run(steps){
  let joinRef = 1
  const told = []
  const handlers = {}
  const channel = {on: (event, fn) => { handlers[event] = fn }, joinRef: () => String(joinRef)}
  const presence = new Presence(channel)
  const clone = (value) => (value === undefined ? null : JSON.parse(JSON.stringify(value)))
  presence.onJoin((key, current, joined) => told.push(["join", key, clone(current), clone(joined)]))
  presence.onLeave((key, current, left) => told.push(["leave", key, clone(current), clone(left)]))
  presence.onSync(() => told.push(["sync"]))
  for(const [step, payload] of steps){
    if(step === "rejoin") joinRef += 1
    else handlers[step](payload)
    // In pairs, for an object would move keys that are numbers to its front.
    told.push(["list", presence.list((key, here) => [key, clone(here)])])
  }
  return told
}

for(const steps of JSON.parse(readFileSync(0, "utf8"))){
  console.log(JSON.stringify(run(steps)))
}
