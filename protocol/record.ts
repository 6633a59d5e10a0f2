import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startDaemonUnderTest } from '../packages/previewd/test/e2e/daemon-under-test.ts'
import { sampleProject } from '../packages/previewd/test/e2e/sample-project.ts'
import { type Call, type Exchange, exchange } from './exchange.ts'
import { withoutChance } from './without-chance.ts'

const KEY = 'the-operators-key'
const DEMO = '/v1/projects/demo'

type NamedExchange = Exchange & { name: string }
type Recorder = (name: string, call: Call) => Promise<Exchange>

/** Calls of every kind to real servers, in the order in which a client would make them. */
export async function recordExamples(): Promise<NamedExchange[]> {
  const recorded: NamedExchange[] = []
  using source = folderOfPlan()
  const servers = [
    ...SERVERS,
    [{ PREVIEWD_LOCAL_ROOTS: source.root }, fromSource(source.root)],
  ] as typeof SERVERS
  for (const [environment, sequence] of servers) {
    await using daemon = await startDaemonUnderTest(environment)
    const { url } = daemon.client
    const own: NamedExchange[] = []
    await sequence(async (name, call) => {
      const made = await exchange(url, environment.PREVIEWD_API_KEY, call)
      own.push({ name, ...made })
      return made
    })
    recorded.push(...withoutChance(own, url, source.root))
  }
  return recorded
}

const SERVERS: [environment: Record<string, string>, sequence: (record: Recorder) => Promise<void>][] = [
  [{ PREVIEWD_BUILD_QUIET_MS: '100' }, projectAndBuilds],
  [{ PREVIEWD_API_KEY: KEY }, keysAndRefusals],
  [{ PREVIEWD_RATE_LIMIT: '1' }, tooManyCalls],
]

const post = (path: string, operation: string, title: string, body: unknown = {}): Call => ({
  title,
  operation,
  method: 'POST',
  path,
  body,
})
const get = (path: string, operation: string, title: string): Call => ({ title, operation, path })

async function projectAndBuilds(record: Recorder): Promise<void> {
  const settings = { name: 'Demo', externalId: 'platform:42', env: { VITE_TITLE: 'Hello' } }
  await record('put-project', {
    ...{ title: 'A project is made; of its variables only the names come back', operation: 'putProject' },
    ...{ method: 'PUT', path: DEMO, body: settings },
  })
  const files: Record<string, unknown> = {
    ...sampleProject('Hello'),
    'public/dot.gif': {
      encoding: 'base64',
      content: 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7',
    },
  }
  const first = post(`${DEMO}/changes?wait=built&timeoutMs=120000`, 'applyChanges', 'A batch that is built', {
    files,
  })
  await record('apply-changes', { ...first, headers: { 'idempotency-key': 'turn-1' } })
  await record('apply-changes-repeated', {
    ...first,
    title: 'The same call again, since its answer got lost: nothing is done twice',
    headers: { 'idempotency-key': 'turn-1' },
  })
  await record(
    'apply-changes-unchanged',
    post(`${DEMO}/changes`, 'applyChanges', 'Content that is there already is no change', {
      files: { 'index.html': files['index.html'] },
      deleted: ['never/there.ts'],
    }),
  )
  await readBack(record)
  await builds(record)
  await live(record)
  await broken(record)
  await refusedBatches(record)
  await originalCalls(record)
  await record('list-projects', get('/v1/projects?limit=1', 'listProjects', 'A page of projects'))
  await record('get-project', get(DEMO, 'getProject', 'One project, with its status'))
  await record('delete-project', {
    ...{ title: 'A project is deleted', operation: 'deleteProject', method: 'DELETE', path: DEMO },
  })
  await record('project-not-found', get(DEMO, 'getProject', 'It is no more'))
}

async function readBack(record: Recorder): Promise<void> {
  await record('get-status', get(`${DEMO}/status`, 'getStatus', 'A project that is ready'))
  await record('list-files', get(`${DEMO}/files`, 'listFiles', 'The manifest of the current revision'))
  await record('read-file', get(`${DEMO}/files/src/main.js`, 'readFile', 'One file, as bytes'))
  await record('get-logs', get(`${DEMO}/logs`, 'getLogs', 'The log of the newest build, as text'))
  await record('get-logs-json', get(`${DEMO}/logs?format=json`, 'getLogs', 'The same, line by line'))
  await record('follow-logs', get(`${DEMO}/logs?follow=1`, 'getLogs', 'The same, as it is written'))
  await record('grant', {
    ...post(`${DEMO}/grants`, 'createGrant', 'A link for an editor', {
      role: 'editor',
      expiresInSeconds: 600,
    }),
    headers: { 'idempotency-key': 'grant-1' },
  })
  await record('revoke-grants', {
    ...{
      title: 'No link works any more',
      operation: 'revokeGrants',
      method: 'DELETE',
      path: `${DEMO}/grants`,
    },
  })
}

