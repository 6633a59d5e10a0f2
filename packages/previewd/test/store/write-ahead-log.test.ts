import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { WriteAheadLog } from '../../src/store/write-ahead-log.ts'
import { makeDataDir } from './store-directory.ts'

test('a checkpoint in a thread moves the log into the database beside an open connection', async () => {
  const file = join(await makeDataDir(), 'test.db')
  const database = openDatabase(file)
  const log = await WriteAheadLog.watch(file, (error) => expect.fail(String(error)))
  const before = (await stat(file)).size
  const insert = database.prepare('INSERT INTO lockfiles VALUES (?, ?)')
  for (let i = 0; i < 200; i++) insert.run(Buffer.of(i), Buffer.alloc(10_000))
  log.syncSoon()
  expect((await stat(file)).size).toBe(before)
  await log.checkpoint()
  expect((await stat(file)).size).toBeGreaterThan(before + 2_000_000)
  insert.run(Buffer.from('after'), Buffer.of())
  expect(database.prepare('SELECT count(*) AS count FROM lockfiles').get()?.count).toBe(201)
  await log.close()
  database.close()
})
