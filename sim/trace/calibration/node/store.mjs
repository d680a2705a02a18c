// Puts 1, 2, … into a store of npm, one after the other, or says for one folder after the other what is wrong in it.
//   store.mjs run DIR nedb|classic-level
//   store.mjs check nedb|classic-level
import { readFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

const stores = {
  async nedb(folder) {
    const { default: Datastore } = await import('@seald-io/nedb')
    const store = new Datastore({ filename: `${folder}/rows.db` })
    await store.loadDatabaseAsync()
    return {
      put: (number) => store.insertAsync({ _id: `k${number}`, number, text: 'y'.repeat(500) }),
      numbers: async () => (await store.findAsync({})).map((row) => row.number),
      close: async () => {},
    }
  },
  async 'classic-level'(folder) {
    const { ClassicLevel } = await import('classic-level')
    const store = new ClassicLevel(`${folder}/store`)
    await store.open()
    return {
      put: (number) => store.put(`k${number}`, 'v'.repeat(500), { sync: true }),
      numbers: async () => (await store.keys().all()).map((key) => Number(key.slice(1))),
      close: () => store.close(),
    }
  },
}

async function wrong(name, folder, acks) {
  const store = await stores[name](folder)
  const found = (await store.numbers()).sort((a, b) => a - b)
  await store.close()
  if (found.some((number, place) => number !== place + 1)) return `a hole: ${found}`
  return found.length < acks ? `${acks} put, ${found.length} found` : 'ok'
}

const [what, ...words] = process.argv.slice(2)
if (what === 'run') {
  const [folder, name] = words
  const store = await stores[name](folder)
  for (const number of [1, 2, 3, 4]) {
    await store.put(number)
    writeSync(1, `put ${number}\n`)
  }
  // As a process ends that is not asked to.
  process.kill(process.pid, 'SIGKILL')
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const [folder, acks] = line.split('\t')
    const said = readFileSync(acks, 'utf8').split('\n').length - 1
    let answer
    try {
      answer = await wrong(words[0], folder, said)
    } catch (error) {
      answer = String(error.cause?.message ?? error.message).split('\n')[0].replaceAll(folder, '')
    }
    writeSync(1, `${answer}\n`)
  }
}