async function builds(record: Recorder): Promise<void> {
  const queued = await record(
    'create-build',
    post(`${DEMO}/builds`, 'createBuild', 'A build is queued', { force: true }),
  )
  const { id } = queued.response.body as { id: string }
  await record(
    'create-build-joined',
    post(`${DEMO}/builds?wait=built&timeoutMs=120000`, 'createBuild', 'The build under way is waited for'),
  )
  await record('list-builds', get(`${DEMO}/builds?limit=10`, 'listBuilds', 'Builds, newest first'))
  await record('get-build', get(`${DEMO}/builds/${id}`, 'getBuild', 'One build'))
  await record(
    'publish-build',
    post(`${DEMO}/builds/${id}/publish`, 'publishBuild', 'An earlier build is what viewers see'),
  )
  const canceled = await record(
    'create-build-again',
    post(`${DEMO}/builds`, 'createBuild', 'A build that nobody will want', { force: true }),
  )
  await record(
    'cancel-build',
    post(
      `${DEMO}/builds/${(canceled.response.body as { id: string }).id}/cancel`,
      'cancelBuild',
      'A build is stopped',
    ),
  )
}

async function live(record: Recorder): Promise<void> {
  const start = {
    title: 'A session starts',
    operation: 'startSession',
    method: 'PUT',
    path: `${DEMO}/session`,
  }
  await record('start-session', start)
  await record(
    'apply-changes-live',
    post(`${DEMO}/changes?wait=live&timeoutMs=120000`, 'applyChanges', 'The session has the revision', {
      files: { 'src/main.js': sampleProject('Hello, live')['src/main.js'] },
    }),
  )
  await record('session-live', { ...start, title: 'A session that is live is kept alive' })
  await record('get-session', get(`${DEMO}/session`, 'getSession', 'How the session is'))
  await record(
    'apply-changes-no-viewer',
    post(`${DEMO}/changes?wait=painted`, 'applyChanges', 'Nobody is there to see it painted', {
      files: { 'src/main.js': sampleProject('Hello, nobody')['src/main.js'] },
    }),
  )
  await record('stop-session', {
    ...{
      title: 'The session is stopped',
      operation: 'stopSession',
      method: 'DELETE',
      path: `${DEMO}/session`,
    },
  })
}

async function broken(record: Recorder): Promise<void> {
  await record(
    'apply-changes-broken',
    post(
      `${DEMO}/changes?wait=built&timeoutMs=120000`,
      'applyChanges',
      'The build fails: 200, with the problem',
      {
        files: { 'src/main.js': "import { show } from './missing.js'\nshow()\n" },
      },
    ),
  )
  await record('get-diagnostics', get(`${DEMO}/diagnostics`, 'getDiagnostics', 'What is wrong'))
  await record(
    'get-diagnostics-prompt',
    get(`${DEMO}/diagnostics?format=prompt&maxChars=4000`, 'getDiagnostics', 'The same, as text for a model'),
  )
  await record('stream-events', {
    ...get(`${DEMO}/events?after=0`, 'streamProjectEvents', 'Everything that is kept of what happened'),
    last: ({ type }) => type === 'diagnostic',
  })
  await record('stream-status', {
    ...get(
      `${DEMO}/events?types=status`,
      'streamProjectEvents',
      'A stream begins with the status, without an id',
    ),
    last: ({ type }) => type === 'status',
  })
  await record(
    'wait-time-out',
    post(`${DEMO}/changes?wait=built&timeoutMs=0`, 'applyChanges', 'The time was over: 202', {
      files: { 'src/main.js': sampleProject('Mended')['src/main.js'] },
    }),
  )
}

