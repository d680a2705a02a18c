// Saves a JSON file again and again with a package of npm: save.mjs DIR lowdb|write-file-atomic
import { writeSync } from 'node:fs'

const [folder, name] = process.argv.slice(2)
const path = `${folder}/state.json`

const savers = {
  async lowdb() {
    const { JSONFilePreset } = await import('lowdb/node')
    const database = await JSONFilePreset(path, {})
    return (data) => {
      database.data = data
      return database.write()
    }
  },
  async 'write-file-atomic'() {
    const { default: write } = await import('write-file-atomic')
    return (data) => write(path, JSON.stringify(data))
  },
}

const save = await savers[name]()
for (const number of [1, 2, 3]) {
  await save({ number, text: 'x'.repeat(5000) })
  writeSync(1, `saved ${number}\n`)
}