async function refusedBatches(record: Recorder): Promise<void> {
  const refused = (title: string, body: unknown) => post(`${DEMO}/changes`, 'applyChanges', title, body)
  await record(
    'revision-conflict',
    refused('The project is at another revision; nothing is applied', {
      files: { 'index.html': '' },
      baseRevision: 1,
    }),
  )
  await record('invalid-path', refused('A path that leads out', { files: { '../secret.txt': 'no' } }))
  await record('idempotency-conflict', {
    ...refused('The key was used for something else', { files: { 'index.html': 'other' } }),
    headers: { 'idempotency-key': 'turn-1' },
  })
  await record('settings-invalid', {
    title: 'Settings that are none; `errors` names each',
    ...{ operation: 'putProject', method: 'PUT', path: DEMO, body: { framework: 'none', spa: 'yes' } },
  })
  await record('sync-without-source', post(`${DEMO}/sync`, 'syncProject', 'There is nothing to pull from'))
}

/** The bodies are those that the first plan shows. */
async function originalCalls(record: Recorder): Promise<void> {
  const frontend = { changed_files: [{ path: 'src/main.js', type: 'frontend' }] }
  await record('legacy-build', { ...get('/build/demo', 'legacyBuild', 'A build is started'), method: 'POST' })
  await record(
    'legacy-sync',
    post('/sync-project/demo', 'legacySync', 'Files that were pushed are being built', frontend),
  )
  await record('legacy-api-build', {
    ...get('/api/build/platform%3A42', 'legacyApiBuild', 'The same, by the id of the platform'),
    method: 'POST',
  })
  await record(
    'wait-for-legacy-build',
    post(`${DEMO}/builds?wait=built&timeoutMs=120000`, 'createBuild', 'Built'),
  )
  await record('legacy-build-status', get('/api/build/demo/status', 'legacyBuildStatus', 'It is ready'))
  await record('legacy-logs', get('/logs/demo', 'legacyLogs', 'The log as text'))
  await record(
    'legacy-sync-unchanged',
    post('/sync-project/demo', 'legacySync', 'The files are there and built', frontend),
  )
  await record(
    'legacy-sync-refused',
    post('/sync-project/nobody', 'legacySync', 'Errors of these calls have an `error` member', {
      changed_files: [{ path: 'api/main.py', type: 'backend' }],
    }),
  )
}

async function keysAndRefusals(record: Recorder): Promise<void> {
  const made = await record(
    'create-key',
    post('/v1/keys', 'createKey', 'A key for one project; it is shown this once', {
      name: 'agent',
      scope: { kind: 'project', project: 'demo' },
    }),
  )
  await record('list-keys', get('/v1/keys', 'listKeys', 'The keys, without what is secret'))
  const { id } = made.response.body as { id: string }
  await record('delete-key', {
    ...{ title: 'It stops working', operation: 'deleteKey', method: 'DELETE', path: `/v1/keys/${id}` },
  })
  await record('unauthorized', {
    ...get('/v1/projects', 'listProjects', 'A key that is none'),
    headers: { authorization: 'Bearer wrong' },
  })
}

async function tooManyCalls(record: Recorder): Promise<void> {
  const list = get('/v1/projects', 'listProjects', 'A first call')
  await record('list-no-projects', { ...list, title: 'There are no projects' })
  await record('rate-limited', { ...list, title: 'Too many calls: when to try again stands in a header' })
}

/** A project as the first plan keeps it: the page in one folder, the server side in another. */
function folderOfPlan(): Disposable & { root: string } {
  const root = mkdtempSync(join(tmpdir(), 'previewd-protocol-'))
  const files = { 'frontend/index.html': '<h1>Hello</h1>\n', 'backend/main.py': 'print("hello")\n' }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'shop', path)), { recursive: true })
    writeFileSync(join(root, 'shop', path), content)
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) }
}

function fromSource(root: string): (record: Recorder) => Promise<void> {
  return async (record) => {
    await record('put-project-with-source', {
      ...{ title: 'A project whose files lie elsewhere', operation: 'putProject', method: 'PUT', path: DEMO },
      body: {
        source: { kind: 'local', path: join(root, 'shop') },
        root: 'frontend',
        externalId: 'platform:43',
      },
    })
    const sync = (query: string, title: string, body: unknown) =>
      post(`${DEMO}/sync${query}`, 'syncProject', title, body)
    // Each is asked for before the server, which follows the folder, has heard of the change itself.
    const write = (path: string, content: string) => writeFileSync(join(root, 'shop', path), content)
    write('frontend/about.html', '<h1>About</h1>\n')
    await record('sync', sync('?wait=built', 'Everything is compared; nothing differs', {}))
    write('frontend/index.html', '<h1>Hello, again</h1>\n')
    await record(
      'sync-named',
      sync('', 'What changed is named', {
        changedFiles: [{ path: 'frontend/index.html' }],
        deleted: ['frontend/old.html'],
      }),
    )
  }
}
